"""nms on CUDA: the boxes of the CPU, in the same order, whatever order they come in."""

from __future__ import annotations

import definitions
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg import _native
from edgeseg.types import Letterbox

kinds = pytest.mark.parametrize("kind", ["greedy", "diou"])
every_device = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def crowd(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 200, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 80, (count, 2))]).astype(np.float32)
    scores = np.round(rng.uniform(0, 1, count), 2).astype(np.float32)  # many ties
    return boxes, scores, rng.integers(0, classes, count, dtype=np.int32)


def best(candidates, limit: int) -> list[int]:
    boxes, scores, _ = candidates
    good = np.flatnonzero(definitions.may_be_kept(boxes, scores))
    return [int(good[i]) for i in definitions.strict_order(scores[good])][:limit]


def twin(candidates, iou=0.45, *, max_candidates=4096, **options) -> list[int]:
    """Indices that the CPU keeps among the best so many candidates."""
    stay = best(candidates, max_candidates)
    kept = _native.nms(*(array[stay] for array in candidates), iou, **options)
    return [stay[i] for i in kept]


def check(ops, candidates, iou=0.45, **options) -> int:
    found = ops.nms(*candidates, iou, **options)
    assert found["index"].tolist() == twin(candidates, iou, **options)
    boxes, scores, class_ids = (array[found["index"]] for array in candidates)
    np.testing.assert_array_equal(found["box"], boxes)
    np.testing.assert_array_equal(found["score"], scores)
    np.testing.assert_array_equal(found["class_id"], class_ids)
    return len(found)


@kinds
@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize(
    ("count", "classes"), [(1, 1), (63, 2), (64, 2), (65, 2), (128, 1), (700, 3), (1500, 80)]
)
def test_nms_keeps_the_boxes_of_the_cpu(ops, kind, agnostic, count, classes):
    candidates = crowd(count, classes)
    assert check(ops, candidates, kind=kind, agnostic=agnostic, max_detections=2000) > 0


@kinds
def test_nms_follows_the_definition(ops, kind):
    candidates = crowd(300, 3)
    expected = definitions.nms(*candidates, 0.45, kind=kind)
    assert ops.nms(*candidates, kind=kind)["index"].tolist() == expected


def test_4096_boxes_compete_at_once(ops):
    assert check(ops, crowd(4096, 20, 3), max_detections=4096) > 1000


@pytest.mark.parametrize(("count", "limit"), [(300, 1), (300, 100), (300, 299), (6000, 4096)])
def test_of_too_many_the_best_compete(ops, count, limit):
    check(ops, crowd(count, 5, count), max_candidates=limit, max_detections=4096)


@pytest.mark.parametrize("limit", [1, 2, 63, 64, 65, 150])
def test_max_detections_takes_the_best(ops, limit):
    assert check(ops, crowd(900, 9), max_detections=limit) == limit


corner = st.integers(0, 12)
any_boxes = st.lists(
    st.tuples(st.tuples(corner, corner, corner, corner), st.integers(0, 5), st.integers(-1, 1)),
    min_size=1,
    max_size=25,
)


@every_device
@given(boxes=any_boxes, iou=st.sampled_from([0.0, 0.3, 0.5, 1.0]), agnostic=st.booleans())
def test_any_boxes_are_kept_as_on_the_cpu(ops, boxes, iou, agnostic):
    """Small whole numbers make ties, overlaps at the limit, empty and inside-out boxes common."""
    candidates = (
        np.array([b for b, _, _ in boxes], np.float32),
        np.array([s / 5 for _, s, _ in boxes], np.float32),
        np.array([c for _, _, c in boxes], np.int32),
    )
    check(ops, candidates, iou, agnostic=agnostic)


@kinds
def test_what_is_no_number_is_never_kept_and_removes_nothing(ops, kind):
    boxes, scores, class_ids = crowd(200, 1)
    boxes[::7, 2], boxes[3::11, 0], scores[::5] = np.nan, -np.inf, np.nan
    scores[1:4] = 0.0, -0.0, -1.0
    found = ops.nms(boxes, scores, class_ids, kind=kind)
    assert found["index"].tolist() == twin((boxes, scores, class_ids), kind=kind)
    assert len(found) > 3


def test_the_count_is_read_on_the_device(ops):
    candidates = crowd(300, 2)
    found = ops.nms(*candidates, count=100)
    assert found["index"].tolist() == twin(tuple(array[:100] for array in candidates))
    assert len(ops.nms(*candidates, count=0)) == 0


def test_candidates_in_the_strict_order_need_no_sorting(ops):
    boxes, scores, class_ids = crowd(500, 3)
    order = definitions.strict_order(scores)
    candidates = (boxes[order], scores[order], class_ids[order])
    found = ops.nms(*candidates, ranked=True)
    assert found["index"].tolist() == twin(candidates)
    found = ops.nms(*candidates, ranked=True, count=70)
    assert found["index"].tolist() == twin(tuple(array[:70] for array in candidates))


def test_boxes_come_in_source_pixels_as_the_cpu_maps_them(ops):
    candidates, fit = crowd(300, 3), Letterbox.fit((1920, 1080), (416, 416))
    x, y, _, _ = fit.region_net
    found = ops.nms(*candidates, to_source=(x, y, *fit.scale, *fit.source_px))
    plain = ops.nms(*candidates)
    np.testing.assert_array_equal(found["index"], plain["index"])
    np.testing.assert_array_equal(found["box"], fit.to_source(plain["box"]))


def test_nms_can_be_captured_in_a_graph(ops, monkeypatch):
    monkeypatch.setattr(ops, "graph", True)
    check(ops, crowd(500, 3))
