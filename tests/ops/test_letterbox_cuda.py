"""letterbox on CUDA: the same bits as the CPU's, for every layout it takes."""

from __future__ import annotations

import definitions
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg import _native
from edgeseg.types import Letterbox

every_device = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ORDERS = {"bgr": [0, 1, 2], "rgb": [2, 1, 0], "bgra": [0, 1, 2, 0], "rgba": [2, 1, 0, 0]}
"""The channel of a BGR picture at each byte of a pixel."""
SIZES = [(1, 1), (1, 7), (7, 1), (9, 5), (2, 2), (3, 640), (120, 160), (131, 77), (30, 4000)]
"""(height, width); the last is too wide for a block's shared memory at once."""


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def region_of(image: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    return Letterbox.fit((image.shape[1], image.shape[0]), size).region_net


def twin(image, size, region=None, pad=127.5) -> np.ndarray:
    out = np.full((3, size[1], size[0]), np.nan, np.float32)
    _native.letterbox(image, out, region or region_of(image, size), pad=pad)
    return out


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("hw", SIZES)
@pytest.mark.parametrize("size", [(96, 64), (8, 1), (608, 16), (1032, 8)])
def test_letterbox_gives_the_bits_of_the_cpu(ops, hw, size):
    image = picture(*hw)
    (found,) = ops.letterbox([image], size, [region_of(image, size)])
    assert same_bits(found, twin(image, size))


def test_letterbox_follows_the_definition(ops):
    image, size = picture(50, 77), (96, 64)
    (found,) = ops.letterbox([image], size, [region_of(image, size)])
    expected = definitions.letterbox(image, size, region_of(image, size))
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7)


@every_device
@given(
    hw=st.tuples(st.integers(1, 60), st.integers(1, 90)),
    corner=st.tuples(st.integers(0, 40), st.integers(0, 20)),
    inner=st.tuples(st.integers(1, 40), st.integers(1, 20)),
    pad=st.integers(0, 255),
    seed=st.integers(0, 100),
)
def test_any_region_gets_the_bits_of_the_cpu(ops, hw, corner, inner, pad, seed):
    image, region = picture(*hw, seed), (*corner, *inner)
    (found,) = ops.letterbox([image], (80, 40), [region], pad=pad)
    assert same_bits(found, twin(image, (80, 40), region, pad))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("pitch", [0, 1, 13, 64])
@pytest.mark.parametrize("shift", [0, 1, 15])
def test_layout_pitch_and_alignment_of_the_source_do_not_matter(ops, order, pitch, shift):
    image, size = picture(37, 53), (64, 48)
    given_as = np.ascontiguousarray(image[:, :, ORDERS[order]])
    (found,) = ops.letterbox(
        [given_as], size, [region_of(image, size)], format=order, pitch=pitch, shift=shift
    )
    assert same_bits(found, twin(image, size))


@pytest.mark.parametrize("order", ["bgr", "rgba"])
def test_a_row_too_long_for_shared_memory_is_read_in_place(ops, order):
    image, size, region = picture(3, 30_000), (128, 8), (3, 1, 5, 6)
    given_as = np.ascontiguousarray(image[:, :, ORDERS[order]])
    (found,) = ops.letterbox([given_as], size, [region], format=order)
    assert same_bits(found, twin(image, size, region))


@pytest.mark.parametrize("size", [(96, 64), (608, 32), (1040, 8)])
@pytest.mark.parametrize("order", ["bgr", "rgba"])
def test_float16_is_the_float32_rounded_to_nearest(ops, size, order):
    image = picture(61, 83)
    given_as = np.ascontiguousarray(image[:, :, ORDERS[order]])
    (found,) = ops.letterbox(
        [given_as], size, [region_of(image, size)], format=order, dtype="float16"
    )
    assert same_bits(found, twin(image, size).astype(np.float16))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("pitch", [0, 6])
def test_nv12_is_converted_as_opencv_does_and_then_resized(ops, dtype, pitch):
    cv2 = pytest.importorskip("cv2")
    planes = np.random.default_rng(1).integers(0, 256, (66, 52), dtype=np.uint8)
    image, size = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_NV12), (64, 48)
    region = region_of(image, size)
    (found,) = ops.letterbox([planes], size, [region], format="nv12", dtype=dtype, pitch=pitch)
    assert same_bits(found, twin(image, size).astype(dtype))


def test_each_picture_of_a_batch_has_its_own_size_and_region(ops):
    size, images = (96, 64), [picture(5 + 9 * i, 90 - 7 * i, i) for i in range(8)]
    found = ops.letterbox(images, size, [region_of(image, size) for image in images])
    for got, image in zip(found, images, strict=True):
        assert same_bits(got, twin(image, size))


def test_letterbox_can_be_captured_in_a_graph(ops, monkeypatch):
    monkeypatch.setattr(ops, "graph", True)
    image, size = picture(50, 77), (96, 64)
    (found,) = ops.letterbox([image], size, [region_of(image, size)])
    assert same_bits(found, twin(image, size))
