"""The ops that steady masks: right against tests/definitions_steady.py."""

from __future__ import annotations

import definitions_steady as definitions
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import _native

SAME = (1.0, 0.0, 1.0, 0.0)
FITS = (SAME, (1.1, 0.03, 0.93, -0.05), (0.8, 0.4, 1.3, -0.4))


def blob(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A soft shape with a wobbling edge."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    centre, radius = rng.uniform(0.4, 0.6, 2) * shape, rng.uniform(0.25, 0.35) * min(shape)
    away = np.hypot(y - centre[0], x - centre[1]) - radius + rng.normal(0, 0.5, shape)
    return np.clip(128 - 60 * away, 0, 255).astype(np.uint8)


def disc(size: int, x: float, y: float, radius: float) -> NDArray[np.uint8]:
    v, u = np.mgrid[:size, :size] + 0.5
    away = np.hypot(u / size - x, v / size - y) - radius
    return np.clip(128 - away * size * 128, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shapes", [((64, 64), (64, 64)), ((1, 1), (5, 3)), ((7, 30), (40, 9))])
def test_a_grid_is_laid_as_defined(fit: definitions.Fit, shapes: tuple) -> None:
    former = np.random.default_rng(1).integers(0, 256, shapes[0], dtype=np.uint8)
    got = _native.grid_laid(former, shapes[1], fit)
    expected = definitions.laid(former, shapes[1], fit)
    np.testing.assert_allclose(got, expected, rtol=0, atol=0.51)


@pytest.mark.parametrize("seed", range(6))
def test_steady_follows_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    former, shape = (24, 31), ((24, 31), (32, 20))[seed % 2]
    state = [blob(rng, former) for _ in range(3)]
    state.append(rng.integers(0, 3, former, dtype=np.uint8))
    # Far from the ends of the weights, so that rounding does not choose another branch.
    present, flicker = blob(rng, shape), (0.2, 0.33, 0.6)[seed % 3]
    got = _native.grid_steady(*state, present, SAME, flicker)
    expected = definitions.steady(*state, present, SAME, flicker)
    np.testing.assert_allclose(got[0], expected[0], rtol=0, atol=0.6)
    np.testing.assert_allclose(got[1], expected[1], rtol=0, atol=0.51)
    np.testing.assert_array_equal(got[2], expected[2])
    assert got[3] == pytest.approx(expected[3], abs=1e-6)


@pytest.mark.parametrize(("dx", "dy", "stretch"), [(0.1, 0, 1), (-0.07, 0.12, 1), (0.04, 0, 1.2)])
def test_a_moved_shape_is_found(dx: float, dy: float, stretch: float) -> None:
    former = disc(64, 0.5, 0.5, 0.25)
    present = disc(64, 0.5 + dx, 0.5 + dy, 0.25 * stretch)
    fit = _native.grid_fit(former, present, [SAME])
    moved = _native.grid_laid(former, (64, 64), fit)
    both = np.count_nonzero((moved >= 128) & (present >= 128))
    assert both / np.count_nonzero((moved >= 128) | (present >= 128)) > 0.95
    centre = fit[0] * dx + fit[1], fit[2] * dy + fit[3]
    assert centre == pytest.approx((0, 0), abs=0.02), "the centre lies on the centre"


def test_the_best_start_is_taken_and_equal_grids_stay_there() -> None:
    former = disc(64, 0.3, 0.5, 0.1)
    present = disc(64, 0.8, 0.5, 0.1)
    start = (1.0, -0.5, 1.0, 0.0)
    assert tuple(_native.grid_fit(former, present, [SAME, start])) == start


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((np.zeros((2, 2), np.float32), np.zeros((2, 2), np.uint8), [SAME]), TypeError, "former"),
        ((np.zeros((2, 0), np.uint8), np.zeros((2, 2), np.uint8), [SAME]), ValueError, "former"),
        ((np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), []), ValueError, "starts"),
        (
            (np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), [(1, np.nan, 1, 0)]),
            ValueError,
            "starts",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        _native.grid_fit(*arguments)


def test_a_state_of_mixed_sizes_is_refused() -> None:
    a, b = np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)
    with pytest.raises(ValueError, match="one size"):
        _native.grid_steady(a, a, b, a, a, SAME, 0.3)
    with pytest.raises(ValueError, match="flicker"):
        _native.grid_steady(a, a, a, a, a, SAME, float("nan"))
    with pytest.raises(ValueError, match="shape"):
        _native.grid_laid(a, (0, 4), SAME)
