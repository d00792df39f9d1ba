"""From a histogram to the range that a tensor is quantized in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.quantize.histogram import HALF_BINS, Histogram
from edgeseg.quantize.scales import Range

LEVELS = 128
"""Steps of int8 on one side of 0."""
_STRIDE = 16


def percentile_range(histogram: Histogram, percent: float) -> Range:
    """Leave out the numbers whose magnitude is among the largest 100 - percent %.

    A side that does not reach that far keeps its own end.
    """
    if not 50 < percent <= 100:
        raise ValueError(f"a percentile is above 50, up to 100, got {percent}")
    magnitudes = histogram.magnitudes()
    bound = np.searchsorted(np.cumsum(magnitudes), percent / 100 * magnitudes.sum()) + 1
    return _within(histogram, int(bound))


def entropy_range(histogram: Histogram) -> Range:
    """Choose the bound at which int8 keeps most of the distribution of |x|.

    That is the least Kullback-Leibler divergence between the distribution, its
    tail counted at the bound, and the same in 128 steps (S. Migacz, "8-bit
    inference with TensorRT", GTC 2017).
    """
    magnitudes = histogram.magnitudes().astype(np.float64)
    # Exact zeros and near-zeros say nothing about the bound, but would outweigh all else.
    magnitudes[0] = magnitudes[1]
    used = int(np.flatnonzero(magnitudes)[-1]) + 1 if magnitudes.any() else 1
    bounds = range(LEVELS, used + _STRIDE, _STRIDE)
    losses = [_divergence(magnitudes, min(bound, HALF_BINS)) for bound in bounds]
    best = bounds[int(np.argmin(losses))] if losses else used
    return _within(histogram, min(best, used))


def _divergence(magnitudes: NDArray[np.float64], bound: int) -> float:
    kept = magnitudes[:bound]
    wanted = kept.copy()
    wanted[-1] += magnitudes[bound:].sum()
    level = np.arange(bound) * LEVELS // bound
    filled = kept > 0
    sums = np.bincount(level, weights=kept, minlength=LEVELS)
    shares = np.bincount(level, weights=filled, minlength=LEVELS)
    coarse = np.where(filled, (sums / np.maximum(shares, 1))[level], 0.0)
    if coarse.sum() == 0:
        return float("inf")
    wanted, coarse = wanted / wanted.sum(), coarse / coarse.sum()
    seen = wanted > 0
    ratio = wanted[seen] / np.maximum(coarse[seen], 1e-12)
    return float(np.sum(wanted[seen] * np.log(ratio)))


def before_leaky(histogram: Histogram, behind: Range, slope: float) -> Range:
    """Give the range in front of a leaky ReLU from that behind it.

    What is below 0 leaves it `slope` times as large, and so do its errors: 8 bits
    serve better above 0. Takes the lower bound with the least expected squared
    error behind the activation.
    """
    centers, counts = histogram.centers, histogram.counts
    gain = np.where(centers < 0, slope, 1.0) ** 2 * counts
    lowest = max(behind.low / slope, -histogram.limit)

    def error(low: float) -> float:
        step = (behind.high - low) / 255
        beyond = np.maximum(low - centers, 0) + np.maximum(centers - behind.high, 0)
        return float(np.sum(gain * np.where(beyond > 0, beyond**2, step**2 / 12)))

    return Range.of(min((lowest * part / 32 for part in range(33)), key=error), behind.high)


def _within(histogram: Histogram, bound: int) -> Range:
    """Give the filled part of the histogram, no further than `bound` bins from 0."""
    filled = np.flatnonzero(histogram.counts) - HALF_BINS
    if len(filled) == 0:
        return Range.of(0.0, 0.0)
    low = max(int(filled[0]), -bound) * histogram.width
    high = min(int(filled[-1]) + 1, bound) * histogram.width
    return Range.of(low, high)
