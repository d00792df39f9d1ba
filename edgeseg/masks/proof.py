"""Prove a mask head on objects that are drawn, so that what they cover is known.

It finds an engine that computes something else than the network, not one that is a
little worse: for that the objects are too easy. It needs no other engine beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import EngineRefusedError
from edgeseg.types import Frame

if TYPE_CHECKING:
    from edgeseg.masks.follower import Looker

LEAST_IOU = 0.9
"""Mean over the objects. The network reaches 0.97 on a CPU, in int8 as in fp32; masks that fill
their boxes have 0.55, and convolutions of half their weight none at all."""
_SIDE, _CELL_PX = 4, 160


def proven(looker: Looker) -> dict[str, float]:
    """Give what an engine's receipt holds. Raises EngineRefusedError, EngineError."""
    iou = round(drawn_iou(looker), 4)
    if iou < LEAST_IOU:
        raise EngineRefusedError(
            f"the mask head's engine does not see what is drawn: overlap {iou}, "
            f"at least {LEAST_IOU} is wanted",
            scores={"iou": iou},
            hint="Remove it, and it is built again: edgeseg engines rm mask-head",
        )
    return {"iou": iou}


def drawn_iou(looker: Looker) -> float:
    """Give the mean overlap of masks with what they should be; 1 is best. Raises EngineError."""
    frame, boxes_px, bodies = drawn_objects()
    masks = looker.look(frame, boxes_px).dense()
    both = np.logical_and(masks, bodies).sum(axis=(1, 2))
    either = np.logical_or(masks, bodies).sum(axis=(1, 2))
    return float(np.mean(both / either))


def drawn_objects() -> tuple[Frame, NDArray[np.float32], NDArray[np.bool_]]:
    """Draw 16 ellipses: the frame, float32[16, 4] boxes, bool[16, H, W] the pixels of each."""
    side_px = _SIDE * _CELL_PX
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:side_px, :side_px] + 0.5
    image = 90 + 60 * np.stack([rows, columns, side_px - rows], axis=2) / side_px
    image += rng.normal(0, 6, image.shape)
    boxes, bodies = [], []
    for number in range(_SIDE * _SIDE):
        middle = (np.array(divmod(number, _SIDE))[::-1] + 0.5) * _CELL_PX + rng.uniform(-12, 12, 2)
        half = rng.uniform(22, 60, 2)
        body = ((columns - middle[0]) / half[0]) ** 2 + ((rows - middle[1]) / half[1]) ** 2 <= 1
        light = 1.15 - 0.4 * (rows - middle[1]) / half[1]
        colour = rng.choice([20, 60, 200, 245], 3)
        image[body] = (colour * light[:, :, None] + rng.normal(0, 6, image.shape))[body]
        boxes.append([*(middle - half), *(middle + half)])
        bodies.append(body)
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    return Frame(pixels), np.array(boxes, np.float32), np.stack(bodies)
