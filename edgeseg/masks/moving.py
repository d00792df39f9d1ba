"""Masks that go where their boxes go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Masks, Size


def moved_masks(masks: Masks, from_px: NDArray[np.float32], to_px: NDArray[np.float32]) -> Masks:
    """Move and stretch each mask as its box went: float32[N, 4] before, float32[N, 4] now."""
    return replace(
        masks,
        regions_px=_moved(masks.regions_px, from_px, to_px),
        clips_px=_moved(masks.clips_px, from_px, to_px),
    )


def _moved(
    areas_px: NDArray[np.float32], from_px: NDArray[np.float32], to_px: NDArray[np.float32]
) -> NDArray[np.float32]:
    size = np.maximum(from_px[:, 2:] - from_px[:, :2], np.float32(1e-3))
    scale = (to_px[:, 2:] - to_px[:, :2]) / size
    corners = areas_px.reshape(-1, 2, 2) - from_px[:, None, :2]
    moved: NDArray[np.float32] = corners * scale[:, None] + to_px[:, None, :2]
    return moved.reshape(-1, 4).astype(np.float32)


def no_masks(count: int, frame_px: Size) -> Masks:
    """Give `count` objects without a mask."""
    grids = tuple(np.zeros((0, 0), np.uint8) for _ in range(count))
    nowhere = np.zeros((count, 4), np.float32)
    return Masks(grids, nowhere, nowhere, frame_px)


def joined_masks(parts: Sequence[Masks]) -> Masks:
    """Give the masks of one or more parts of a frame, in their order."""
    return Masks(
        tuple(grid for part in parts for grid in part.grids),
        np.concatenate([part.regions_px for part in parts]),
        np.concatenate([part.clips_px for part in parts]),
        parts[0].frame_px,
    )
