"""assign: the best pairs, against trying all of them."""

from __future__ import annotations

import definitions_tracking as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeseg import _native

# Quarters: their sums are exact, and ties are common.
weight = st.one_of(st.integers(-4, 12).map(lambda n: n / 4), st.just(float("nan")))
small = arrays.arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(0, 6)), elements=weight)


def total(weights, columns) -> float:
    return sum(weights[row, column] for row, column in enumerate(columns) if column >= 0)


@settings(max_examples=150, deadline=None)
@given(weights=small)
def test_no_choice_of_pairs_weighs_more(weights):
    columns = _native.assign(weights)
    taken = columns[columns >= 0].tolist()
    assert len(columns) == len(weights)
    assert len(set(taken)) == len(taken)
    assert all(weights[row, column] > 0 for row, column in enumerate(columns) if column >= 0)
    assert total(weights, columns) == definitions.best_weight(weights)


@pytest.mark.parametrize("shape", [(40, 40), (60, 25), (25, 60), (1, 90), (90, 1)])
def test_large_tables_agree_with_scipy(shape):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(5)
    weights = rng.uniform(-1, 1, shape)
    rows, columns = optimize.linear_sum_assignment(weights.clip(0), maximize=True)
    expected = weights.clip(0)[rows, columns].sum()
    assert total(weights, _native.assign(weights)) == pytest.approx(expected, abs=1e-9)


def test_prices_prove_that_a_large_choice_is_the_best():
    """Weights made from prices: no pair is worth more than its two prices, the diagonal exactly."""
    rng = np.random.default_rng(1)
    count = 300
    rows, columns = rng.integers(1, 9, count) / 8, rng.integers(1, 9, count) / 8
    weights = rows[:, None] + columns - rng.integers(0, 4, (count, count)) / 8
    np.fill_diagonal(weights, rows + columns)
    mixed = rng.permutation(count)
    chosen = _native.assign(np.ascontiguousarray(weights[:, mixed]))
    assert total(weights[:, mixed], chosen) == rows.sum() + columns.sum()


def test_strided_weights_are_read_in_place():
    weights = np.random.default_rng(0).uniform(0, 1, (6, 8))
    expected = _native.assign(np.ascontiguousarray(weights[::2, ::-3])).tolist()
    assert _native.assign(weights[::2, ::-3]).tolist() == expected


def test_infinite_weights_and_other_arrays_are_refused():
    with pytest.raises(ValueError, match="weights must be finite"):
        _native.assign(np.array([[np.inf]]))
    with pytest.raises(ValueError, match="weights must be float64"):
        _native.assign(np.zeros(3))
    with pytest.raises(TypeError, match="weights must be float64"):
        _native.assign(np.zeros((2, 2), np.float32))
