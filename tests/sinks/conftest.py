"""What the tests of sinks share: runs and results."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeseg.sinks import RunInfo
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Detections, Frame, Result

NAMES = ("person", "traffic light")


@pytest.fixture
def run_info() -> Callable[..., RunInfo]:
    """Make what a sink is told at the start."""

    def make(name: str = "clip.avi", class_names: tuple[str, ...] = NAMES, **known) -> RunInfo:
        return RunInfo(SourceInfo(name=name, live=False, **known), class_names, "yolov3-tiny")

    return make


@pytest.fixture
def result() -> Callable[..., Result]:
    """Make a result with two objects in a picture of 100 x 50."""

    def make(index: int = 0, path: str | None = None, empty: bool = False, fps: float = 25.0):
        frame = Frame(np.zeros((50, 100, 3), np.uint8), index, index / fps, path)
        found = Detections(
            np.array([[10, 20, 30, 40], [0, 0, 100, 50]], np.float32),
            np.array([0.93, 0.5], np.float32),
            np.array([0, 1], np.int32),
        )
        return Result(frame, Detections.empty() if empty else found, NAMES)

    return make
