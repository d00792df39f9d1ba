"""What the ops of csrc/ops/steady.h mean, in float64 NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.uint8]
Fit = tuple[float, float, float, float]


def places(cells: int, former: int, scale: float, shift: float) -> NDArray[np.float64]:
    """Where the centres of `cells` cells lie among `former` cells, edges repeated."""
    share = (np.arange(cells) + 0.5) / cells
    return np.clip((0.5 + scale * (share - 0.5) + shift) * former - 0.5, 0, former - 1)


def laid(former: Grid, shape: tuple[int, int], fit: Fit) -> NDArray[np.float64]:
    """Bilinear, without rounding."""
    y = places(shape[0], former.shape[0], fit[2], fit[3])
    x = places(shape[1], former.shape[1], fit[0], fit[1])
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    y1 = np.minimum(y0 + 1, former.shape[0] - 1)
    x1 = np.minimum(x0 + 1, former.shape[1] - 1)
    v, u = (y - y0)[:, None], (x - x0)[None, :]
    grid = former.astype(np.float64)
    upper = grid[np.ix_(y0, x0)] * (1 - u) + grid[np.ix_(y0, x1)] * u
    lower = grid[np.ix_(y1, x0)] * (1 - u) + grid[np.ix_(y1, x1)] * u
    return upper * (1 - v) + lower * v


def nearest(former: Grid, shape: tuple[int, int], fit: Fit) -> Grid:
    """The cell whose centre is nearest; halves go to the later one."""
    y = np.floor(places(shape[0], former.shape[0], fit[2], fit[3]) + 0.5).astype(int)
    x = np.floor(places(shape[1], former.shape[1], fit[0], fit[1]) + 0.5).astype(int)
    return former[np.ix_(y, x)]


def around(values: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Whether any cell within `reach` is set."""
    padded = np.pad(values, reach)
    rows, columns = values.shape
    shifts = [(dy, dx) for dy in range(2 * reach + 1) for dx in range(2 * reach + 1)]
    return np.any([padded[y : y + rows, x : x + columns] for y, x in shifts], axis=0)


def smoothstep(value: NDArray[np.float64] | float, low: float, high: float) -> NDArray[np.float64]:
    """Go from 0 at `low` to 1 at `high`."""
    t = np.clip((np.asarray(value) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def steady(
    smooth: Grid, raw: Grid, doubt: Grid, trend: Grid, present: Grid, fit: Fit, flicker: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], Grid, float]:
    """Give smooth and doubt (both unrounded), trend and flicker."""
    now = present.astype(np.float64)
    former, before = laid(smooth, present.shape, fit), laid(raw, present.shape, fit)
    inside = former >= 128
    lonely = ~around(inside, 2) | ~around(~inside, 2)
    change = now - before
    rising, falling = change > 64, change < -64
    then = nearest(trend, present.shape, fit)
    taken_back = ((then == 2) & rising) | ((then == 1) & falling)
    stayed = (then > 0) & ~taken_back
    doubts = nearest(doubt, present.shape, fit).astype(np.float64)
    doubts = np.where(around(taken_back, 1), doubts + 0.6 * (255 - doubts), doubts)
    doubts = np.where(around(stayed, 1), 0.7 * doubts, doubts)
    events = np.count_nonzero(then)
    if events:
        share = np.count_nonzero(taken_back) / events
        flicker += 0.15 * events / (events + 40) * (share - flicker)
    step = now - former
    far = lonely & (np.abs(step) > 64)
    gained, lost = step[far & (step > 0)].sum(), -step[far & (step < 0)].sum()
    balance = min(gained, lost) / max(gained, lost, 1.0)
    beyond = (1 - smoothstep(balance, 0.25, 0.6)) * smoothstep(flicker, 0.15, 0.3)
    near = smoothstep(doubts, 50, 150) * smoothstep(flicker, 0.23, 0.43)
    median = np.median([now, before, former], axis=0)
    trends = np.where(rising, 1, np.where(falling, 2, 0)).astype(np.uint8)
    trends[lonely] = 0
    return now + np.where(far, beyond, near) * (median - now), doubts, trends, flicker
