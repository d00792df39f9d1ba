"""Compact masks: their boxes, pixels, polygons and run lengths, and what results make of them."""

from __future__ import annotations

import json

import definitions_masks as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native
from edgeseg.masks.certainty import certainty
from edgeseg.types import Detections, Frame, Masks, Result, Tracks

EDGES = st.floats(-30, 60, width=32)
FRAME_PX = (40, 30)


def ring_grid() -> np.ndarray:
    """A square with a hole."""
    grid = np.full((12, 12), 255, np.uint8)
    grid[4:8, 4:8] = 0
    return grid


def some() -> Masks:
    """A ring, an object without a mask, one that reaches out of the frame, one of one pixel."""
    regions = [(4, 3, 16, 15), (0, 0, 9, 9), (30.5, 20.25, 50.5, 44.25), (7, 25, 8, 26)]
    grids = (
        ring_grid(),
        np.zeros((0, 0), np.uint8),
        np.full((3, 3), 200, np.uint8),
        np.full((1, 1), 255, np.uint8),
    )
    places = np.array(regions, np.float32)
    clips = places.copy()
    clips[2] = (32, 0, 100, 28.5)
    return Masks(grids, places, clips, FRAME_PX)


def off_the_frame() -> Masks:
    regions = [(50, 3, 60, 15), (-9, 0, -1, 9), (np.nan, 0, 9, 9), (5, 5, 5, 9), (0, 0, np.inf, 9)]
    places = np.array(regions, np.float32)
    return Masks((np.full((2, 2), 255, np.uint8),) * 5, places, places.copy(), FRAME_PX)


def test_boxes_are_the_whole_pixels_that_a_mask_may_touch():
    masks = some()
    boxes = [masks.box(row) for row in range(4)]
    assert boxes == [(4, 3, 16, 15), (0, 0, 0, 0), (32, 20, 40, 28), (7, 25, 8, 26)]
    assert [masks.pixels(row).shape for row in range(4)] == [(12, 12), (0, 0), (8, 8), (1, 1)]
    assert masks.pixels(0).sum() == 144 - 16
    assert masks.pixels(3).all()


def test_what_lies_off_the_frame_or_is_no_number_has_no_pixels():
    masks = off_the_frame()
    for row in range(len(masks)):
        assert masks.box(row) == (0, 0, 0, 0)
        assert masks.pixels(row).shape == (0, 0)
    assert not masks.dense().any()
    assert masks.polygons() == [[]] * 5
    nothing = _native.rle_encode(np.zeros((30, 40), bool)).decode()
    assert masks.to_coco() == [{"size": [30, 40], "counts": nothing}] * 5


@settings(max_examples=80, deadline=None)
@given(
    cells=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    region=st.tuples(EDGES, EDGES, EDGES, EDGES),
    clip=st.tuples(*[EDGES | st.sampled_from([np.inf, -np.inf, np.nan])] * 4),
)
def test_pixels_follow_the_definition(cells, region, clip):
    grid = np.random.default_rng(sum(cells)).integers(0, 256, cells, dtype=np.uint8)
    masks = Masks((grid,), np.array([region], np.float32), np.array([clip], np.float32), FRAME_PX)
    values, inside = definitions.certainty(grid, region, clip, (0, 0, *FRAME_PX))
    (left, top, right, bottom), sure = certainty(masks, 0)
    around = inside.copy()
    around[top:bottom, left:right] = False
    assert not around.any()
    assert inside.any() == (sure.size > 0)
    dense = masks.dense()[0]
    clear = np.abs(values - 128) > 1e-2
    np.testing.assert_array_equal(dense[clear], (values >= 128)[clear])
    np.testing.assert_array_equal(dense[top:bottom, left:right], masks.pixels(0))


def test_dense_masks_are_bool_of_the_frames_size():
    dense = some().dense()
    assert dense.dtype == np.bool_
    assert dense.shape == (4, 30, 40)
    assert dense.sum(axis=(1, 2)).tolist() == [128, 0, 64, 1]
    assert dense[0, 3, 4]
    assert not dense[0, 8, 9]
    empty = np.zeros((0, 4), np.float32)
    assert Masks((), empty, empty, FRAME_PX).dense().shape == (0, 30, 40)


