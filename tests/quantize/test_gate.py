"""Promises about the gate between a candidate network and its use."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgeseg.quantize.gate import LIMITS, MIN_BOXES, compare, iou, match
from edgeseg.types import Detections, Frame

FRAMES = [Frame(np.zeros((64, 64, 3), np.uint8), index) for index in range(MIN_BOXES)]


def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32))


BOX = (10.0, 10.0, 30.0, 30.0, 0.8, 1)


def verdict(*seen: tuple[float, float, float, float, float, int], precision: str = "int8"):
    return compare(
        lambda _: detections(BOX), lambda _: detections(*seen), FRAMES, LIMITS[precision]
    )


def test_the_same_detections_pass_with_errors_of_zero() -> None:
    result = verdict(BOX, precision="fp32")
    assert result.passed
    assert (result.frames, result.boxes) == (MIN_BOXES, MIN_BOXES)
    assert result.lost == result.invented == result.score_error == result.box_error == 0
    assert json.loads(json.dumps(result.to_dict()))["passed"] is True


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ((), "lost"),
        (((10, 10, 30, 30, 0.8, 2),), "lost"),  # another class
        (((40, 40, 60, 60, 0.8, 1),), "lost"),  # elsewhere
        ((BOX, (40, 40, 60, 60, 0.8, 1)), "invented"),
        (((10, 10, 30, 30, 0.6, 1),), "score error"),
        (((12, 12, 32, 32, 0.8, 1),), "box error"),
    ],
)
def test_each_kind_of_error_is_refused_and_named(seen, reason: str) -> None:
    result = verdict(*seen)
    assert not result.passed
    assert any(text.startswith(reason) for text in result.reasons)
    assert reason in str(result)


def test_figures_are_what_they_say() -> None:
    result = verdict((10, 10, 30, 20, 0.7, 1))
    assert result.box_error == pytest.approx(0.5)
    assert result.score_error == pytest.approx(0.1, abs=1e-6)
    assert result.lost == result.invented == 0


def test_a_score_that_crosses_the_threshold_is_no_lost_box() -> None:
    weak = (*BOX[:4], 0.38, 1)
    result = compare(
        lambda _: detections((*BOX[:4], 0.41, 1)), lambda _: detections(weak), FRAMES,
        LIMITS["int8"],
    )  # fmt: skip
    assert result.passed
    assert result.lost == 0


def test_too_few_boxes_prove_nothing() -> None:
    few = FRAMES[: MIN_BOXES - 1]
    result = compare(lambda _: detections(BOX), lambda _: detections(BOX), few, LIMITS["int8"])
    assert not result.passed
    assert "needs 20" in str(result)


def test_a_box_is_matched_once_and_the_best_goes_first() -> None:
    expected = detections((10, 10, 30, 30, 0.9, 1), (11, 11, 31, 31, 0.5, 1))
    pairs = match(expected, detections((11, 11, 31, 31, 0.9, 1)))
    assert set(pairs) == {0}


def test_iou_is_intersection_over_union() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 0, 0]], np.float32)
    b = np.array([[1, 1, 3, 3], [5, 5, 6, 6]], np.float32)
    assert iou(a, b) == pytest.approx(np.array([[1 / 7, 0], [0, 0]]))


def test_enough_boxes_end_the_comparison() -> None:
    result = compare(
        lambda _: detections(BOX), lambda _: detections(BOX), FRAMES * 3, LIMITS["int8"],
        enough_boxes=MIN_BOXES + 2,
    )  # fmt: skip
    assert result.passed
    assert result.frames == result.boxes == MIN_BOXES + 2
