"""The annotated picture: readable, inside the frame, and never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.colors import PALETTE, class_color, text_color
from edgeseg.errors import ConfigError
from edgeseg.overlay import LabelPlaces, Overlay, Status, Style
from edgeseg.text import SpriteCache, sprite_height
from edgeseg.types import Detections, Frame, Result

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of
# Color Vision Deficiency (2009), severity 1, for linear sRGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def linear(colors):
    """Give linear red, green, blue of BGR colours."""
    rgb = np.asarray(colors, float)[:, ::-1] / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def cielab(rgb):
    """Give L*, a*, b* (D65) of linear red, green, blue."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    ratio = rgb @ to_xyz.T / (0.95047, 1.0, 1.08883)
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def smallest_distance(colors, matrix):
    lab = cielab(np.clip(linear(colors) @ matrix.T, 0, 1))
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    return apart[np.triu_indices(len(colors), 1)].min()


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(("count", "least"), [(12, 16), (24, 14), (80, 7)])
def test_class_colours_can_be_told_apart(vision, count, least):
    # A difference of 2.3 is just noticeable.
    assert smallest_distance(PALETTE[:count], VISION[vision]) > least


def test_class_colours_are_stable_and_never_run_out():
    assert class_color(0) == (0, 0x9F, 0xE6)
    assert class_color(81) == class_color(1)
    assert len(set(PALETTE)) == 80


def test_text_can_be_read_on_every_colour():
    def luminance(color):
        return float(linear([color])[0] @ (0.2126, 0.7152, 0.0722))

    for ground in PALETTE:
        light, dark = sorted((luminance(ground), luminance(text_color(ground))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2, level AA


def shown(image, boxes, class_ids=None, scores=None, names=("person",), status=None, **options):
    count = len(boxes)
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.93, np.float32) if scores is None else np.array(scores, np.float32),
        np.array(class_ids if class_ids is not None else [0] * count, np.int32),
    )
    return Overlay(names, **options).draw(Result(Frame(image), found, tuple(names)), status)


def grey(width=768, height=576):
    return np.full((height, width, 3), 128, np.uint8)


def test_the_frame_is_left_alone_and_the_picture_is_new():
    image = grey()
    image.flags.writeable = False
    overlay = Overlay(["person"])
    result = Result(Frame(image), Detections.empty(), ("person",))
    first, second = overlay.draw(result, Status("clip.avi", 30)), overlay.draw(result)
    assert first is not second
    assert (first != image).any()
    np.testing.assert_array_equal(second, image)
    assert second.flags.c_contiguous
    assert second.flags.writeable


def test_frames_with_strides_are_drawn():
    image = grey()[::-1, ::-1]
    np.testing.assert_array_equal(
        shown(image, [(50, 50, 90, 90)]), shown(grey(), [(50, 50, 90, 90)])
    )


def test_the_outline_lies_on_the_edges_of_the_box():
    out = shown(grey(), [(100, 200, 300, 400)], class_ids=[2], names="abc")
    color = class_color(2)
    for x, y in ((100, 300), (299, 300), (200, 200), (200, 399), (100, 399), (299, 200)):
        assert tuple(out[y, x]) == color
    assert (out[210:390, 110:290] == 128).all()
    assert (out[:170] == 128).all()
    # A shadow separates the line from any ground.
    assert tuple(out[300, 101]) == (64, 64, 64)


def test_the_surer_box_lies_on_top():
    boxes = [(100, 100, 300, 300), (100, 150, 300, 350)]
    out = shown(grey(), boxes, class_ids=[0, 1], names="ab")
    assert tuple(out[250, 100]) == class_color(0)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((200, 200, 400, 400), (180, 200), (200, 280)),  # above
        ((200, 2, 400, 400), (1, 22), (200, 280)),  # inside, at the top
        ((750, 200, 768, 400), (180, 200), (690, 768)),  # slid to the left
        ((-50, 200, 20, 400), (180, 200), (0, 80)),  # and to the right
    ],
)
def test_labels_stay_inside_the_picture(box, rows, columns):
    out = shown(grey(), [box])
    label = out[rows[0] : rows[1], columns[0] : columns[1]]
    ground = (label == class_color(0)).all(axis=2).mean()
    letters = (label.max(axis=2) < 60).mean()
    assert ground > 0.5
    assert letters > 0.05


def test_labels_of_neighbours_do_not_cover_each_other():
    boxes = [(300, 200, 500, 400), (305, 203, 480, 390), (310, 199, 505, 410)]
    out = shown(grey(), boxes, class_ids=[0, 1, 2], names=("one", "two", "three"))
    sprites = SpriteCache()
    style = Style.of((768, 576))
    for class_id, name in enumerate(("one", "two", "three")):
        ground = class_color(class_id)
        sprite = sprites.get(f"{name} 93 %", style.text_px, text_color(ground), ground)
        assert is_in(sprite, out)


def is_in(sprite, picture):
    """Whether the sprite stands somewhere in the picture, whole."""
    height, width = sprite.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(picture, (height, 3, 3))[:, :, 0]
    starts = np.argwhere((windows == sprite[:, 4:7]).all(axis=(2, 3, 4)))
    return any(
        np.array_equal(picture[y : y + height, x - 4 : x - 4 + width], sprite) for y, x in starts
    )


