"""nms and soft_nms: which boxes stay, against the plain definition."""

from __future__ import annotations

import definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native

kinds = pytest.mark.parametrize("kind", ["greedy", "diou"])


def arrays(boxes, scores=None, class_ids=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    scores = np.linspace(0.9, 0.5, len(boxes)) if scores is None else scores
    class_ids = np.zeros(len(boxes)) if class_ids is None else class_ids
    return boxes, np.array(scores, np.float32), np.array(class_ids, np.int32)


def kept(boxes, scores=None, class_ids=None, iou=0.45, **options):
    return _native.nms(*arrays(boxes, scores, class_ids), iou, **options).tolist()


def crowd(count: int, classes: int, seed: int = 0):
    """Boxes in clusters, scores with ties."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 600, (max(1, count // 8), 2))[
        rng.integers(0, max(1, count // 8), count)
    ]
    corner = centres + rng.normal(0, 6, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 90, (count, 2))])
    return arrays(boxes, rng.integers(1, 200, count) / 200, rng.integers(0, classes, count))


def shifted(by: float, size: float = 10):
    return [by, 0, by + size, size]


def test_a_removed_box_removes_nothing():
    """The chain A-B-C: B falls to A, so C stays although B overlaps it."""
    chain = [shifted(0), shifted(3), shifted(6)]
    assert kept(chain) == [0, 2]
    assert kept(chain[1:]) == [0]


def test_equal_scores_go_to_the_lower_index():
    boxes = [shifted(0), shifted(1), shifted(100), shifted(101)]
    assert kept(boxes, [0.5, 0.5, 0.7, 0.7]) == [2, 0]


def test_negative_scores_are_ranked_and_both_zeros_are_a_tie():
    boxes = [shifted(100 * i) for i in range(6)]
    assert kept(boxes, [-0.0, 0.0, -2, -1, np.inf, -np.inf]) == [4, 0, 1, 3, 2, 5]


def test_overlap_of_exactly_the_limit_stays():
    """Darknet removes above the threshold, not at it."""
    half = [[1, 0, 5, 1], [1, 0, 3, 1]]
    assert definitions.iou(*np.array(half)) == 0.5
    assert kept(half, iou=0.5) == [0, 1]
    assert kept(half, iou=np.nextafter(np.float32(0.5), np.float32(0))) == [0]


@kinds
def test_touching_boxes_do_not_overlap(kind):
    assert kept([shifted(0), shifted(10), [0, 10, 10, 20]], iou=0, kind=kind) == [0, 1, 2]


@kinds
@pytest.mark.parametrize("ids", [[3, 900, 3], [-5, 7, -5], [-(2**31), 2**31 - 1, -(2**31)]])
def test_any_class_ids_are_told_apart(kind, ids):
    assert kept([shifted(0)] * 3, class_ids=ids, kind=kind) == [0, 1]


@kinds
def test_classes_do_not_compete_unless_asked(kind):
    boxes = [shifted(0), shifted(0)]
    assert kept(boxes, class_ids=[3, 900], kind=kind) == [0, 1]
    assert kept(boxes, class_ids=[3, 900], kind=kind, agnostic=True) == [0]


@kinds
def test_degenerate_boxes_overlap_nothing(kind):
    boxes = [[5, 5, 5, 5], [5, 5, 5, 5], [5, 2, 5, 8], [9, 9, 1, 1], [0, 0, 10, 10]]
    assert kept(boxes, kind=kind, iou=0) == [0, 1, 2, 3, 4]


@kinds
def test_what_is_no_number_is_never_kept_and_removes_nothing(kind):
    boxes = [shifted(0), shifted(0), shifted(0), [np.nan, 0, 10, 10], [-np.inf, 0, np.inf, 10]]
    assert kept(boxes, [np.nan, 0.2, 0.3, 0.9, 0.8], kind=kind) == [2]


def test_distant_centres_soften_distance_iou():
    wide = [[0, 0, 100, 10], [0, 0, 48, 10]]
    assert kept(wide, kind="greedy") == [0]
    assert kept(wide, kind="diou") == [0, 1]


@kinds
@pytest.mark.parametrize("limit", [1, 2, 299])
def test_max_detections_takes_the_best(kind, limit):
    boxes, scores, class_ids = crowd(900, 5)
    all_of_them = kept(boxes, scores, class_ids, kind=kind, max_detections=10_000)
    assert len(all_of_them) > limit
    assert kept(boxes, scores, class_ids, kind=kind, max_detections=limit) == all_of_them[:limit]


@kinds
@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize(("count", "classes"), [(0, 1), (1, 1), (300, 3), (600, 90)])
def test_nms_follows_the_definition(kind, agnostic, count, classes):
    boxes, scores, class_ids = crowd(count, classes)
    expected = definitions.nms(boxes, scores, class_ids, 0.45, kind=kind, agnostic=agnostic)
    assert kept(boxes, scores, class_ids, kind=kind, agnostic=agnostic) == expected


corner = st.integers(0, 12)
any_box = st.tuples(corner, corner, corner, corner)
any_boxes = st.lists(st.tuples(any_box, st.integers(0, 5), st.integers(0, 2)), max_size=25)


@settings(max_examples=150, deadline=None)
@given(boxes=any_boxes, iou=st.sampled_from([0.0, 0.3, 0.45, 1.0]), agnostic=st.booleans())
def test_nms_follows_the_definition_for_any_boxes(boxes, iou, agnostic):
    """Small whole numbers make ties, touching, empty and inside-out boxes common."""
    packed = arrays(
        [b for b, _, _ in boxes], [s / 5 for _, s, _ in boxes], [c for _, _, c in boxes]
    )
    # float32 and float64 agree on these fractions except at the limit itself.
    limit = float(np.float32(iou)) + (1e-5 if 0 < iou < 1 else 0)
    expected = definitions.nms(*packed, limit, agnostic=agnostic)
    assert kept(*packed, iou=limit, agnostic=agnostic) == expected


@pytest.mark.parametrize("count", [255, 256, 5000])
def test_many_boxes_come_in_the_strict_order_whatever_their_scores(count):
    corner = np.stack([np.arange(count) * 20.0, np.zeros(count)], axis=1)
    scores = np.random.default_rng(0).normal(0, 3, count).round(2).astype(np.float32)
    scores[:6] = [0.0, -0.0, np.inf, -np.inf, 1e-42, -1e-42]
    boxes = np.hstack([corner, corner + 10])
    assert kept(boxes, scores, max_detections=count) == definitions.strict_order(scores)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 60), seed=st.integers(0, 10_000), kind=st.sampled_from(["greedy", "diou"])
)
def test_kept_boxes_never_overlap_and_each_other_has_a_reason(count, seed, kind):
    boxes, scores, class_ids = crowd(count, 2, seed)
    overlap = {"greedy": definitions.iou, "diou": definitions.diou}[kind]
    keep = kept(boxes, scores, class_ids, kind=kind)
    assert keep == [i for i in definitions.strict_order(scores) if i in keep]
    for i in range(count):
        better = [
            k for k in keep if class_ids[k] == class_ids[i] and (-scores[k], k) < (-scores[i], i)
        ]
        worst = max(
            (overlap(boxes[i].astype(float), boxes[k].astype(float)) for k in better), default=-1
        )
        assert worst <= 0.45 + 1e-6 if i in keep else worst > 0.45 - 1e-6


def test_nms_reads_strided_and_read_only_arrays_in_place():
    boxes, scores, class_ids = crowd(200, 3)
    wide = np.zeros((400, 9), np.float32)
    wide[::2, ::2][:, :4] = boxes
    views = [wide[::2, ::2][:, :4], np.repeat(scores, 3)[::3], class_ids[::-1].copy()[::-1]]
    for view in views:
        view.flags.writeable = False
    assert _native.nms(*views).tolist() == kept(boxes, scores, class_ids)
    assert (
        _native.soft_nms(*views)[0].tolist()
        == _native.soft_nms(boxes, scores, class_ids)[0].tolist()
    )


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("min_score", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("classes", [1, 4])
def test_soft_nms_follows_the_definition(sigma, min_score, classes):
    boxes, _, class_ids = crowd(120, classes)
    scores = np.random.default_rng(1).uniform(0.1, 1, 120).astype(np.float32)
    expected = definitions.soft_nms(boxes, scores, class_ids, sigma, min_score)
    keep, softened = _native.soft_nms(
        boxes, scores, class_ids, sigma, min_score=min_score, max_detections=10_000
    )
    assert keep.tolist() == [i for i, _ in expected]
    np.testing.assert_allclose(softened, [score for _, score in expected], rtol=1e-4, atol=1e-9)


def test_soft_nms_lowers_the_weaker_of_two_equal_boxes():
    keep, scores = _native.soft_nms(*arrays([shifted(0), shifted(0)], [0.9, 0.8]), 0.5)
    assert keep.tolist() == [0, 1]
    np.testing.assert_allclose(scores, [0.9, 0.8 * np.exp(-2)], rtol=1e-6)


def test_soft_nms_keeps_ties_in_order_and_takes_the_best():
    boxes = arrays([shifted(30 * i) for i in range(9)], [0.5] * 9, [0, 1, 2] * 3)
    assert _native.soft_nms(*boxes, max_detections=4)[0].tolist() == [0, 1, 2, 3]


def test_soft_nms_agnostic_lets_classes_compete():
    boxes = arrays([shifted(0), shifted(0)], [0.9, 0.8], [0, 1])
    assert _native.soft_nms(*boxes)[1].tolist() == pytest.approx([0.9, 0.8])
    assert _native.soft_nms(*boxes, agnostic=True)[1][1] < 0.2
