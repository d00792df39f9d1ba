"""Random samples keep picture, mask and box together."""

from __future__ import annotations

import numpy as np
import pytest

from training import augment
from training.augment import jittered, plain_sample, random_sample
from training.crop import crop_of
from training.pictures import Example, Picture


def red_example(side: int, seed: int = 0) -> Example:
    """A red disc on a grey picture, of `side` pixels."""
    y, x = np.mgrid[:300, :400]
    disc = (x - 190) ** 2 + (y - 140) ** 2 < (side / 2) ** 2
    image = np.where(disc[:, :, None], (200, 0, 0), (114, 114, 114)).astype(np.uint8)
    halves = [image[::2, ::2], image[::4, ::4]]
    ids = disc.astype(np.uint8)
    rows, columns = np.nonzero(ids)
    corners = np.stack([columns, rows], 1)[:, None] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    picture = Picture("disc", (image, *halves), ids)
    return Example(picture, 1, corners.reshape(-1, 2).astype(float))


def redness(crop: np.ndarray) -> np.ndarray:
    """Share of red, at the target's resolution."""
    share = 1 - crop[:, :, 1] / 114
    return share.reshape(share.shape[0] // 2, 2, -1, 2).mean((1, 3))


@pytest.mark.parametrize("side", [20, 90, 200])
def test_a_plain_sample_follows_the_crop_rule(side: int) -> None:
    example = red_example(side)
    sample = plain_sample(example, 128)
    exact = crop_of(example.picture.levels[0], example.box_px) * 255
    assert np.abs(sample.crop - exact).mean() < 1.5
    # Grown pixels keep hard edges in the target, soft ones in the crop.
    assert np.abs(redness(exact) - sample.target).mean() < (0.02 if side < 90 else 0.01)
    assert (sample.weight == 1).all()


@pytest.mark.parametrize("size", [96, 128])
def test_the_target_stays_on_the_object(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(augment, "_photographed", lambda crop, rng: crop)
    monkeypatch.setattr(augment, "_with_other", lambda view, other, size_px, rng: view)
    example, rng = red_example(120), np.random.default_rng(3)
    for _ in range(20):
        sample = random_sample(example, example, size, rng)
        assert sample.target.shape == (size // 2, size // 2)
        assert np.abs(redness(sample.crop) - sample.target).mean() < 0.012


def test_others_leave_most_of_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "_photographed", lambda crop, rng: crop)
    example, rng = red_example(120), np.random.default_rng(4)
    shares = [random_sample(example, example, 128, rng).target.mean() for _ in range(100)]
    assert min(shares) > 0.1


def test_jitter_is_mostly_small_and_sometimes_large() -> None:
    rng = np.random.default_rng(0)
    box = np.array([100.0, 50.0, 300.0, 150.0])
    moves = np.array([jittered(box, rng) - box for _ in range(4000)]) / [200, 100, 200, 100]
    largest = np.abs(moves).max(1)
    assert 0.15 < (largest == 0).mean() < 0.25
    assert np.quantile(largest, 0.5) < 0.1
    assert 0.2 < largest.max() <= 0.35


def test_the_same_seed_gives_the_same_sample() -> None:
    example = red_example(100)
    a, b = (random_sample(example, example, 96, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(a.crop, b.crop)
    np.testing.assert_array_equal(a.target, b.target)
