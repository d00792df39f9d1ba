"""Masks, class maps and identities in the annotated picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.colors import PALETTE, class_color, text_color, track_color
from edgeseg.overlay import Overlay, Style
from edgeseg.overlay.tints import MAP_ALPHA, MASK_ALPHA, front_to_back
from edgeseg.text import SpriteCache
from edgeseg.types import NO_CLASS, ClassMap, Detections, Frame, Masks, Result, Tracks

SIZE_PX = (400, 300)
GREY = 128
FULL = np.full((2, 2), 255, np.uint8)
NONE = np.zeros((0, 0), np.uint8)


def masks_of(boxes, grids=None) -> Masks:
    places = np.array(boxes, np.float32).reshape(-1, 4)
    return Masks(tuple(grids or [FULL] * len(places)), places, places.copy(), SIZE_PX)


def tracks_of(ids, carried=None) -> Tracks:
    count = len(ids)
    return Tracks(
        np.array(ids, np.int32),
        np.zeros(count, np.int32),
        np.array(carried if carried is not None else [False] * count),
    )


def shown(boxes=(), class_ids=None, names=("person", "car"), **parts) -> np.ndarray:
    count = len(boxes)
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.87, np.float32),
        np.array(class_ids if class_ids is not None else [0] * count, np.int32),
    )
    image = np.full((SIZE_PX[1], SIZE_PX[0], 3), GREY, np.uint8)
    return Overlay(names).draw(Result(Frame(image), found, tuple(names), **parts))


def mixed(color, alpha=MASK_ALPHA) -> np.ndarray:
    return (1 - alpha) * GREY + alpha * np.array(color)


def is_tinted(pixel, color, alpha=MASK_ALPHA) -> bool:
    return bool((np.abs(pixel - mixed(color, alpha)) <= 1).all())


def test_a_mask_tints_its_object_in_the_class_colour_below_the_box():
    out = shown([(50, 60, 200, 220)], [1], masks=masks_of([(50, 60, 200, 220)]))
    assert is_tinted(out[150, 120], class_color(1))
    assert tuple(out[150, 50]) == class_color(1)
    assert (out[240:] == GREY).all()


def test_an_object_without_a_mask_is_not_tinted():
    boxes = [(50, 60, 200, 220), (250, 60, 390, 220)]
    out = shown(boxes, masks=masks_of(boxes, [NONE, FULL]))
    assert (out[150, 120] == GREY).all()
    assert is_tinted(out[150, 320], class_color(0))
    no_objects = shown(masks=masks_of([]))
    assert (no_objects == GREY).all()


def test_objects_with_an_identity_have_its_colour_others_their_class():
    boxes = [(20, 60, 120, 200), (150, 60, 250, 200), (280, 60, 380, 200)]
    out = shown(boxes, [0, 0, 1], masks=masks_of(boxes), tracks=tracks_of([5, 6, 0]))
    for x, color in ((70, track_color(5)), (200, track_color(6)), (330, class_color(1))):
        assert is_tinted(out[150, x], color)
    assert tuple(out[150, 20]) == track_color(5)


def test_colours_of_identities_are_stable_and_never_run_out():
    assert track_color(1) == PALETTE[0]
    assert track_color(81) == PALETTE[0]
    assert len({track_color(i) for i in range(1, 81)}) == 80


def test_where_masks_overlap_a_pixel_belongs_to_the_smaller_box():
    boxes = [(20, 40, 220, 280), (120, 90, 260, 200)]
    for order in ([0, 1], [1, 0]):
        placed = [boxes[i] for i in order]
        out = shown(placed, order, masks=masks_of(placed))
        assert is_tinted(out[150, 170], class_color(1))
        assert is_tinted(out[250, 100], class_color(0))


def test_the_smaller_object_does_not_cut_where_its_mask_is_not():
    """Only its mask counts, not its box."""
    left_half = np.array([[255, 255, 0, 0]], np.uint8)
    boxes = [(20, 40, 220, 280), (60, 90, 160, 200)]
    out = shown(boxes, [0, 1], masks=masks_of(boxes, [FULL, left_half]))
    assert is_tinted(out[150, 80], class_color(1))
    assert is_tinted(out[150, 140], class_color(0))


def test_nearness_is_by_size_then_by_row():
    boxes = [(0, 0, 9, 9), (0, 0, 3, 3), (5, 5, 14, 14), (0, 0, np.nan, 1), (0, 0, np.inf, 1)]
    assert front_to_back(np.array(boxes, np.float32)).tolist() == [1, 0, 2, 3, 4]
    assert front_to_back(np.zeros((0, 4), np.float32)).tolist() == []


def test_the_outline_of_a_carried_object_is_dashed():
    boxes = [(50, 60, 200, 220)]
    solid = shown(boxes, tracks=tracks_of([1]))
    dashed = shown(boxes, tracks=tracks_of([1], [True]))
    color = np.array(track_color(1))
    for line in (np.s_[90:220, 50], np.s_[219, 50:200]):
        assert (solid[line] == color).all()
        drawn = (dashed[line] == color).all(axis=1)
        assert 0.35 < drawn.mean() < 0.7
        assert (np.diff(drawn.astype(int)) != 0).sum() >= 8
    assert (dashed[219, 50] == color).all()
    assert (dashed[219, 199] == color).all()


def is_in(sprite, picture) -> bool:
    height, width = sprite.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(picture, (height, 3, 3))[:, :, 0]
    starts = np.argwhere((windows == sprite[:, 4:7]).all(axis=(2, 3, 4)))
    return any(
        np.array_equal(picture[y : y + height, x - 4 : x - 4 + width], sprite) for y, x in starts
    )


@pytest.mark.parametrize(
    ("track_id", "text", "color"),
    [(12, "person 12 87 %", track_color(12)), (0, "person 87 %", class_color(0))],
)
def test_the_label_names_the_identity_where_there_is_one(track_id, text, color):
    out = shown([(150, 100, 250, 220)], tracks=tracks_of([track_id]))
    sprite = SpriteCache().get(text, Style.of(SIZE_PX).text_px, text_color(color), color)
    assert is_in(sprite, out)


def test_a_class_map_tints_each_pixel_by_its_nearest_cell():
    classes = np.array([[0, 1, 2, 3], [1, 1, NO_CLASS, 85]], np.uint16)
    out = shown(class_map=ClassMap(classes, (0, 0, 4, 2), background=2))
    for y, x, class_id in ((0, 0, 0), (149, 99, 0), (149, 100, 1), (150, 399, 85), (10, 399, 3)):
        assert is_tinted(out[y, x], class_color(class_id), MAP_ALPHA)
    assert (out[:150, 200:300] == GREY).all()
    assert (out[150:, 200:300] == GREY).all()


def test_a_class_map_is_read_through_its_region():
    classes = np.zeros((10, 20), np.uint16)
    classes[:, 10:] = 1
    out = shown(class_map=ClassMap(classes, (8.0, 2.0, 4.0, 5.0), background=None))
    assert is_tinted(out[100, 190], class_color(0), MAP_ALPHA)
    assert is_tinted(out[100, 210], class_color(1), MAP_ALPHA)


@settings(max_examples=60, deadline=None)
@given(
    cells=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    region=st.tuples(*[st.floats(-5, 9)] * 2, *[st.floats(0, 20)] * 2),
)
def test_the_tints_are_those_of_the_maps_dense_form(cells, region):
    classes = np.random.default_rng(sum(cells)).integers(0, 4, cells).astype(np.uint16)
    class_map = ClassMap(classes, region, background=3)
    out = shown(class_map=class_map)
    dense = class_map.dense(SIZE_PX)
    for class_id in range(3):
        where = out[dense == class_id]
        assert (np.abs(where - mixed(class_color(class_id), MAP_ALPHA)) <= 1).all()
    assert (out[dense == 3] == GREY).all()


def test_masks_lie_over_the_class_map():
    class_map = ClassMap(np.zeros((1, 1), np.uint16), (0, 0, 1, 1))
    box = (50, 60, 200, 220)
    out = shown([box], [1], masks=masks_of([box]), class_map=class_map)
    below = mixed(class_color(0), MAP_ALPHA)
    expected = (1 - MASK_ALPHA) * below + MASK_ALPHA * np.array(class_color(1))
    assert (np.abs(out[150, 120] - expected) <= 2).all()


NUMBERS = st.one_of(
    st.floats(-900, 900, width=32),
    st.sampled_from([float("inf"), float("-inf"), float("nan"), 3e38, -3e38, 0.0]),
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
            st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
            st.tuples(st.integers(0, 3), st.integers(0, 3)),
        ),
        max_size=12,
    )
)
def test_any_mask_at_any_box_is_survived(objects):
    boxes = [box for box, _, _ in objects]
    places = np.array([place for _, place, _ in objects], np.float32).reshape(-1, 4)
    grids = tuple(np.full(cells, 255, np.uint8) for _, _, cells in objects)
    ids = list(range(len(objects)))
    out = shown(
        boxes,
        masks=Masks(grids, places, places.copy(), SIZE_PX),
        tracks=tracks_of(ids, [i % 2 == 1 for i in ids]),
    )
    assert out.shape == (300, 400, 3)


def test_a_frame_with_strides_is_tinted():
    image = np.full((300, 400, 3), GREY, np.uint8)[::-1, ::-1]
    found = Detections(
        np.array([(50, 60, 200, 220)], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32)
    )
    result = Result(Frame(image), found, ("a",), masks=masks_of([(50, 60, 200, 220)]))
    assert is_tinted(Overlay(("a",)).draw(result)[150, 120], class_color(0))
    assert (image == GREY).all()
