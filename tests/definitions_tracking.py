"""What tracking computes, in float64 NumPy, with matrices; shares no code with the library."""

from __future__ import annotations

import itertools

import numpy as np


def kalman_predict(mean, covariance, dt, unrest):
    """Constant speed, white noise in the acceleration (Bar-Shalom et al., 6.2.2)."""
    step = np.array([[1.0, dt], [0.0, 1.0]])
    noise = unrest * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    return step @ mean, step @ covariance @ step.T + noise


def kalman_update(mean, covariance, seen, noise):
    h = np.array([[1.0, 0.0]])
    total = h @ covariance @ h.T + noise
    gain = covariance @ h.T / total
    mean = mean + (gain * (seen - h @ mean)).ravel()
    return mean, (np.eye(2) - gain @ h) @ covariance


def best_weight(weights) -> float:
    """The largest sum of weights above 0 that pairs can have, by trying all of them."""
    weights = np.where(np.isnan(weights), 0.0, np.asarray(weights, float)).clip(0)
    if weights.shape[0] > weights.shape[1]:
        weights = weights.T
    rows, columns = weights.shape
    picks = itertools.permutations(range(columns), rows)
    return max((weights[range(rows), pick].sum() for pick in map(list, picks)), default=0.0)


def mask_pixels(grid, region, clip, size_px):
    """bool[H, W]: bilinear in the grid at each pixel's middle, held at its rim; 128 is mask."""
    rows, columns = grid.shape
    left, top, right, bottom = region
    x, y = np.meshgrid(np.arange(size_px[0]) + 0.5, np.arange(size_px[1]) + 0.5)
    u = ((x - left) / (right - left) * columns - 0.5).clip(0, columns - 1)
    v = ((y - top) / (bottom - top) * rows - 0.5).clip(0, rows - 1)
    u0, v0 = u.astype(int), v.astype(int)
    u1, v1 = np.minimum(u0 + 1, columns - 1), np.minimum(v0 + 1, rows - 1)
    g = grid.astype(float)
    above = g[v0, u0] * (1 - (u - u0)) + g[v0, u1] * (u - u0)
    below = g[v1, u0] * (1 - (u - u0)) + g[v1, u1] * (u - u0)
    level = above * (1 - (v - v0)) + below * (v - v0)

    def inside(box):
        return (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])

    return (level >= 127.5) & inside(region) & inside(clip)
