"""letterbox: right against the float64 definition, and the same bits from every kernel."""

from __future__ import annotations

import definitions
import definitions_families
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native
from edgeseg.types import Letterbox

LEVELS = ["core", *_native.simd_levels()]
SIZES = [(1, 1), (1, 7), (7, 1), (9, 5), (2, 2), (3, 640), (480, 640), (131, 77), (1080, 1920)]
"""(height, width)"""


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def run(image, size=(96, 64), *, region=None, **options) -> np.ndarray:
    out = np.full((3, size[1], size[0]), np.nan, np.float32)
    fit = Letterbox.fit((image.shape[1], image.shape[0]), size)
    _native.letterbox(image, out, region or fit.region_net, **options)
    return out


def expect(image, size=(96, 64), *, region=None, pad=127.5) -> np.ndarray:
    fit = Letterbox.fit((image.shape[1], image.shape[0]), size)
    return definitions.letterbox(image, size, region or fit.region_net, pad)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a.view(np.uint32), b.view(np.uint32))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("hw", SIZES)
@pytest.mark.parametrize("size", [(96, 64), (33, 127), (1, 1)])
def test_letterbox_follows_the_definition(hw, size, level):
    image = picture(*hw)
    np.testing.assert_allclose(run(image, size, simd=level), expect(image, size), rtol=0, atol=5e-7)


@pytest.mark.parametrize("level", _native.simd_levels())
@settings(max_examples=60, deadline=None)
@given(
    hw=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    inner=st.tuples(st.integers(1, 80), st.integers(1, 50)),
    offset=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_every_kernel_gives_the_bits_of_the_definition_in_core(level, hw, inner, offset):
    image = picture(*hw, seed=sum(hw))
    region = (*offset, *inner)
    size = (inner[0] + offset[0] + 3, inner[1] + offset[1] + 2)
    assert same_bits(
        run(image, size, region=region, simd=level), run(image, size, region=region, simd="core")
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("hw", SIZES)
@pytest.mark.parametrize("size", [(96, 64), (33, 127), (1, 1)])
def test_centres_on_centres_follow_their_definition(hw, size, level):
    image = picture(*hw)
    region = Letterbox.fit((hw[1], hw[0]), size).region_net
    expected = definitions_families.centred_letterbox(image, size, region, 114)
    got = run(image, size, pad=114, sampling="centres", simd=level)
    np.testing.assert_allclose(got, expected, rtol=0, atol=5e-7)
    assert same_bits(got, run(image, size, pad=114, sampling="centres", simd="core"))


def test_centres_on_centres_are_exact_at_the_largest_sizes():
    image = picture(1, 65535)
    region = (0, 0, 16383, 1)
    got = run(image, (16383, 1), region=region, sampling="centres")
    places = (np.arange(16383) + 0.5) * 65535 / 16383 - 0.5
    red = np.interp(places, np.arange(65535), image[0, :, 2]) / 255
    np.testing.assert_allclose(got[0, 0], red, rtol=0, atol=5e-7)


def test_centres_on_centres_are_opencvs():
    cv2 = pytest.importorskip("cv2")
    image = picture(123, 207)
    got = run(image, (64, 48), region=(0, 0, 64, 48), sampling="centres")
    expected = cv2.resize(image.astype(np.float32), (64, 48), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(got * 255, expected[:, :, ::-1].transpose(2, 0, 1), atol=1e-3)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda image: image[5:40, 7:50], id="crop"),
        pytest.param(lambda image: image[::-1], id="flipped vertically"),
        pytest.param(lambda image: image[:, ::-1], id="flipped horizontally"),
        pytest.param(lambda image: image[:, :, ::-1], id="channels swapped"),
        pytest.param(lambda image: image[::3, ::2], id="every other pixel"),
        pytest.param(lambda image: image.transpose(1, 0, 2), id="transposed"),
        pytest.param(np.asfortranarray, id="planar"),
        pytest.param(lambda image: np.dstack([image, image[:, :, 0]])[:, :, :3], id="of BGRA"),
        pytest.param(lambda image: np.broadcast_to(image[:1], image.shape), id="broadcast"),
    ],
)
def test_letterbox_reads_any_strides_in_place(view, level):
    image = view(picture(61, 83))
    image.flags.writeable = False
    assert same_bits(run(image, simd=level), run(np.ascontiguousarray(image), simd="core"))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("width", range(1, 30))
