"""Weights in INT8: symmetric, a scale for each filter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TINY = 2.0**-20
"""Smallest scale of a weight: float16 still holds it with four bits."""


def filter_scales(
    kernels: NDArray[np.float32], *, half: bool, bias_step: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Give float32[filters]: the largest weight of each filter over 127.

    With `half` a scale is one of float16, rounded up so that no weight is cut.
    `bias_step` is the least step each filter's bias needs to fit into int32.
    """
    largest = np.abs(kernels).max(axis=(1, 2, 3)).astype(np.float64)
    scales = np.maximum(largest / 127, TINY)
    if bias_step is not None:
        scales = np.maximum(scales, bias_step)
    if not half:
        return np.asarray(scales, np.float32)
    rounded = scales.astype(np.float16)
    short = rounded.astype(np.float64) < scales
    rounded[short] = np.nextafter(rounded[short], np.float16(np.inf))
    return np.asarray(rounded, np.float32)


def quantized(kernels: NDArray[np.float32], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """Give int8[filters, channels, rows, columns], from -127 to 127, rounded to even."""
    steps = kernels / scales[:, None, None, None]
    return np.asarray(np.clip(np.rint(steps, out=steps), -127, 127), np.int8)


def padded(kernels: NDArray[np.int8], channels: int) -> NDArray[np.int8]:
    """Append channels of zeros."""
    more = channels - kernels.shape[1]
    return np.pad(kernels, ((0, 0), (0, more), (0, 0), (0, 0))) if more else kernels
