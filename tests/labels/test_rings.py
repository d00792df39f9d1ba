"""Masks and polygons: what pycocotools says of them, and rings joined to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_shapes import shapes, within_one_pixel

from edgeseg.labels import rings as rings_module
from edgeseg.labels.coco_writer import frame_counts, polygons
from edgeseg.labels.rings import joined, mask_of, parts_of, union_of
from edgeseg.labels.types import Mask
from edgeseg.labels.values import mask_of_counts

SHAPES = shapes(16, 13)
pytest.importorskip("pycocotools")


@pytest.mark.parametrize("name", SHAPES)
def test_run_lengths_and_areas_are_those_of_pycocotools(name):
    from pycocotools import mask as theirs

    pixels = SHAPES[name]
    mask = Mask.from_pixels(pixels)
    wanted = theirs.encode(np.asfortranarray(pixels.astype(np.uint8)))
    got = frame_counts(mask, (16, 13))
    assert got == {"size": [13, 16], "counts": wanted["counts"].decode()}
    assert mask.area_px == theirs.area(wanted)
    left, top, width, height = theirs.toBbox(wanted).tolist()
    assert mask.bounds == (left, top, left + width, top + height)
    assert mask_of_counts(got["counts"], (16, 13)) == mask


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.parametrize("name", SHAPES)
def test_polygons_are_what_pycocotools_fills(name):
    from pycocotools import mask as theirs

    pixels = SHAPES[name]
    mask = Mask.from_pixels(pixels)
    filled = theirs.decode(theirs.merge(theirs.frPyObjects(polygons(mask), 13, 16)))
    np.testing.assert_array_equal(filled.astype(bool), pixels)


@pytest.mark.parametrize("name", SHAPES)
def test_uncompressed_run_lengths_are_read(name):
    flat = SHAPES[name].ravel(order="F")
    edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    if flat[0]:
        runs = [0, *runs]
    assert mask_of_counts(runs, (16, 13)) == Mask.from_pixels(SHAPES[name])


@pytest.mark.parametrize("name", SHAPES)
def test_one_ring_fills_what_the_rings_fill(name, monkeypatch):
    mask = Mask.from_pixels(SHAPES[name])
    rings = [ring for part in parts_of(mask) for ring in part]
    whole = joined(rings)
    assert len(whole) == sum(map(len, rings)) + 2 * (len(rings) - 1)
    assert mask_of([whole], (16, 13)) == mask
    monkeypatch.setattr(rings_module, "_SEARCHED", 0)
    assert mask_of([joined(rings)], (16, 13)) == mask


def test_cuts_are_the_shortest_there_are():
    square = np.array([(0, 0), (2, 0), (2, 2), (0, 2)], np.float32)
    far, near = square + np.float32((20, 0)), square + np.float32((5, 0))
    whole = joined([square, far, near])
    steps = np.abs(np.diff(np.vstack([whole, whole[:1]]), axis=0)).sum(axis=1)
    # Three there and back from the first to the near one, 13 from that to the far one.
    assert sorted(steps.tolist())[-4:] == [3, 3, 13, 13]


def test_no_ring_is_an_error():
    with pytest.raises(ValueError, match="ring"):
        joined([])


@given(st.lists(st.tuples(*[st.floats(-5, 25, width=32)] * 6), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_triangles_joined_fill_as_they_do_alone(corners):
    rings = [np.array(corner, np.float32).reshape(3, 2) for corner in corners]
    # A pixel's centre may lie on an edge to the last bit, and then either answer is right.
    rings = [np.round(ring * 8) / 8 + np.float32(0.03125) for ring in rings]
    assert mask_of([joined(rings)], (16, 13)) == mask_of(rings, (16, 13))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@given(st.integers(8, 60), st.integers(0, 4), st.floats(0, 6), st.floats(44, 56))
@settings(max_examples=60, deadline=None)
def test_polygons_of_others_are_filled_as_pycocotools_does_within_a_pixel(
    corners, waves, turn, centre
):
    from pycocotools import mask as theirs

    angles = np.arange(corners) / corners * 2 * np.pi + turn
    radii = 30 + 10 * np.sin(waves * angles)
    ring = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    filled = theirs.decode(theirs.merge(theirs.frPyObjects([ring.ravel().tolist()], 100, 100)))
    ours = mask_of([ring.astype(np.float32)], (100, 100))
    mine = np.zeros((100, 100), bool) if ours is None else ours.dense((100, 100))
    assert within_one_pixel(mine, filled.astype(bool))


def test_a_union_holds_all_pixels():
    a, b = Mask.from_pixels(SHAPES["box"]), Mask.from_pixels(SHAPES["a row"])
    assert union_of([a, None, b]) == Mask.from_pixels(SHAPES["box"] | SHAPES["a row"])
    assert union_of([None]) is None


def test_rings_off_the_picture_are_cut_or_nothing():
    square = np.array([(-3, -3), (4, -3), (4, 4), (-3, 4)], np.float32)
    assert mask_of([square], (16, 13)).box_px == (0, 0, 4, 4)
    assert mask_of([square - 10], (16, 13)) is None
    assert mask_of([square[:2]], (16, 13)) is None
