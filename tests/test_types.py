"""Promises of edgeseg.types."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.types import Detections, Frame, Letterbox, Result

edges = st.integers(1, 5000)
net_edges = st.integers(32, 1280)


@given(edges, edges, net_edges, net_edges)
def test_a_letterbox_fits_inside_the_input_and_touches_two_sides(
    width: int, height: int, net_w: int, net_h: int
) -> None:
    x, y, w, h = Letterbox.fit((width, height), (net_w, net_h)).region_net
    assert x >= 0
    assert y >= 0
    assert x + w <= net_w
    assert y + h <= net_h
    assert w == net_w or h == net_h
    assert abs(net_w - w - 2 * x) <= 1, "centred"
    assert abs(net_h - h - 2 * y) <= 1


def test_a_letterbox_lies_where_darknet_puts_it() -> None:
    # letterbox_image of image.c for dog.jpg: 416 wide, 576 * 416 / 768 = 312 high, 52 above.
    assert Letterbox.fit((768, 576), (416, 416)).region_net == (0, 52, 416, 312)
    assert Letterbox.fit((576, 768), (416, 416)).region_net == (52, 0, 312, 416)


@given(edges, edges, net_edges, net_edges, st.sampled_from(["letterbox", "stretch"]))
def test_the_whole_region_is_the_whole_picture(
    width: int, height: int, net_w: int, net_h: int, mode: str
) -> None:
    fit = Letterbox.fit((width, height), (net_w, net_h), mode)  # type: ignore[arg-type]
    x, y, w, h = fit.region_net
    box = fit.to_source(np.array([[x, y, x + w, y + h]], np.float32))
    np.testing.assert_allclose(box, [[0, 0, width, height]], atol=1e-3 * max(width, height))


def test_boxes_are_clipped_to_the_picture_not_dropped() -> None:
    fit = Letterbox.fit((100, 50), (200, 200))
    boxes = fit.to_source(np.array([[-40, 40, 60, 120]], np.float32))
    np.testing.assert_array_equal(boxes, [[0, 0, 30, 35]])


def test_wrong_arrays_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="uint8"):
        Frame(np.zeros((4, 4, 3), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="boxes_px"):
        Detections(np.zeros((2, 3), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="2 boxes"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(1, np.float32), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="sizes"):
        Letterbox.fit((0, 5), (416, 416))


def result() -> Result:
    detections = Detections(
        np.array([[1.25, 2, 30, 40]], np.float32),
        np.array([0.5], np.float32),
        np.array([7], np.int32),
    )
    frame = Frame(np.zeros((48, 64, 3), np.uint8), index=3, time_s=0.12, path="a/b.jpg")
    return Result(frame, detections, ("person",))


def test_a_result_becomes_the_documented_json() -> None:
    assert json.loads(json.dumps(result().to_dict())) == {
        "frame": 3,
        "time_s": 0.12,
        "width": 64,
        "height": 48,
        "objects": [{"class_id": 7, "class": "7", "score": 0.5, "box": [1.25, 2.0, 30.0, 40.0]}],
        "path": "a/b.jpg",
    }


def test_a_result_becomes_supervision_detections() -> None:
    pytest.importorskip("supervision")
    detections = result().to_supervision()
    np.testing.assert_array_equal(detections.xyxy, [[1.25, 2, 30, 40]])
    assert detections.class_id.tolist() == [7]
    assert detections.data["class_name"].tolist() == ["7"]
