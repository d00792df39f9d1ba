"""Class maps composed from object masks: the most certain object has the pixel."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.composing import ComposedClasses
from edgeseg.followers import open_followers
from edgeseg.settings import settings_from
from edgeseg.types import NO_CLASS, ClassMap, Detections, Frame, Masks, Result

pytestmark = pytest.mark.skipif(
    not hasattr(Masks, "pixels"), reason="this build cannot paste masks"
)

FULL = np.full((2, 2), 255, np.uint8)
NONE = np.zeros((0, 0), np.uint8)


def result(boxes, scores, class_ids, grids=None) -> Result:
    frame = Frame(np.zeros((6, 8, 3), np.uint8))
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    found = Detections(boxes, np.array(scores, np.float32), np.array(class_ids, np.int32))
    masks = None
    if grids is not None:
        masks = Masks(tuple(grids), boxes, boxes, (8, 6))
    return Result(frame, found, ("cat", "dog", "cow"), masks=masks)


def composed(given: Result) -> np.ndarray:
    class_map = ComposedClasses().follow(given).class_map
    assert class_map is not None
    assert class_map.background == NO_CLASS
    assert class_map.region == (0, 0, 8, 6)
    return class_map.classes


def test_the_most_certain_object_has_the_pixel_whatever_the_order():
    boxes = [[0, 0, 4, 4], [2, 2, 6, 6], [3, 0, 8, 3]]
    expected = np.full((6, 8), NO_CLASS)
    expected[0:4, 0:4] = 0  # 0.5
    expected[0:3, 3:8] = 2  # 0.7
    expected[2:6, 2:6] = 1  # 0.9
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        given = result(
            [boxes[i] for i in order], [[0.5, 0.9, 0.7][i] for i in order], order, [FULL] * 3
        )
        np.testing.assert_array_equal(composed(given), expected)


def test_of_equal_scores_the_first_lies_on_top():
    given = result([[0, 0, 4, 4]] * 2, [0.5, 0.5], [2, 1], [FULL, FULL])
    assert composed(given)[0, 0] == 2


@pytest.mark.parametrize("grids", [None, [NONE]])
def test_objects_without_a_mask_are_counted(grids):
    follower = ComposedClasses()
    done = follower.follow(result([[0, 0, 4, 4]], [0.5], [1], grids))
    assert (done.class_map.classes == NO_CLASS).all()
    assert follower.summary() == {"classes": "1 objects without a mask are in no class map"}


def test_nothing_seen_is_a_map_of_no_class():
    assert (composed(result([], [], [], [])) == NO_CLASS).all()
    assert ComposedClasses().summary() == {}


def test_a_networks_own_map_stays():
    own = ClassMap(np.zeros((1, 1), np.uint16), (0, 0, 1, 1))
    frame = Frame(np.zeros((2, 2, 3), np.uint8))
    given = Result(frame, Detections.empty(), ("a",), class_map=own)
    assert ComposedClasses().follow(given) is given


def test_it_follows_for_the_kind_semantic_only():
    for kind, expected in (("semantic", True), ("objects", False)):
        settings = settings_from(source="x", segment=kind)
        names = [follower.name for follower in open_followers(settings, None)]
        assert ("classes" in names) is expected