def test_letterbox_reads_no_byte_outside_a_row(level, width):
    """Each row ends where the memory ends; the sanitizer build would see a read past it."""
    memory = np.zeros(3 * width, np.uint8)
    row = np.random.default_rng(width).integers(0, 256, 3 * width, dtype=np.uint8)
    memory[:] = row
    image = memory.reshape(1, width, 3)
    np.testing.assert_allclose(
        run(image, (40, 8), region=(0, 0, 40, 8), simd=level),
        expect(image, (40, 8), region=(0, 0, 40, 8)),
        rtol=0,
        atol=5e-7,
    )


def test_stretch_fills_the_whole_input():
    image = picture(30, 90)
    whole = (0, 0, 64, 64)
    assert Letterbox.fit((90, 30), (64, 64), "stretch").region_net == whole
    expected = expect(image, (64, 64), region=whole, pad=0)
    np.testing.assert_allclose(run(image, (64, 64), region=whole), expected, rtol=0, atol=5e-7)


def test_default_padding_is_darknets_grey_exactly():
    out = run(picture(10, 90), (64, 64))
    assert (out[:, :20] == 0.5).all()
    assert (out[:, -20:] == 0.5).all()


def test_padding_has_the_value_asked_for_on_all_four_sides():
    out = run(picture(9, 9), (20, 20), region=(3, 4, 5, 6), pad=51)
    mask = np.ones((20, 20), bool)
    mask[4:10, 3:8] = False
    assert (out[:, mask] == np.float32(51) / np.float32(255)).all()


def test_fill_false_leaves_the_padding_alone():
    out = np.full((3, 20, 20), 7, np.float32)
    _native.letterbox(picture(9, 9), out, (3, 4, 5, 6), fill=False)
    mask = np.ones((20, 20), bool)
    mask[4:10, 3:8] = False
    assert (out[:, mask] == 7).all()
    assert (out[:, 4:10, 3:8] <= 1).all()


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("side", [1, 31, 416])
def test_a_plain_picture_stays_plain_and_within_0_and_1(value, side):
    image = np.full((50, 77, 3), value, np.uint8)
    out = run(image, (side, side), region=(0, 0, side, side))
    assert out.min() == out.max()
    assert 0 <= out.min() <= out.max() <= 1
    assert out.max() == pytest.approx(value / 255, abs=1e-7)


def test_same_size_copies_the_pixels():
    image = picture(33, 41)
    out = run(image, (41, 33))
    expected = image[:, :, ::-1].transpose(2, 0, 1).astype(np.float64) / 255
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-7)


def test_output_may_be_a_part_of_a_larger_tensor():
    image = picture(20, 30)
    batch = np.zeros((2, 3, 40, 60), np.float32)
    _native.letterbox(image, batch[1, :, 4:28, 10:46], (0, 0, 36, 24))
    assert same_bits(batch[1, :, 4:28, 10:46].copy(), run(image, (36, 24), region=(0, 0, 36, 24)))
    assert not batch[0].any()
    assert not batch[1, :, :4].any()
    assert not batch[1, :, :, 46:].any()


def test_the_corners_of_the_picture_are_the_corners_of_the_region():
    image = picture(480, 640)
    got = run(image, (416, 416), region=(0, 52, 416, 312)) * 255
    for out, source in (((52, 0), (0, 0)), ((52, 415), (0, 639)), ((363, 415), (479, 639))):
        np.testing.assert_allclose(got[(slice(None), *out)], image[source][::-1], atol=1e-4)


def test_real_pictures_follow_the_definition(data_dir):
    cv2 = pytest.importorskip("cv2")
    for path in sorted((data_dir / "images").glob("*.jpg"))[:3]:
        image = cv2.imread(str(path))
        got, expected = run(image, (416, 416)), expect(image, (416, 416))
        np.testing.assert_allclose(got, expected, rtol=0, atol=5e-7)