@given(
    st.tuples(st.integers(1, 900), st.integers(40, 900)),
    st.lists(
        st.tuples(*[st.integers(-50, 950)] * 2, st.integers(0, 300), st.integers(1, 1200)),
        max_size=30,
    ),
)
def test_places_are_inside_and_never_hide_more_than_a_quarter(size_px, labels):
    height = 20
    places = LabelPlaces(height, size_px)
    covered = 0
    for left, top, side, width in labels:
        corner = places.place((left, top, left + side, top + side), width)
        if corner is None:
            continue
        shown_width = min(width, size_px[0])
        covered += shown_width * height
        assert 0 <= corner[0] <= size_px[0] - shown_width
        assert 0 <= corner[1] <= size_px[1] - height
    assert covered <= size_px[0] * size_px[1] / 4


def test_the_status_strip_stands_in_the_upper_left_corner():
    out = shown(grey(), [], status=Status("clip.avi", 37.4))
    changed = np.argwhere((out != 128).any(axis=2))
    assert changed.min(axis=0).tolist() == [0, 0]
    assert changed.max(axis=0)[0] < 25
    assert changed.max(axis=0)[1] < 250
    assert out[:25, :250].max() == 255
    assert tuple(out[0, 0]) == (32, 32, 32)  # the picture shines through


def test_the_status_is_short():
    assert Status("clip.avi", 37.4).text() == "37 FPS  ·  clip.avi"
    assert Status("clip.avi", 3.14).text() == "3.1 FPS  ·  clip.avi"
    assert Status("clip.avi").text() == "clip.avi"
    assert len(Status("x" * 500).text()) == 32


def test_a_label_below_the_status_strip_keeps_out_of_it():
    out = shown(grey(), [(5, 22, 200, 200)], status=Status("clip.avi", 30))
    strip_only = shown(grey(), [], status=Status("clip.avi", 30))
    np.testing.assert_array_equal(out[:18, :150], strip_only[:18, :150])


def test_sizes_grow_with_the_picture():
    sizes = [(64, 64), (320, 240), (768, 576), (1920, 1080), (3840, 2160)]
    styles = [Style.of(size) for size in sizes]
    assert [s.text_px for s in styles] == sorted(s.text_px for s in styles)
    assert len({s.text_px for s in styles}) >= 4
    assert [s.line_px for s in styles] == sorted(s.line_px for s in styles)
    assert styles[0].line_px == 1
    assert styles[-1].line_px >= 5


NUMBERS = st.one_of(
    st.floats(-2000, 2000, width=32),
    st.sampled_from([float("inf"), float("-inf"), float("nan"), 3e38, -3e38, 0.0]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=20),
    st.booleans(),
)
def test_any_box_in_any_picture_is_survived(size_px, boxes, strip):
    image = grey(*size_px)
    status = Status("clip.avi", 25.0) if strip else None
    out = shown(image, boxes, class_ids=range(len(boxes)), names=(), status=status)
    assert out.shape == image.shape
    assert (image == 128).all()


def test_boxes_outside_the_picture_are_not_drawn():
    boxes = [(-90, 10, -20, 90), (800, 10, 900, 90), (10, -90, 90, -9), (10, 600, 90, 700)]
    np.testing.assert_array_equal(shown(grey(), boxes), grey())


def test_a_box_without_area_is_still_seen():
    out = shown(grey(), [(300, 300, 300, 300)])
    assert (out[299:301, 299:301] == class_color(0)).all()


def test_a_thousand_objects_leave_the_picture_visible():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 550, (1000, 2))
    boxes = np.concatenate([corners, corners + 12], axis=1)
    out = shown(grey(), boxes, scores=np.linspace(1, 0.1, 1000))
    assert (out == 128).all(axis=2).mean() > 0.2


@pytest.mark.parametrize(
    "name",
    ["人", "Käse", "a\nb\tc", "\udcff", "", "x" * 500, "مرحبا", "\u202e", "\x00", "👩‍👩‍👧"],
)
def test_any_class_name_is_survived(name):
    out = shown(grey(), [(100, 100, 200, 200)], names=(name,))
    assert (out[80:100, 100:130] != 128).any()


def test_classes_without_a_name_show_their_number():
    named = shown(grey(), [(100, 100, 200, 200)], class_ids=[7], names=[str(i) for i in range(8)])
    np.testing.assert_array_equal(
        shown(grey(), [(100, 100, 200, 200)], class_ids=[7], names=()), named
    )


def test_a_font_of_the_user_is_used():
    pygame = pytest.importorskip("pygame")
    font = Path(pygame.__file__).parent / "freesansbold.ttf"
    own = shown(grey(), [(100, 100, 200, 200)], font=font)
    assert (own != shown(grey(), [(100, 100, 200, 200)])).any()


def test_a_file_that_is_no_font_is_one_clear_error(tmp_path):
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    for path in (tmp_path / "bad.ttf", tmp_path / "missing.ttf", tmp_path):
        with pytest.raises(ConfigError, match="cannot use the font"):
            Overlay(["a"], font=path)


def test_rendered_text_is_kept_but_not_for_ever():
    sprites = SpriteCache()
    first = sprites.get("person 93 %", 200, (0, 0, 0), (9, 9, 9))
    assert sprites.get("person 93 %", 200, (0, 0, 0), (9, 9, 9)) is first
    assert first.shape[0] == sprite_height(200)
    for number in range(60):
        sprites.get(f"person {number} %", 200, (0, 0, 0), (9, 9, 9))
    assert sum(sprite.nbytes for sprite in sprites._sprites.values()) <= 16 << 20
    assert sprites.get("person 93 %", 200, (0, 0, 0), (9, 9, 9)) is not first
