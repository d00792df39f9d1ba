"""paste: the certainty of each pixel, right against the float64 definition."""

from __future__ import annotations

import definitions_masks as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native

EVERYWHERE = (-np.inf, -np.inf, np.inf, np.inf)


def grid_of(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns), dtype=np.uint8)


def as_float32(edges) -> tuple[float, float, float, float]:
    return tuple(float(np.float32(edge)) for edge in edges)


def check(grid, region, clip, box) -> None:
    region, clip = as_float32(region), as_float32(clip)
    found = _native.paste(grid, region, clip, box)
    expected, inside = definitions.certainty(grid, region, clip, box)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert not found[~inside].any()
    # Cut to a whole number; where the value is one, a rounding below may cost it.
    assert (found <= expected + 2e-3).all()
    assert (found > expected - 1 - 2e-3).all()


@pytest.mark.parametrize("cells", [(1, 1), (1, 5), (7, 1), (28, 28), (64, 64)])
@pytest.mark.parametrize(
    "region",
    [
        pytest.param((3, 4, 43, 34), id="larger than the grid"),
        pytest.param((3.3, 4.6, 9.2, 11.1), id="smaller than the grid"),
        pytest.param((-20, -10, 25.5, 300), id="reaches out of the box"),
        pytest.param((10.5, 10.5, 11.5, 11.5), id="about one pixel"),
        pytest.param((3e3, 0, 4e3, 9), id="elsewhere"),
    ],
)
def test_paste_follows_the_definition(cells, region):
    check(grid_of(*cells), region, EVERYWHERE, (0, 0, 50, 40))


@settings(max_examples=100, deadline=None)
@given(
    cells=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    region=st.tuples(*[st.floats(-15, 25, width=32)] * 4),
    clip=st.tuples(*[st.floats(-15, 25, width=32) | st.just(np.inf) | st.just(-np.inf)] * 4),
    corner=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    size=st.tuples(st.integers(0, 15), st.integers(0, 15)),
)
def test_any_region_clip_and_box_follow_the_definition(cells, region, clip, corner, size):
    box = (*corner, corner[0] + size[0], corner[1] + size[1])
    check(grid_of(*cells, seed=sum(size)), region, clip, box)


def test_a_grid_of_the_regions_size_comes_back_unchanged():
    grid = grid_of(9, 13)
    found = _native.paste(grid, (5, 6, 18, 15), EVERYWHERE, (5, 6, 18, 15))
    np.testing.assert_array_equal(found, grid)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255])
def test_a_plain_grid_is_plain_up_to_the_edges_of_its_region(value):
    found = _native.paste(
        np.full((5, 3), value, np.uint8), (1.5, 0.5, 17.5, 9.5), EVERYWHERE, (0, 0, 20, 12)
    )
    expected = np.zeros((12, 20), np.uint8)
    expected[0:9, 1:17] = value
    np.testing.assert_array_equal(found, expected)


def test_the_clip_cuts_by_the_centres_of_pixels():
    found = _native.paste(
        np.full((2, 2), 200, np.uint8), (0, 0, 10, 10), (2.5, 3.6, 7.5, 8.4), (0, 0, 10, 10)
    )
    expected = np.zeros((10, 10), np.uint8)
    expected[4:8, 2:7] = 200
    np.testing.assert_array_equal(found, expected)


def test_parts_of_a_mask_equal_the_whole():
    grid, region = grid_of(14, 14), (3.3, 4.4, 91.7, 77.1)
    whole = _native.paste(grid, region, EVERYWHERE, (0, 0, 100, 90))
    for box in ((0, 0, 100, 90), (17, 23, 60, 61), (90, 70, 100, 90), (50, 50, 51, 51)):
        part = _native.paste(grid, region, EVERYWHERE, box)
        np.testing.assert_array_equal(part, whole[box[1] : box[3], box[0] : box[2]])


@pytest.mark.parametrize(
    ("region", "clip"),
    [
        ((np.nan, 0, 9, 9), EVERYWHERE),
        ((0, 0, np.inf, 9), EVERYWHERE),
        ((0, -np.inf, 9, 9), EVERYWHERE),
        ((9, 0, 0, 9), EVERYWHERE),
        ((0, 4, 9, 4), EVERYWHERE),
        ((0, 0, 9, 9), (np.nan, 0, 9, 9)),
        ((0, 0, 9, 9), (0, 0, 9, np.nan)),
        ((0, 0, 9, 9), (5, 0, 5, 9)),
        ((0, 0, 9, 9), (20, 0, 30, 9)),
    ],
)
def test_what_has_no_area_or_is_no_number_is_no_mask(region, clip):
    grid = np.full((4, 4), 255, np.uint8)
    assert not _native.paste(grid, region, clip, (0, 0, 10, 10)).any()


def test_a_grid_without_cells_is_no_mask():
    for shape in ((0, 0), (0, 5), (5, 0)):
        grid = np.zeros(shape, np.uint8)
        assert not _native.paste(grid, (0, 0, 9, 9), EVERYWHERE, (0, 0, 10, 10)).any()


def test_regions_beyond_all_measure_are_survived():
    grid = grid_of(4, 4)
    for region in ((-3e38, -3e38, 3e38, 3e38), (0, 0, 3e38, 1e-30), (-1e-30, 0, 1e-30, 1)):
        assert _native.paste(grid, region, EVERYWHERE, (-2, -2, 3, 3)).shape == (5, 5)


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda grid: grid[2:9, 1:7], id="part"),
        pytest.param(lambda grid: grid[::-1, ::-2], id="flipped"),
        pytest.param(lambda grid: grid.T, id="transposed"),
        pytest.param(lambda grid: np.broadcast_to(grid[:1], grid.shape), id="broadcast"),
    ],
)
def test_grids_of_any_strides_are_read_in_place(view):
    grid = view(grid_of(12, 10))
    where = ((2, 3, 30, 40), EVERYWHERE, (0, 0, 50, 50))
    np.testing.assert_array_equal(
        _native.paste(grid, *where), _native.paste(np.ascontiguousarray(grid), *where)
    )


def test_a_box_without_area_gives_an_empty_array():
    grid = grid_of(3, 3)
    assert _native.paste(grid, (0, 0, 9, 9), EVERYWHERE, (4, 4, 4, 9)).shape == (5, 0)
    assert _native.paste(grid, (0, 0, 9, 9), EVERYWHERE, (4, 4, 9, 4)).shape == (0, 5)
