"""prototype_masks: the sigmoid of mixed prototypes, in 256 steps."""

from __future__ import annotations

import definitions_families as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native


def draw(channels: int, rows: int, columns: int, count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    prototypes = rng.standard_normal((channels, rows, columns)).astype(np.float32)
    coefficients = rng.standard_normal((count, channels)).astype(np.float32)
    return prototypes, coefficients


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 12), st.integers(1, 30), st.integers(0, 5)),
    st.data(),
)
def test_grids_follow_the_definition_within_half_a_step(shape, data):
    prototypes, coefficients = draw(*shape)
    _, rows, columns, count = shape
    windows = np.zeros((count, 4), np.int32)
    for window in windows:
        for low, high, size in ((0, 2, columns), (1, 3, rows)):
            window[low] = data.draw(st.integers(0, size))
            window[high] = data.draw(st.integers(int(window[low]), size))
    grids = _native.prototype_masks(prototypes, coefficients, windows)
    assert len(grids) == count
    for grid, mixed, (left, top, right, bottom) in zip(grids, coefficients, windows, strict=True):
        exact = 256 * definitions.mask_probability(mixed, prototypes)[top:bottom, left:right]
        assert grid.dtype == np.uint8
        assert grid.shape == exact.shape
        # float32 sums of 40 products are off by less than a thousandth of a step.
        np.testing.assert_allclose(grid, exact.clip(0, 255), rtol=0, atol=0.501)


@pytest.mark.parametrize(
    ("logit", "level"),
    [(0.0, 128), (1e-3, 128), (-0.02, 127), (200.0, 255), (-200.0, 0), (np.inf, 255),
     (-np.inf, 0), (np.nan, 0)],
)  # fmt: skip
def test_one_half_is_128_and_the_ends_are_kept(logit, level):
    prototypes = np.full((1, 1, 1), logit, np.float32)
    (grid,) = _native.prototype_masks(
        prototypes, np.ones((1, 1), np.float32), np.array([[0, 0, 1, 1]], np.int32)
    )
    assert grid.tolist() == [[level]]


def test_strided_arguments_are_read_in_place():
    prototypes, coefficients = draw(8, 10, 12, 3)
    windows = np.array([[1, 2, 9, 8]] * 3, np.int32)
    expected = _native.prototype_masks(prototypes, coefficients, windows)
    wide = np.zeros((16, 20, 30), np.float32)
    wide[::2, 5:15, 3:15] = prototypes
    tall = np.asfortranarray(coefficients)
    got = _native.prototype_masks(wide[::2, 5:15, 3:15], tall, windows[::-1][::-1])
    assert all((a == b).all() for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"prototypes": np.zeros((2, 3, 4))}, TypeError, "prototypes must be float32"),
        ({"prototypes": np.zeros((2, 3, 8), np.float32)[:, :, ::2]}, ValueError, "adjacent"),
        ({"coefficients": np.zeros((1, 3), np.float32)}, ValueError, "coefficients must be"),
        ({"windows": np.zeros((2, 4), np.int32)}, ValueError, r"windows must be int32\[1, 4\]"),
        ({"windows": np.array([[0, 0, 5, 3]], np.int32)}, ValueError, r"4 x 3, got \(0, 0, 5, 3"),
        ({"windows": np.array([[2, 0, 1, 3]], np.int32)}, ValueError, "windows"),
        ({"windows": np.array([[-1, 0, 1, 3]], np.int32)}, ValueError, "windows"),
        ({"windows": np.array([[0, 0, 2**31 - 1, 3]], np.int32)}, ValueError, "windows"),
    ],
)
def test_wrong_arguments_are_refused(change, error, message):
    arguments = {
        "prototypes": np.zeros((2, 3, 4), np.float32),
        "coefficients": np.zeros((1, 2), np.float32),
        "windows": np.array([[0, 0, 4, 3]], np.int32),
    }
    with pytest.raises(error, match=message):
        _native.prototype_masks(**(arguments | change))
