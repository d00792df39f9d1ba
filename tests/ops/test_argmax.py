"""argmax: right against the definition, whatever way the scores lie in memory."""

from __future__ import annotations

import definitions_families as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeseg import _native

VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan])


def layouts(scores: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """The same scores as planes, channels last, and with strides between."""
    last = np.ascontiguousarray(scores.transpose(1, 2, 0))
    apart = np.zeros((*scores.shape[:2], 2 * scores.shape[2]), np.float32)[:, :, ::2]
    apart[:] = scores
    return [(scores, 0), (last, 2), (apart, 0), (last.transpose(2, 0, 1), 0)]


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 60), st.integers(0, 3), st.integers(0, 9)),
        elements=VALUES, fill=VALUES,
    )
)  # fmt: skip
def test_the_first_of_the_highest_wins_and_nan_never(scores):
    expected = definitions.argmax(scores)
    for view, axis in layouts(scores):
        got = _native.argmax(view, axis=axis)
        assert got.dtype == np.uint16
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", [(1, 9, 7), (2, 40, 1050), (21, 65, 1100), (150, 31, 33)])
def test_it_is_numpys_argmax_where_there_is_no_nan(shape):
    scores = np.random.default_rng(0).standard_normal(shape).astype(np.float32).round(1)
    for view, axis in layouts(scores):
        np.testing.assert_array_equal(_native.argmax(view, axis=axis), scores.argmax(axis=0))


def test_classes_beyond_a_byte_are_found():
    scores = np.zeros((60000, 1, 2), np.float32)
    scores[59999, 0, 1] = 1
    for view, axis in layouts(scores):
        assert _native.argmax(view, axis=axis).tolist() == [[0, 59999]]


@pytest.mark.parametrize("classes", [3, 64])
def test_what_is_not_above_the_floor_is_below(classes):
    scores = np.zeros((classes, 1, 4), np.float32)
    scores[2, 0] = [0.5, 0.50001, 0.2, np.nan]
    for view, axis in layouts(scores):
        got = _native.argmax(view, axis=axis, floor=0.5, below=65535)
        assert got.tolist() == [[65535, 2, 65535, 65535]]


@pytest.mark.parametrize(
    ("scores", "options", "error", "message"),
    [
        (np.zeros((2, 3, 4)), {}, TypeError, r"scores must be float32\[N, N, N\], got float64"),
        (np.zeros((3, 4), np.float32), {}, ValueError, "scores must be float32"),
        (np.zeros((0, 3, 4), np.float32), {}, ValueError, "1 to 65535 classes, got 0"),
        (np.zeros((65536, 1, 1), np.float32), {}, ValueError, "classes, got 65536"),
        (np.zeros((2, 3, 4), np.float32), {"axis": 1}, ValueError, "axis must be 0 or 2, got 1"),
    ],
)
def test_wrong_scores_are_refused(scores, options, error, message):
    with pytest.raises(error, match=message):
        _native.argmax(scores, **options)
