"""Stand-ins for each seam, for tests of what joins them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import EngineError, SinkError
from edgeseg.sinks.base import RunInfo
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Batch, Detections, Frame, Heads, HeadSpec, Letterbox, Model, Result

NET_PX = (32, 32)


def picture(value: int = 0, size_px: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """Give a picture of one grey."""
    return np.full((size_px[1], size_px[0], 3), value % 256, np.uint8)


class FakeSource:
    """Gives `count` frames, then None or an error; `count` None means for ever."""

    def __init__(
        self,
        count: int | None = 5,
        *,
        live: bool = False,
        period_s: float = 0.0,
        error: Exception | None = None,
    ) -> None:
        self.info = SourceInfo("fake", live=live, size_px=(64, 48), fps=25.0, frame_count=count)
        self._count = count
        self._period_s = period_s
        self._error = error
        self.given = 0
        self.closed = threading.Event()

    def read(self) -> Frame | None:
        if self.closed.wait(self._period_s):
            return None
        if self.given == self._count:
            if self._error is not None:
                raise self._error
            return None
        frame = Frame(picture(self.given), self.given, self.given / 25, captured_s=time.monotonic())
        self.given += 1
        return frame

    def drops(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        self.closed.set()


class FakeBackend:
    """One detection a frame, whose class is the frame's grey."""

    name = "cpu"

    def preprocess(self, frame: Frame) -> Batch:
        tensor = np.full((1, 3, *NET_PX), frame.image[0, 0, 0], np.float32)
        return Batch(tensor, (Letterbox.fit(frame.size_px, NET_PX),))

    def detect(self, heads: Heads, letterbox: Letterbox) -> Detections:
        box = np.array([[4, 4, 20, 20]], np.float32)
        class_id = np.array([int(heads[0].flat[0])], np.int32)
        return Detections(letterbox.to_source(box), np.array([0.9], np.float32), class_id)

    def close(self) -> None:
        pass


class FakeEngine:
    """Hands the picture on; may be slow, may fail at a frame."""

    name = "fake"
    description = "fake engine"
    lanes = 4

    def __init__(
        self,
        *,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        fail_at: int | None = None,
        error: Exception | None = None,
    ) -> None:
        self._delay_s = delay_s
        self._jitter = random.Random(1)
        self._jitter_s = jitter_s
        self._fail_at = fail_at
        self._error = error or EngineError("the fake engine fails here")

    def infer(self, batch: Batch) -> Heads:
        if batch.tensor.flat[0] == self._fail_at:
            raise self._error
        time.sleep(self._delay_s + self._jitter.uniform(0, self._jitter_s))
        return [batch.tensor[:, :1]]

    def close(self) -> None:
        pass


class FakeSink:
    """Keeps results; may fail at a frame."""

    name = "fake"
    needs_picture = False

    def __init__(self, *, fail_at: int | None = None) -> None:
        self.results: list[Result] = []
        self.run: RunInfo | None = None
        self.closed = 0
        self._fail_at = fail_at

    def open(self, run: RunInfo) -> None:
        self.run = run

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:
        if len(self.results) == self._fail_at:
            raise SinkError("the fake sink is full")
        self.results.append(result)

    def close(self) -> str | None:
        self.closed += 1
        return "fake place"


def model(class_names: Sequence[str] = ("one", "two")) -> Model:
    """Give a model that no engine can load."""
    head = HeadSpec("yolo", ((10.0, 14.0),), len(class_names))
    return Model("fake", Path("fake.onnx"), NET_PX, (head,), tuple(class_names))
