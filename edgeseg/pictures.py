"""One picture over another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def over(image: Picture, opacity: Picture, ground: Picture) -> Picture:
    """Lay uint8[H, W, 3] over a ground of that size: a new picture.

    `opacity` is uint8[H, W], 0 to 255.
    """
    out: Picture = ground.copy()
    np.copyto(out, image, where=(opacity == 255)[:, :, None])
    # Only the edge is mixed: a fraction of the pixels.
    edge = (opacity > 0) & (opacity < 255)
    share = opacity[edge].astype(np.uint32)[:, None]
    mixed = image[edge] * share + ground[edge] * (255 - share)
    out[edge] = ((mixed + 127) // 255).astype(np.uint8)
    return out


def on_black(picture: Picture) -> Picture:
    """Give uint8[H, W, 3] BGR of a BGRA picture."""
    black = np.zeros((*picture.shape[:2], 3), np.uint8)
    return over(picture[:, :, :3], picture[:, :, 3], black)
