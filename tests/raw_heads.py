"""Raw YOLO heads of every form, for the tests of decode on each device."""

from __future__ import annotations

import definitions
import numpy as np
import pytest

from edgeseg.types import HeadSpec

ANCHORS = ((10.0, 14.0), (81.0, 82.0), (344.0, 319.0))
FORMS = {
    "v3": {"kind": "yolo"},
    "v4": {"kind": "yolo", "scale_x_y": 1.2},
    "v4-csp": {"kind": "yolo", "scale_x_y": 2.0, "new_coords": True},
    "v2": {"kind": "region"},
    "v2-sigmoid": {"kind": "region", "softmax": False},
}
forms = pytest.mark.parametrize("form", FORMS)
labels = pytest.mark.parametrize("labels", ["multi", "best"])


def spec_of(form: str, classes: int = 4, anchors: int = 3) -> HeadSpec:
    return HeadSpec(anchors_net=ANCHORS[:anchors], classes=classes, **FORMS[form])


def raw_head(spec: HeadSpec, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    head = rng.normal(0, 2, (spec.channels, rows, columns))
    if spec.new_coords:
        head = definitions.sigmoid(head)
    return head.astype(np.float32)
