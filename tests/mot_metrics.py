"""MOTA and IDF1, small: what the accuracy tests judge by. Checked against trackeval where it is.

CLEAR MOT (Bernardin, Stiefelhagen 2008): a true object keeps its match of the frame before while
the two overlap by half; the others are assigned for the largest overlap. IDF1 (Ristani et al.
2016): one assignment of true to given identities over all frames.
"""

from __future__ import annotations

import numpy as np

from edgeseg import _native

LEAST_IOU = 0.5


def overlaps(a, b):
    """IoU of left, top, width, height rows."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = a[:, 2:].prod(axis=1)[:, None] + b[:, 2:].prod(axis=1)[None]
    return shared / np.maximum(areas - shared, 1e-9)


def evaluate(truth, rows, frames):
    """Give mota, idf1 (both up to 100) and switches for MOTChallenge rows."""
    true_ids, own_ids = np.unique(truth[:, 1]), np.unique(rows[:, 1])
    together = np.zeros((len(true_ids), len(own_ids)))
    last, before = {}, {}
    missed = false = switches = 0
    for frame in range(1, frames + 1):
        a, b = truth[truth[:, 0] == frame], rows[rows[:, 0] == frame]
        iou = overlaps(a[:, 2:6], b[:, 2:6])
        iou[iou < LEAST_IOU - 1e-12] = 0
        i, j = np.nonzero(iou)
        together[np.searchsorted(true_ids, a[i, 1]), np.searchsorted(own_ids, b[j, 1])] += 1
        kept = np.array([[before.get(x) == y for y in b[:, 1]] for x in a[:, 1]]).reshape(iou.shape)
        chosen = _native.assign(np.where(iou > 0, iou + 1000.0 * kept, 0.0))
        pairs = {a[i, 1]: b[j, 1] for i, j in enumerate(chosen.tolist()) if j >= 0}
        switches += sum(x in last and last[x] != y for x, y in pairs.items())
        missed += len(a) - len(pairs)
        false += len(b) - len(pairs)
        last |= pairs
        if len(a):
            before = pairs
    right = sum(together[i, j] for i, j in enumerate(_native.assign(together)) if j >= 0)
    return {
        "mota": 100 * (1 - (missed + false + switches) / len(truth)),
        "idf1": 100 * 2 * right / (len(truth) + len(rows)),
        "switches": switches,
    }
