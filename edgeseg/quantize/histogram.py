"""A histogram that grows with its numbers, in memory that does not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF_BINS = 4096
"""Bins for the numbers below 0, and as many for those above."""
_PIECE = 1 << 20


class Histogram:
    """Counts numbers in bins of equal width from -limit to limit.

    `limit` is a power of two. A number beyond it doubles the limit as often as
    needed: neighbouring bins join, so the counts are those of one pass with the
    last limit, whatever the order of the numbers.
    """

    def __init__(self) -> None:
        self.limit = 2.0**-20
        self.counts: NDArray[np.int64] = np.zeros(2 * HALF_BINS, np.int64)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count the numbers of an array of any shape. Raises ValueError for NaN and infinity."""
        flat = values.reshape(-1)
        for start in range(0, len(flat), _PIECE):
            self._add(flat[start : start + _PIECE])

    def _add(self, piece: NDArray[np.float32]) -> None:
        largest = max(float(piece.max()), -float(piece.min()))
        if not math.isfinite(largest):
            raise ValueError("not a finite number")
        while largest >= self.limit:
            self._double()
        # The factor is a power of two, so no number changes its bin by rounding.
        places = piece * np.float32(HALF_BINS / self.limit)
        np.floor(places, out=places)
        bins = places.astype(np.int32) + HALF_BINS
        self.counts += np.bincount(bins, minlength=2 * HALF_BINS)

    def _double(self) -> None:
        joined = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.zeros_like(self.counts)
        self.counts[HALF_BINS // 2 : HALF_BINS // 2 + HALF_BINS] = joined
        self.limit *= 2

    @property
    def total(self) -> int:
        """How many numbers were counted."""
        return int(self.counts.sum())

    @property
    def width(self) -> float:
        """Of one bin."""
        return self.limit / HALF_BINS

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        return np.asarray((np.arange(2 * HALF_BINS) - HALF_BINS + 0.5) * self.width, np.float64)

    def magnitudes(self) -> NDArray[np.int64]:
        """Count |x| in bins from 0 to limit."""
        below: NDArray[Any] = self.counts[:HALF_BINS][::-1]
        magnitudes: NDArray[np.int64] = below + self.counts[HALF_BINS:]
        return magnitudes
