"""Class maps: brought to the frame's size, measured, and written into results."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.class_maps import areas
from edgeseg.types import NO_CLASS, ClassMap, Detections, Frame, Result


def test_each_pixel_has_the_class_under_its_centre():
    classes = np.arange(12, dtype=np.uint16).reshape(3, 4)
    whole = ClassMap(classes, (0.0, 0.0, 4.0, 3.0))
    np.testing.assert_array_equal(whole.dense((4, 3)), classes)
    np.testing.assert_array_equal(whole.dense((8, 6)), classes.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(whole.dense((2, 1)), [[5, 7]])
    part = ClassMap(classes, (1.0, 0.5, 2.0, 2.0))
    np.testing.assert_array_equal(part.dense((2, 2)), [[5, 6], [9, 10]])


def test_a_region_at_the_rim_stays_inside_of_the_map():
    classes = np.arange(4, dtype=np.uint16).reshape(2, 2)
    assert ClassMap(classes, (0.0, 0.0, 2.0000001, 2.0000001)).dense((3, 3)).max() == 3
    assert ClassMap(classes, (-0.5, -0.5, 3.0, 3.0)).dense((6, 6)).shape == (6, 6)


def test_areas_are_fractions_of_the_frame():
    classes = np.full((4, 10), 9, np.uint16)
    classes[1:3, :5] = 2
    classes[1:3, 5:] = [7, 7, 7, NO_CLASS, NO_CLASS]
    assert areas(ClassMap(classes, (0.0, 1.0, 10.0, 2.0))) == {2: 0.5, 7: 0.3}
    assert areas(ClassMap(classes, (0.0, 0.0, 0.2, 0.2))) == {}


@pytest.mark.parametrize("class_map", [None, ClassMap(np.eye(2, dtype=np.uint16), (0, 0, 2, 2))])
def test_results_tell_the_areas(class_map):
    frame = Frame(np.zeros((4, 4, 3), np.uint8))
    result = Result(frame, Detections.empty(), ("sky", "sea"), class_map=class_map)
    record = result.to_dict()
    if class_map is None:
        assert "classes" not in record
    else:
        assert record["classes"] == [
            {"class_id": 0, "class": "sky", "area": 0.5},
            {"class_id": 1, "class": "sea", "area": 0.5},
        ]
