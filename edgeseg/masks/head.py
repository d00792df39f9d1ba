"""The mask head: a small network that tells which pixels of a box are the object's.

It looks at the crop of any box, whatever detector made it, and knows no
classes. MASK_HEAD.md, beside the network, says what it was trained on, how
good it is and where it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.engines.onnxruntime import open_session, run_session
from edgeseg.types import Frame, Masks, Size

NETWORK = Path(__file__).with_name("mask_head.onnx")
PRECISION = "int8"
"""Of its numbers; what goes in and comes out is float32."""
CROP_PX = 128
GRID = 64
MARGIN = 0.2
"""The crop is the box and this share of its width and height more on every side."""
BATCH = 8
"""Crops in one run of the network: more bring nothing on a CPU and cost memory."""
LOGIT_STEPS = 16.0
"""Grid values per unit of logit. Logits rather than probabilities are interpolated between
cells: they stay straight across an edge, so its place is right to a part of a cell."""
CLIP = 0.1
"""The mask may reach out of its box by this share of width and height: detectors draw
boxes that cut off a hand or a wheel."""


class MaskHead:
    """Gives masks for boxes; `threads` as for the engine. Use it from one thread.

    With `mirrored` it sees each crop as it is and in the mirror, and takes the
    mean: a little better, and twice the work. Raises EngineError when the
    network does not load, MissingDependencyError without the package onnxruntime.
    """

    def __init__(
        self, *, threads: int = 0, network: Path = NETWORK, mirrored: bool = False
    ) -> None:
        self._mirrored = mirrored
        self._session = open_session(network, threads=threads, precision=PRECISION, spin=False)
        self._crops = np.empty((BATCH, 3, CROP_PX, CROP_PX), np.float32)

    def look(self, frame: Frame, boxes_px: NDArray[np.float32]) -> Masks:
        """Give the mask of each of float32[N, 4] boxes.

        A box that is not finite, empty or wholly outside of the frame gets no
        mask (an empty grid). Raises EngineError.
        """
        return masks_of(frame.size_px, boxes_px, lambda boxes: self._logits(frame, boxes))

    def close(self) -> None:
        """Release the network."""
        del self._session

    def _logits(self, frame: Frame, boxes_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the network's float32[N, 1, GRID, GRID] for at most BATCH boxes."""
        crops = self._crops[: len(boxes_px)]
        _native.crop_resize(frame.host_image, grown(boxes_px, MARGIN), crops)
        logits = self._run(crops, meta(boxes_px))
        if self._mirrored:
            mirrored = self._run(np.ascontiguousarray(crops[..., ::-1]), meta(boxes_px))
            logits = (logits + mirrored[..., ::-1]) / np.float32(2)
        return logits

    def _run(self, crops: NDArray[np.float32], numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        (logits,) = run_session(self._session, {"crops": crops, "meta": numbers})
        return logits


def masks_of(
    frame_px: Size,
    boxes_px: NDArray[np.float32],
    logits_of: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> Masks:
    """Give the mask of each of float32[N, 4] boxes, as `MaskHead.look` promises.

    `logits_of` gives the network's float32[N, 1, GRID, GRID] for 1 to BATCH boxes.
    """
    boxes_px = boxes_px.astype(np.float32)
    usable = np.flatnonzero(visible(boxes_px, frame_px))
    grids: list[NDArray[np.uint8]] = [np.zeros((0, 0), np.uint8)] * len(boxes_px)
    regions = np.zeros((len(boxes_px), 4), np.float32)
    clips = np.zeros((len(boxes_px), 4), np.float32)
    regions[usable] = grown(boxes_px[usable], MARGIN)
    clips[usable] = grown(boxes_px[usable], CLIP)
    for start in range(0, len(usable), BATCH):
        rows = usable[start : start + BATCH]
        for row, grid in zip(rows, grids_of(logits_of(boxes_px[rows])), strict=True):
            grids[row] = grid
    return Masks(tuple(grids), regions, clips, frame_px)


def grids_of(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn the network's float32[N, 1, GRID, GRID] into uint8[N, GRID, GRID]."""
    values = logits[:, 0] * np.float32(LOGIT_STEPS) + np.float32(128)
    # Half a step would let the edge move: 128 is where the logit is 0.
    grids: NDArray[np.uint8] = np.floor(np.clip(values, 0, 255)).astype(np.uint8)
    return grids


def meta(boxes_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tell the network what the crop no longer shows: float32[N, 3], shape, size and one."""
    width = boxes_px[:, 2] - boxes_px[:, 0]
    height = boxes_px[:, 3] - boxes_px[:, 1]
    shape = np.log(width / height)
    size = 0.5 * np.log(np.sqrt(width * height) / 64)
    return np.stack([shape, size, np.ones_like(size)], axis=1).astype(np.float32)


def grown(boxes_px: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Move each side of float32[N, 4] boxes outwards by a share of width or height."""
    step = (boxes_px[:, 2:] - boxes_px[:, :2]) * np.float32(share)
    return np.concatenate([boxes_px[:, :2] - step, boxes_px[:, 2:] + step], axis=1)


def visible(boxes_px: NDArray[np.float32], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Say which boxes are finite, have an area and show a part of the frame."""
    left, top, right, bottom = boxes_px.T
    inside = (right > 0) & (bottom > 0) & (left < size_px[0]) & (top < size_px[1])
    found: NDArray[np.bool_] = (
        np.isfinite(boxes_px).all(axis=1) & (right > left) & (bottom > top) & inside
    )
    return found
