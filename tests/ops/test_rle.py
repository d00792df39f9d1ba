"""rle_encode and rle_decode: COCO's compressed run lengths, as pycocotools has them."""

from __future__ import annotations

import definitions_masks as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native

SIZES = [(1, 1), (1, 40), (40, 1), (33, 70), (480, 640)]


@st.composite
def masks(draw) -> np.ndarray:
    """Noise of any density, and blocks."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    mask = rng.random((height, width)) < draw(st.sampled_from([0, 0.02, 0.5, 0.98, 1]))
    top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
    mask[top : top + draw(st.integers(0, 30)), left : left + draw(st.integers(0, 50))] ^= True
    return mask


def reference(mask: np.ndarray) -> bytes:
    pycocotools = pytest.importorskip("pycocotools.mask")
    text: bytes = pycocotools.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return text


@settings(max_examples=200, deadline=None)
@given(masks())
def test_the_text_is_that_of_pycocotools_and_comes_back_as_the_mask(mask):
    text = _native.rle_encode(mask)
    assert text == reference(mask)
    found = _native.rle_decode(text, mask.shape)
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("density", [0, 0.001, 0.5, 1])
def test_large_and_long_masks_equal_pycocotools(size, density):
    mask = np.random.default_rng(1).random(size) < density
    assert _native.rle_encode(mask) == reference(mask)
    np.testing.assert_array_equal(_native.rle_decode(reference(mask), size), mask)


def test_the_runs_follow_the_definition():
    mask = np.random.default_rng(2).random((13, 9)) < 0.4
    runs = definitions.runs_of(mask)
    pycocotools = pytest.importorskip("pycocotools.mask")
    packed = pycocotools.frPyObjects({"counts": runs, "size": list(mask.shape)}, *mask.shape)
    assert _native.rle_encode(mask) == packed["counts"]


@settings(max_examples=60, deadline=None)
@given(masks(), st.tuples(*[st.integers(0, 20)] * 4))
def test_a_part_of_a_frame_is_as_if_the_frame_had_been_made(mask, around):
    left, top, right, bottom = around
    frame = np.pad(mask, ((top, bottom), (left, right)))
    assert _native.rle_encode(mask, size=frame.shape, corner=(left, top)) == reference(frame)


def test_an_empty_mask_is_one_run():
    for size in ((0, 0), (0, 5), (5, 0)):
        assert _native.rle_encode(np.zeros(size, bool)) == b"0"
        assert _native.rle_decode(b"0", size).shape == size
    assert _native.rle_encode(np.zeros((0, 0), bool), size=(3, 4)) == reference(
        np.zeros((3, 4), bool)
    )


def test_any_value_but_0_is_mask_and_any_strides_are_read():
    values = np.array([[0, 1, 2], [255, 0, 128]], np.uint8)
    assert _native.rle_encode(values) == _native.rle_encode(values != 0)
    big = np.random.default_rng(3).random((60, 80)) < 0.5
    for view in (big[5:40, 7:50], big[::-1, ::2], big.T, np.asfortranarray(big)):
        assert _native.rle_encode(view) == reference(view)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (b"", "sums up to 0 pixels"),
        (b"5", "sums up to 5 pixels"),
        (b"51", "sums up to 6 pixels"),
        (b"=0", "run of 13 pixels where 12 are left"),
        (b"O=", "run of -1 pixels"),
        (b"l", "ends inside of a number"),
        (b"3 9", "not COCO's at position 1"),
        (b"3p9", "not COCO's at position 1"),
        (b"3\xff9", "not COCO's at position 1"),
        (b"3\x009", "not COCO's at position 1"),
        (b"o" * 40 + b"0", "too large"),
        (b"oooooooooo7", "run of"),
    ],
)
def test_a_damaged_text_is_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        _native.rle_decode(counts, (3, 4))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30), st.integers(0, 9), st.integers(0, 9))
def test_any_text_gives_a_mask_or_a_clear_error(counts, height, width):
    try:
        found = _native.rle_decode(counts, (height, width))
    except ValueError as error:
        message = str(error)
    else:
        message = "counts"
        assert found.shape == (height, width)
    assert message.startswith("counts")


def test_a_damaged_text_costs_no_memory_whatever_size_it_claims():
    with pytest.raises(ValueError, match="sums up to 5 pixels"):
        _native.rle_decode(b"5", (65535, 65535))
