"""The CPU backend: frames in, detections out, as the pipeline uses it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import definitions
import numpy as np
import pytest

from edgeseg.backends import open_backend
from edgeseg.errors import DeviceError
from edgeseg.types import Frame, HeadSpec, Letterbox, Model

INPUT_PX = (128, 96)
SPECS = (
    HeadSpec("yolo", ((20.0, 30.0), (60.0, 40.0)), classes=5),
    HeadSpec("yolo", ((8.0, 9.0),), classes=5),
)
MODEL = Model("toy", Path("toy.onnx"), INPUT_PX, SPECS, tuple("abcde"))


def picture(width: int, height: int, seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    return Frame(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def raw_heads(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.normal(0, 2, (1, SPECS[0].channels, 3, 4)).astype(np.float32),
        rng.normal(0, 2, (1, SPECS[1].channels, 6, 8)).astype(np.float32),
    ]


def expected_detections(heads, fit, *, conf, iou, labels="multi", only=None):
    boxes, scores, class_ids = definitions.decode(heads, list(SPECS), INPUT_PX, conf, labels)
    if only is not None:
        wanted = np.isin(class_ids, only)
        boxes, scores, class_ids = boxes[wanted], scores[wanted], class_ids[wanted]
    keep = definitions.nms(boxes, scores, class_ids, iou)
    x, y, w, h = fit.region_net
    scale = np.array([w / fit.source_px[0], h / fit.source_px[1]] * 2)
    boxes_px = np.clip((boxes[keep] - [x, y, x, y]) / scale, 0, np.array(fit.source_px * 2))
    inside = (boxes_px[:, 0] < boxes_px[:, 2]) & (boxes_px[:, 1] < boxes_px[:, 3])
    return boxes_px[inside], scores[keep][inside], class_ids[keep][inside]


@pytest.mark.parametrize("labels", ["multi", "best"])
@pytest.mark.parametrize("size", [(640, 480), (100, 300), (128, 96), (3, 2)])
def test_detections_follow_the_definitions_in_source_pixels(labels, size):
    backend = open_backend("cpu", MODEL, conf=0.2, iou=0.45, labels=labels)
    fit = backend.preprocess(picture(*size)).letterboxes[0]
    heads = raw_heads()
    got = backend.detect(heads, fit)
    boxes, scores, class_ids = expected_detections(heads, fit, conf=0.2, iou=0.45, labels=labels)
    assert len(got) == len(scores) > 5
    np.testing.assert_allclose(got.scores, scores, rtol=2e-6)
    np.testing.assert_array_equal(got.class_ids, class_ids)
    np.testing.assert_allclose(got.boxes_px, boxes, rtol=1e-5, atol=1e-3)
    assert (np.diff(got.scores) <= 0).all()


def test_class_filter_keeps_only_these_classes():
    backend = open_backend("cpu", MODEL, conf=0.2, class_ids=[3, 1])
    fit = Letterbox.fit((640, 480), INPUT_PX)
    got = backend.detect(raw_heads(), fit)
    _, _, class_ids = expected_detections(raw_heads(), fit, conf=0.2, iou=0.45, only=[1, 3])
    np.testing.assert_array_equal(got.class_ids, class_ids)
    assert set(got.class_ids) == {1, 3}
    assert len(open_backend("cpu", MODEL, class_ids=[]).detect(raw_heads(), fit)) == 0


@pytest.mark.parametrize("nms", ["greedy", "diou", "soft"])
@pytest.mark.parametrize("agnostic", [False, True])
def test_every_kind_of_nms_gives_detections_above_conf_best_first(nms, agnostic):
    backend = open_backend("cpu", MODEL, conf=0.2, nms=nms, agnostic=agnostic, max_detections=20)
    got = backend.detect(raw_heads(), Letterbox.fit((640, 480), INPUT_PX))
    assert 0 < len(got) <= 20
    assert (got.scores >= 0.2).all()
    assert (np.diff(got.scores) <= 0).all()


def test_agnostic_keeps_fewer():
    fit = Letterbox.fit((640, 480), INPUT_PX)
    counts = [
        len(open_backend("cpu", MODEL, conf=0.2, agnostic=a).detect(raw_heads(), fit))
        for a in (False, True)
    ]
    assert counts[1] < counts[0]


def test_boxes_in_the_padding_are_left_out_and_others_clipped():
    """A 16:1 picture lies in rows 44 to 52 of the input: cells above see only padding."""
    fit = Letterbox.fit((1600, 100), INPUT_PX)
    heads = [np.full_like(head, -20) for head in raw_heads()]
    cells = heads[1].reshape(10, 6, 8)
    cells[:, 0, 0] = [0, 0, 0, 0, 9, 9, -9, -9, -9, -9]
    cells[:, 2, 3] = [0, 2, 3, 3, 9, 9, -9, -9, -9, -9]
    got = open_backend("cpu", MODEL).detect(heads, fit)
    assert len(got) == 1
    left, top, right, bottom = got.boxes_px[0]
    assert 0 <= left < right <= 1600
    assert (top, bottom) == (0, 100)


def test_nothing_seen_gives_no_detections():
    heads = [np.full_like(head, -20) for head in raw_heads()]
    got = open_backend("cpu", MODEL).detect(heads, Letterbox.fit((64, 64), INPUT_PX))
    assert len(got) == 0
    assert got.boxes_px.shape == (0, 4)


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_preprocess_follows_frames_that_change_their_size(fit):
    backend = open_backend("cpu", replace(MODEL, fit=fit))
    for i, size in enumerate([(640, 480), (640, 480), (100, 300), (500, 30), (1, 1), (640, 480)]):
        frame = picture(*size, seed=i)
        batch = backend.preprocess(frame)
        placed = Letterbox.fit(size, INPUT_PX, fit)
        assert batch.letterboxes == (placed,)
        assert batch.tensor.shape == (1, 3, 96, 128)
        expected = definitions.letterbox(frame.image, INPUT_PX, placed.region_net)
        np.testing.assert_allclose(batch.tensor[0], expected, rtol=0, atol=5e-7)


def test_preprocess_uses_one_tensor_for_all_frames():
    backend = open_backend("cpu", MODEL)
    first = backend.preprocess(picture(64, 48)).tensor
    assert np.shares_memory(first, backend.preprocess(picture(48, 64)).tensor)


def test_boxes_come_back_where_they_were_in_the_source():
    """Round trip: a box in source pixels, put into a head, comes out the same."""
    fit = Letterbox.fit((777, 333), INPUT_PX)
    x, y, w, h = fit.region_net
    centre = np.array([fit.source_px[0] * 0.4, fit.source_px[1] * 0.6])
    net = centre * [w / 777, h / 333] + [x, y]
    head = np.full((10, 6, 8), -20, np.float32)
    column, row = (net // 16).astype(int)
    inside = net / 16 - (column, row)
    head[:2, row, column] = np.log(inside / (1 - inside))
    head[2:6, row, column] = [0, 0, 9, 9]
    heads = [np.full_like(raw_heads()[0], -20), head]
    got = open_backend("cpu", MODEL).detect(heads, fit)
    half = np.array([8 / 2 * 777 / w, 9 / 2 * 333 / h])
    np.testing.assert_allclose(got.boxes_px, [[*(centre - half), *(centre + half)]], rtol=1e-4)


def test_auto_is_a_backend_that_works_here():
    backend = open_backend("auto", MODEL)
    assert backend.name in {"cpu", "cuda"}
    assert backend.preprocess(picture(10, 10)).tensor.shape == (1, 3, 96, 128)
    backend.close()


def test_cuda_that_cannot_be_had_is_a_device_error_with_a_hint():
    from edgeseg import _native

    if _native.device_count():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceError, match="CUDA") as caught:
        open_backend("cuda", MODEL)
    assert "--backend cpu" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "tpu"}, "a backend is one of auto, cpu, cuda, got 'tpu'"),
        ({"conf": 1.5}, "conf must be from 0 to 1, got 1.5"),
        ({"conf": float("nan")}, "conf must be from 0 to 1"),
        ({"iou": -1}, "iou must be from 0 to 1, got -1"),
        ({"labels": "all"}, "labels must be multi or best, got 'all'"),
        ({"nms": "fast"}, "nms must be greedy, diou or soft, got 'fast'"),
        ({"max_detections": 0}, "max_detections must be 1 or more, got 0"),
        ({"class_ids": [2, 5]}, "class_ids must be from 0 to 4, got 5"),
        ({"class_ids": [-1]}, "class_ids must be from 0 to 4, got -1"),
    ],
)
def test_a_wrong_option_is_refused_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        open_backend(**{"name": "cpu", "model": MODEL, **wrong})


def test_heads_of_another_model_are_refused():
    fit = Letterbox.fit((64, 64), INPUT_PX)
    with pytest.raises(ValueError, match=r"heads\[0\] must have 20 channels"):
        open_backend("cpu", MODEL).detect(raw_heads()[::-1], fit)