def test_polygons_lie_in_the_frame_and_give_the_masks_back():
    masks = some()
    found = masks.polygons()
    kinds = [[is_hole for _, is_hole in rings] for rings in found]
    assert kinds == [[False, True], [], [False], [False]]
    for dense, rings in zip(masks.dense(), found, strict=True):
        again = _native.fill_polygons([points for points, _ in rings], (30, 40))
        np.testing.assert_array_equal(again, dense)
    corners = found[3][0][0].tolist()
    assert sorted(corners) == [[7, 25], [7, 26], [8, 25], [8, 26]]
    assert len(masks.polygons(tolerance_px=1)[0]) == 2


def test_coco_masks_are_those_of_pycocotools():
    pycocotools = pytest.importorskip("pycocotools.mask")
    masks = some()
    found = masks.to_coco()
    json.dumps(found)
    for dense, item in zip(masks.dense(), found, strict=True):
        packed = pycocotools.encode(np.asfortranarray(dense.astype(np.uint8)))
        assert packed["counts"].decode() == item["counts"]
        assert packed["size"] == item["size"]


def result(masks: Masks | None, tracks: Tracks | None = None) -> Result:
    count = 4
    boxes = np.array([(4, 3, 16, 15), (0, 0, 9, 9), (30, 20, 40, 28), (7, 25, 8, 26)], np.float32)
    found = Detections(boxes, np.full(count, 0.5, np.float32), np.zeros(count, np.int32))
    frame = Frame(np.zeros((30, 40, 3), np.uint8))
    return Result(frame, found, ("person",), masks=masks, tracks=tracks)


def tracks() -> Tracks:
    ids = np.array([12, 3, 0, 7], np.int32)
    return Tracks(ids, np.zeros(4, np.int32), np.array([False, True, False, False]))


def test_json_carries_masks_of_the_objects_that_have_one():
    masks = some()
    record = json.loads(json.dumps(result(masks).to_dict()))
    assert ["mask" in item for item in record["objects"]] == [True, False, True, True]
    item = record["objects"][2]["mask"]
    assert item["box"] == [32, 20, 40, 28]
    assert item["size"] == [8, 8]
    left, top, right, bottom = item["box"]
    pixels = _native.rle_decode(item["rle"].encode(), tuple(item["size"]))
    np.testing.assert_array_equal(pixels, masks.dense()[2, top:bottom, left:right])
    assert "mask" not in result(None).to_dict()["objects"][0]


def test_json_carries_the_identity_of_the_objects_that_have_one():
    record = json.loads(json.dumps(result(None, tracks()).to_dict()))
    assert [item.get("track_id") for item in record["objects"]] == [12, 3, None, 7]
    assert "track_id" not in result(None).to_dict()["objects"][0]


def test_the_order_of_json_keys_is_the_documented_one():
    item = result(some(), tracks()).to_dict()["objects"][0]
    assert list(item) == ["class_id", "class", "score", "box", "track_id", "mask"]


def test_supervision_gets_masks_and_identities():
    pytest.importorskip("supervision")
    found = result(some(), tracks()).to_supervision()
    np.testing.assert_array_equal(found.mask, some().dense())
    assert found.tracker_id.tolist() == [12, 3, 0, 7]
    without = result(None).to_supervision()
    assert without.mask is None
    assert without.tracker_id is None


def test_supervision_takes_a_frame_without_objects():
    pytest.importorskip("supervision")
    empty = np.zeros((0, 4), np.float32)
    none = Result(
        Frame(np.zeros((30, 40, 3), np.uint8)),
        Detections.empty(),
        (),
        masks=Masks((), empty, empty, FRAME_PX),
        tracks=Tracks(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, bool)),
    )
    assert len(none.to_supervision()) == 0
