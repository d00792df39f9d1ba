"""Which folder gives how many of the samples, and what stays out for tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.pictures import Example, is_dev, read_folder

SHARES = {
    "train_coco_mixed": 0.37,
    "coco_subset128": 0.11,
    "coco_panoptic_train": 0.10,
    "train_coco_oneperson": 0.15,
    "train_animals7": 0.15,
    "train_ccp_person": 0.12,
}
"""Shares of the samples; folders that are absent give theirs to the rest."""
LICENSED_WHOLE = ("train_animals7", "train_ccp_person")
"""One licence for the whole folder, which allows commercial use as its publisher states it."""
DEV_FOLDER = "train_coco_mixed"
"""A tenth of its pictures is never trained on: the tuning split."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """All objects, how often each is drawn, and those kept for tuning."""

    examples: Sequence[Example]
    chances: np.ndarray
    """float64[N], sums to 1."""
    dev: Sequence[Example]

    def draw(self, count: int, rng: np.random.Generator) -> list[Example]:
        """Draw objects, with repetition."""
        picks = rng.choice(len(self.examples), count, p=self.chances)
        return [self.examples[pick] for pick in picks]


def read_mixture(root: Path, *, commercial_only: bool = False) -> Mixture:
    """Read the known folders under `root`, or `root` itself as one set of pictures.

    `commercial_only`: see `read_folder`. Raises FileNotFoundError when there are
    no such pictures, ValueError when none is left.
    """
    folders = {root / name: share for name, share in SHARES.items() if (root / name).is_dir()}
    examples: list[Example] = []
    chances: list[np.ndarray] = []
    dev: list[Example] = []
    for folder, share in (folders or {root: 1.0}).items():
        by_picture = commercial_only and folder.name not in LICENSED_WHOLE
        found = read_folder(folder, commercial_only=by_picture)
        split = folder.name == DEV_FOLDER or not folders
        dev += [e for e in found if split and is_dev(e.picture.name)]
        found = [e for e in found if not (split and is_dev(e.picture.name))]
        if not found:
            continue
        weights = np.array([_weight(example) for example in found])
        examples += found
        chances.append(share * weights / weights.sum())
    if not examples:
        raise ValueError(f"{root} holds no objects to learn from")
    together = np.concatenate(chances)
    return Mixture(examples, together / together.sum(), dev)


def _weight(example: Example) -> float:
    """Small objects teach less: their edges are a pixel or two."""
    side = example.short_side_px
    return 0.3 if side < 16 else 0.65 if side < 32 else 1.0
