"""crop_resize on CUDA: the same bits as the CPU's, for every layout it takes."""

from __future__ import annotations

import definitions_masks as definitions
import numpy as np
import pytest
from device_mask_ops import crop_resize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg import _native

every_device = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ORDERS = {"bgr": [0, 1, 2], "rgb": [2, 1, 0], "bgra": [0, 1, 2, 0], "rgba": [2, 1, 0, 0]}
"""The channel of a BGR picture at each byte of a pixel."""
BOXES = np.array(
    [
        (10, 10, 60, 70),
        (30.3, 20.2, 38.1, 29.9),
        (-5, -9, 130, 100),
        (8, 4, 32, 20),
        (40.25, 30.75, 40.25, 30.75),
        (-100, -100, -50, -50),
        (np.nan, 0, 9, 9),
        (9, 0, 0, 9),
        (-1e30, 0, 1e30, 5),
        (-3e38, -3e38, 3e38, 3e38),
        (0, 0, np.inf, 9),
    ],
    np.float32,
)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def twin(image, boxes, size, pad=114.0) -> np.ndarray:
    out = np.full((len(boxes), 3, size[1], size[0]), np.nan, np.float32)
    _native.crop_resize(image, np.asarray(boxes, np.float32), out, pad=pad)
    return out


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("size", [(24, 16), (1, 1), (33, 65), (64, 3)])
def test_crop_resize_gives_the_bits_of_the_cpu(ops, size):
    image = picture(90, 120)
    assert same_bits(crop_resize(ops, image, BOXES, size), twin(image, BOXES, size))


def test_crop_resize_follows_the_definition(ops):
    image = picture(50, 77)
    found = crop_resize(ops, image, BOXES[:3], (20, 30))
    for box, crop in zip(BOXES[:3], found, strict=True):
        expected = definitions.crop_resize(image, box, (30, 20))
        np.testing.assert_allclose(crop, expected, rtol=0, atol=5e-7)


@every_device
@given(
    hw=st.tuples(st.integers(1, 60), st.integers(1, 90)),
    corner=st.tuples(*[st.floats(-40, 90, width=32)] * 2),
    extent=st.tuples(*[st.floats(0, 200, width=32)] * 2),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    pad=st.integers(0, 255),
)
def test_any_box_gets_the_bits_of_the_cpu(ops, hw, corner, extent, size, pad):
    image = picture(*hw, seed=sum(hw))
    boxes = np.array([[*corner, corner[0] + extent[0], corner[1] + extent[1]]], np.float32)
    found = crop_resize(ops, image, boxes, size, pad=pad)
    assert same_bits(found, twin(image, boxes, size, pad))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("more", "shift"), [(0, 0), (1, 15), (13, 1), (64, 0)])
def test_layout_pitch_and_alignment_of_the_source_do_not_matter(ops, order, more, shift):
    image = picture(37, 53)
    given_as = np.ascontiguousarray(image[:, :, ORDERS[order]])
    found = crop_resize(ops, given_as, BOXES, (16, 12), format=order, more=more, shift=shift)
    assert same_bits(found, twin(image, BOXES, (16, 12)))


@pytest.mark.parametrize("order", ["bgr", "rgba"])
def test_float16_is_the_float32_rounded_to_nearest(ops, order):
    image = picture(61, 83)
    given_as = np.ascontiguousarray(image[:, :, ORDERS[order]])
    found = crop_resize(ops, given_as, BOXES, (34, 33), format=order, dtype="float16")
    assert same_bits(found, twin(image, BOXES, (34, 33)).astype(np.float16))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("more", [0, 6])
def test_nv12_is_converted_as_opencv_does_and_then_cropped(ops, dtype, more):
    cv2 = pytest.importorskip("cv2")
    planes = np.random.default_rng(1).integers(0, 256, (66, 52), dtype=np.uint8)
    image = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_NV12)
    found = crop_resize(ops, planes, BOXES, (20, 16), format="nv12", dtype=dtype, more=more)
    assert same_bits(found, twin(image, BOXES, (20, 16)).astype(dtype))


def test_no_box_is_no_work(ops):
    assert crop_resize(ops, picture(9, 9), np.zeros((0, 4), np.float32), (8, 8)).size == 0


def test_crop_resize_can_be_captured_in_a_graph(ops, monkeypatch):
    monkeypatch.setattr(ops, "graph", True)
    image = picture(50, 77)
    found = crop_resize(ops, image, BOXES, (24, 16))
    assert same_bits(found, twin(image, BOXES, (24, 16)))


WRONG = [
    ({"crop_px": (0, 8)}, "crop_px must be 1 to 16384, got 0 x 8"),
    ({"count": -1}, "count must be from 0 to 65535, got -1"),
    ({"count": 65536}, "count must be from 0 to 65535"),
    ({"boxes": 0}, "boxes must be device memory"),
    ({"boxes": 2}, "boxes must be device memory aligned"),
    ({"out": 0}, "out must be device memory"),
    ({"stream": 0}, "stream must be the handle"),
    ({"pad": -1}, "pad must be from 0 to 255"),
    ({"format": "grey"}, 'format must be "bgr"'),
    ({"dtype": "float64"}, 'dtype must be "float32" or "float16"'),
    ({"pitch": 26}, "picture must have a pitch of at least 27 bytes, got 26"),
    ({"pixels": 0}, "picture must have memory"),
    ({"format": "nv12"}, "picture is NV12 and must have a chroma plane"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_a_wrong_argument_is_refused_by_name(ops, wrong, message):
    memory = ops.room(4096)
    place = {"pixels": memory.pointer, "pitch": 27, **wrong}
    picture_ = ops.cuda.Picture(place["pixels"], (9, 8), place["pitch"])
    options = {
        "boxes": memory.pointer,
        "count": 1,
        "out": memory.pointer,
        "crop_px": (8, 8),
        "stream": ops.handle,
        **{name: value for name, value in wrong.items() if name not in {"pixels", "pitch"}},
    }
    with pytest.raises(ValueError, match=message):
        ops.cuda.crop_resize(picture_, **options)
