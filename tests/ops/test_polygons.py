"""trace_polygons and fill_polygons: outlines along the edges of pixels, and back."""

from __future__ import annotations

import definitions_masks as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native


@st.composite
def masks(draw) -> np.ndarray:
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return np.array(bits).reshape(height, width)


def blobs(size: tuple[int, int] = (120, 160), seed: int = 0) -> np.ndarray:
    """Large smooth shapes with holes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    field = np.zeros(size)
    for _ in range(25):
        cx, cy, reach = rng.uniform(0, size[1]), rng.uniform(0, size[0]), rng.uniform(5, 25)
        field += rng.choice([-1, 1]) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / reach**2)
    return field > 0.15


def points_of(rings) -> list[np.ndarray]:
    return [points for points, _ in rings]


def area(points: np.ndarray) -> float:
    """Above 0 when the ring goes clockwise as seen on the screen."""
    x, y = points.astype(np.float64).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def parts_by_sides(mask: np.ndarray) -> int:
    cv2 = pytest.importorskip("cv2")
    count, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return int(count) - 1


@settings(max_examples=300, deadline=None)
@given(masks())
def test_filling_the_traced_rings_gives_the_mask_back(mask):
    rings = _native.trace_polygons(mask)
    np.testing.assert_array_equal(_native.fill_polygons(points_of(rings), mask.shape), mask)
    for points, is_hole in rings:
        assert points.dtype == np.float32
        assert (points == points.round()).all()
        assert (area(points) < 0) == is_hole
    assert sum(area(points) for points, _ in rings) == mask.sum()


@settings(max_examples=300, deadline=None)
@given(masks())
def test_rings_are_simple_and_have_no_needless_corners(mask):
    for points, _ in _native.trace_polygons(mask):
        assert len(points) >= 4
        assert len({tuple(point) for point in points.tolist()}) == len(points)
        steps = np.roll(points, -1, axis=0) - points
        level = steps[:, 1] == 0
        assert ((steps[:, 0] == 0) != level).all()
        assert (level != np.roll(level, 1)).all()


@settings(max_examples=100, deadline=None)
@given(masks())
def test_each_part_gives_one_outer_ring_followed_by_its_holes(mask):
    rings = _native.trace_polygons(mask)
    assert sum(not is_hole for _, is_hole in rings) == parts_by_sides(mask)
    outer = None
    for points, is_hole in rings:
        if not is_hole:
            outer = _native.fill_polygons([points], mask.shape)
            first = np.argwhere(outer)[0]
        else:
            assert outer is not None
            hole = _native.fill_polygons([points], mask.shape)
            assert (outer & hole).sum() == hole.sum() > 0
        assert mask[tuple(first)]
    starts = [
        tuple(np.argwhere(_native.fill_polygons([p], mask.shape))[0]) for p, h in rings if not h
    ]
    assert starts == sorted(starts)


def test_a_ring_with_an_island_and_a_second_part():
    mask = np.zeros((9, 14), bool)
    mask[1:8, 1:8] = True
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    mask[3:5, 10:13] = True
    rings = [(points.tolist(), is_hole) for points, is_hole in _native.trace_polygons(mask)]
    kinds = [is_hole for _, is_hole in rings]
    assert kinds == [False, True, False, False]
    assert sorted(rings[0][0]) == [[1, 1], [1, 8], [8, 1], [8, 8]]
    assert sorted(rings[1][0]) == [[2, 2], [2, 7], [7, 2], [7, 7]]
    assert sorted(rings[2][0]) == [[10, 3], [10, 5], [13, 3], [13, 5]]
    assert sorted(rings[3][0]) == [[4, 4], [4, 5], [5, 4], [5, 5]]


def test_pixels_that_touch_by_a_corner_are_two_parts():
    rings = _native.trace_polygons(np.eye(2, dtype=bool))
    assert [is_hole for _, is_hole in rings] == [False, False]
    (outer, _), (hole, is_hole) = _native.trace_polygons(
        np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
    )
    assert is_hole
    assert area(outer) == 8
    assert area(hole) == -1


def test_nothing_one_pixel_and_everything():
    assert _native.trace_polygons(np.zeros((5, 6), bool)) == []
    assert _native.trace_polygons(np.zeros((0, 0), bool)) == []
    ((points, is_hole),) = _native.trace_polygons(np.ones((1, 1), bool))
    assert not is_hole
    assert area(points) == 1
    ((points, _),) = _native.trace_polygons(np.ones((5, 6), np.uint8))
    assert area(points) == 30
    assert len(points) == 4


def distance_to_ring(point: np.ndarray, ring: np.ndarray) -> float:
    begin, end = ring.astype(np.float64), np.roll(ring, -1, axis=0).astype(np.float64)
    along = end - begin
    place = ((point - begin) * along).sum(axis=1) / (along**2).sum(axis=1)
    nearest = begin + place.clip(0, 1)[:, None] * along
    return float(np.hypot(*(point - nearest).T).min())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
def test_no_corner_that_is_left_out_lies_further_than_the_tolerance(seed, tolerance):
    mask = blobs(seed=seed)
    exact = _native.trace_polygons(mask)
    thinned = _native.trace_polygons(mask, tolerance_px=tolerance)
    assert len(exact) == len(thinned)
    for (before, was_hole), (after, is_hole) in zip(exact, thinned, strict=True):
        assert was_hole == is_hole == (area(after) < 0)
        assert {tuple(p) for p in after.tolist()} <= {tuple(p) for p in before.tolist()}
        assert max(distance_to_ring(point, after) for point in before) <= tolerance + 1e-6
    if tolerance >= 1:
        assert sum(map(len, points_of(thinned))) < 0.5 * sum(map(len, points_of(exact)))


@pytest.mark.parametrize("seed", range(4))
def test_a_round_trip_through_thinned_rings_stays_within_one_pixel(seed):
    cv2 = pytest.importorskip("cv2")
    mask = blobs(seed=seed).astype(np.uint8)
    rings = points_of(_native.trace_polygons(mask, tolerance_px=1.0))
    found = _native.fill_polygons(rings, mask.shape).astype(np.uint8)
    near = np.ones((3, 3), np.uint8)
    assert (found <= cv2.dilate(mask, near)).all()
    # The border of the frame is an edge of the mask as well.
    assert (found >= cv2.erode(mask, near, borderType=cv2.BORDER_CONSTANT, borderValue=0)).all()
    assert (found != mask).mean() < 0.02


def test_a_small_part_survives_any_tolerance():
    mask = np.zeros((20, 20), bool)
    mask[4, 5] = mask[10:12, 10:13] = True
    rings = _native.trace_polygons(mask, tolerance_px=50)
    assert [abs(area(points)) for points, _ in rings] == [1, 6]


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    rings=st.lists(st.lists(st.tuples(*[st.integers(-40, 100)] * 2), max_size=6), max_size=3),
)
def test_filling_follows_the_definition(size, rings):
    # In steps that no pixel's centre lies on, and no edge between two of them.
    arrays = [np.array(ring, np.float32).reshape(-1, 2) * 0.137 + 0.0213 for ring in rings]
    arrays = [ring.astype(np.float32) for ring in arrays]
    np.testing.assert_array_equal(
        _native.fill_polygons(arrays, size), definitions.even_odd(arrays, size)
    )


def test_a_centre_on_an_edge_belongs_to_the_left_and_top_edge_only():
    square = np.array([(1.5, 1.5), (4.5, 1.5), (4.5, 4.5), (1.5, 4.5)], np.float32)
    expected = np.zeros((6, 6), bool)
    expected[1:4, 1:4] = True
    np.testing.assert_array_equal(_native.fill_polygons([square], (6, 6)), expected)
    np.testing.assert_array_equal(_native.fill_polygons([square[::-1]], (6, 6)), expected)


def test_rings_enclose_by_turns_and_may_reach_out_of_the_frame():
    big = np.array([(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)], np.float32)
    assert _native.fill_polygons([big], (7, 9)).all()
    assert not _native.fill_polygons([big, big], (7, 9)).any()
    left = np.array([(-1e30, -5), (3, -5), (3, 50), (-1e30, 50)], np.float32)
    found = _native.fill_polygons([left], (7, 9))
    assert found[:, :3].all()
    assert not found[:, 3:].any()


@pytest.mark.parametrize("points", [[], [(1, 1)], [(1, 1), (5, 4)], [(1, 1), (5, 4), (1, 1)]])
def test_what_has_no_area_encloses_nothing(points):
    ring = np.array(points, np.float32).reshape(-1, 2)
    assert not _native.fill_polygons([ring], (6, 6)).any()
    assert not _native.fill_polygons([], (6, 6)).any()


def test_points_and_masks_of_any_strides_are_read():
    square = np.array([(1, 1), (4, 1), (4, 4), (1, 4)], np.float32)
    wide = np.zeros((8, 4), np.float32)
    wide[::2, 1:3] = square
    np.testing.assert_array_equal(
        _native.fill_polygons([wide[::2, 1:3]], (6, 6)), _native.fill_polygons([square], (6, 6))
    )
    mask = blobs()
    for view in (mask[3:50, 4:70], mask[::-1, ::2], mask.T):
        rings = points_of(_native.trace_polygons(view))
        np.testing.assert_array_equal(_native.fill_polygons(rings, view.shape), view)
