"""crop_resize: right against the float64 definition, wherever the box lies."""

from __future__ import annotations

import definitions_masks as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native

GREY = np.float32(114) / np.float32(255)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def run(image, boxes, size=(16, 24), **options) -> np.ndarray:
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    out = np.full((len(boxes), 3, *size), np.nan, np.float32)
    _native.crop_resize(image, boxes, out, **options)
    return out


BOXES = [
    pytest.param((10, 10, 60, 70), id="shrinks"),
    pytest.param((30.3, 20.2, 38.1, 29.9), id="grows"),
    pytest.param((5, 5, 105, 9), id="shrinks across, grows down"),
    pytest.param((8, 4, 32, 20), id="keeps its size"),
    pytest.param((0, 0, 120, 90), id="the whole picture"),
    pytest.param((-5, -9, 130, 100), id="reaches out on all sides"),
    pytest.param((115.5, -3, 123, 4), id="at a corner"),
    pytest.param((-100, -100, -50, -50), id="outside"),
    pytest.param((40.25, 30.75, 40.25, 30.75), id="a point"),
    pytest.param((7.4, 3, 7.4, 80), id="a line"),
    pytest.param((-1e30, 0, 1e30, 5), id="far too wide"),
    pytest.param((-3e38, -3e38, 3e38, 3e38), id="as large as numbers go"),
]


@pytest.mark.parametrize("size", [(16, 24), (128, 128), (1, 1), (1, 50)])
@pytest.mark.parametrize("box", BOXES)
def test_crop_resize_follows_the_definition(box, size):
    image = picture(90, 120)
    (found,) = run(image, [box], size)
    expected = definitions.crop_resize(image, np.array(box, np.float32), size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7)


@settings(max_examples=60, deadline=None)
@given(
    hw=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    corner=st.tuples(*[st.floats(-20, 40, width=32)] * 2),
    extent=st.tuples(*[st.floats(0, 50, width=32)] * 2),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    pad=st.integers(0, 255),
)
def test_any_box_follows_the_definition(hw, corner, extent, size, pad):
    image = picture(*hw, seed=sum(hw))
    box = np.array([*corner, corner[0] + extent[0], corner[1] + extent[1]], np.float32)
    (found,) = run(image, [box], size, pad=pad)
    expected = definitions.crop_resize(image, box, size, pad)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "box",
    [
        (np.nan, 0, 9, 9),
        (0, np.nan, 9, 9),
        (0, 0, np.inf, 9),
        (-np.inf, 0, 9, 9),
        (9, 0, 0, 9),
        (0, 9, 9, 0),
    ],
)
def test_a_box_that_is_none_gives_padding(box):
    assert (run(picture(20, 20), [box]) == GREY).all()
    assert (run(picture(20, 20), [box], pad=0) == 0).all()


def test_the_same_size_copies_the_pixels():
    image = picture(50, 60)
    (found,) = run(image, [(8, 4, 32, 20)], (16, 24))
    expected = image[4:20, 8:32, ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(found, expected)


def test_nothing_jumps_where_shrinking_turns_into_growing():
    image = picture(60, 60)
    around = [run(image, [(8, 8, 8 + side, 8 + side)], (16, 16)) for side in (15.999, 16, 16.001)]
    assert np.abs(around[0] - around[1]).max() < 4e-3
    assert np.abs(around[2] - around[1]).max() < 4e-3


@pytest.mark.parametrize("value", [0, 1, 127, 255])
@pytest.mark.parametrize("box", [(3, 3, 90, 70), (3.3, 3.7, 9.1, 8.2), (1, 2, 1, 2)])
def test_a_plain_picture_stays_plain_and_within_0_and_1(value, box):
    found = run(np.full((90, 120, 3), value, np.uint8), [box])
    assert 0 <= found.min() <= found.max() <= 1
    np.testing.assert_allclose(found, value / 255, rtol=0, atol=3e-7)


def test_a_reduction_of_more_rows_than_two_bytes_sum_up_is_exact():
    image = np.full((700, 3, 3), 255, np.uint8)
    image[::2] = 0
    (found,) = run(image, [(0, 0, 3, 700)], (1, 1))
    np.testing.assert_allclose(found, 0.5, rtol=0, atol=1e-6)


@pytest.mark.parametrize("box", [(3, 2, 70, 50), (3.3, 3.7, 9.1, 8.2)])
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda image: image[5:55, 7:80], id="crop"),
        pytest.param(lambda image: image[::-1], id="flipped vertically"),
        pytest.param(lambda image: image[:, ::-1], id="flipped horizontally"),
        pytest.param(lambda image: image[:, :, ::-1], id="channels swapped"),
        pytest.param(lambda image: image[::3, ::2], id="every other pixel"),
        pytest.param(np.asfortranarray, id="planar"),
        pytest.param(lambda image: np.dstack([image, image[:, :, 0]])[:, :, :3], id="of BGRA"),
        pytest.param(lambda image: np.broadcast_to(image[:1], image.shape), id="broadcast"),
    ],
)
def test_any_strides_are_read_in_place(view, box):
    image = view(picture(61, 83))
    image.flags.writeable = False
    np.testing.assert_array_equal(run(image, [box]), run(np.ascontiguousarray(image), [box]))


def test_each_box_gets_its_own_crop_and_none_gets_none():
    image = picture(60, 80)
    boxes = [(0, 0, 9, 9), (np.nan, 0, 0, 0), (10, 5, 70, 50), (3, 3, 3, 3)]
    together = run(image, boxes)
    for box, found in zip(boxes, together, strict=True):
        np.testing.assert_array_equal(run(image, [box])[0], found)
    assert run(image, []).shape == (0, 3, 16, 24)


def test_boxes_and_output_may_be_parts_of_larger_arrays():
    image = picture(60, 80)
    table = np.zeros((3, 6), np.float64).astype(np.float32)
    table[:, 1:5] = [(0, 0, 9, 9), (1, 2, 30, 40), (10, 5, 70, 50)]
    batch = np.zeros((4, 3, 20, 30), np.float32)
    _native.crop_resize(image, table[::2, 1:5], batch[1:3, :, 2:18, 3:27])
    np.testing.assert_array_equal(batch[1:3, :, 2:18, 3:27], run(image, table[::2, 1:5]))
    batch[1:3, :, 2:18, 3:27] = 0
    assert not batch.any()


def test_no_byte_outside_of_the_picture_is_read():
    """The picture ends where its memory ends; the sanitizer build would see a read past it."""
    for width in range(1, 12):
        image = picture(3, width, seed=width)
        box = (0, 0, width, 3)
        (found,) = run(image, [box], (5, 7))
        expected = definitions.crop_resize(image, np.array(box), (5, 7))
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7)


def test_real_pictures_follow_the_definition(data_dir):
    cv2 = pytest.importorskip("cv2")
    image = cv2.imread(str(data_dir / "images" / "dog.jpg"))
    box = np.array([101.7, 33.2, 488.1, 377.9], np.float32)
    (found,) = run(image, [box], (64, 64))
    expected = definitions.crop_resize(image, box, (64, 64))
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7)
