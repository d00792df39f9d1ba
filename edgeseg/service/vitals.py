"""How a run is doing: counted where results are delivered, read from anywhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edgeseg.pipeline import Pipeline
    from edgeseg.sources.base import Condition, Source
    from edgeseg.types import Result

State = Literal["starting", "running", "degraded", "stalled", "stopping"]
"""`degraded`: the source is lost and being tried again. `stalled`: nothing comes, nobody says why.
"""

STALLED_S = 10.0
"""A run without a result for so long, whose source has no excuse, has stalled."""
RATE_S = 5.0
"""The rate is that of the last so many seconds."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment."""

    state: State
    reason: str
    """Why it is not running; for people."""
    source: str = ""
    model: str = ""
    engine: str = ""
    uptime_s: float = 0.0
    frames: int = 0
    """Results delivered."""
    objects: int = 0
    fps: float = 0.0
    silent_s: float | None = None
    """Since the last result was delivered; None before the first."""
    frame_age_s: float | None = None
    """Since the newest delivered frame was captured; None when that is not known."""
    latency_s: float | None = None
    """From the capture of that frame to its delivery."""
    reconnects: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    """Frames lost, by reason."""
    stages_s: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """Passes through each station, and the seconds of all of them."""


class Vitals:
    """Counts of one run; each method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_s = time.monotonic()
        self._ended = False
        self._step = "starting"
        self._pipeline: Pipeline | None = None
        self._source: Source | None = None
        self._about = ("", "", "")
        self._frames = 0
        self._objects = 0
        self._delivered_s: deque[float] = deque()
        self._last_s: float | None = None
        self._captured_s: float | None = None

    def step(self, text: str) -> None:
        """Say what the start is busy with."""
        self._step = text

    def begin(self, source: Source, pipeline: Pipeline, *, model: str, engine: str) -> None:
        """Say what runs; results follow."""
        with self._lock:
            self._source, self._pipeline = source, pipeline
            self._about = (source.info.name, model, engine)
            self._step = "waiting for the first result"

    def note(self, result: Result) -> None:
        """Count a result that was delivered."""
        now_s = time.monotonic()
        with self._lock:
            self._frames += 1
            self._objects += len(result.detections)
            self._last_s = now_s
            self._captured_s = result.frame.captured_s or None
            self._delivered_s.append(now_s)
            while now_s - self._delivered_s[0] > RATE_S and len(self._delivered_s) > 2:
                self._delivered_s.popleft()

    def end(self) -> None:
        """Say that the run ends."""
        self._ended = True

    def condition(self) -> Condition | None:
        """Give what the source says of itself; None when it says nothing."""
        ask = getattr(self._source, "condition", None)
        return ask() if ask is not None else None

    def snapshot(self) -> Snapshot:
        """Give all figures at this moment."""
        condition = self.condition()
        pipeline, source = self._pipeline, self._source
        drops = pipeline.drops() if pipeline is not None else {}
        stages = pipeline.stopwatch.totals_s() if pipeline is not None else {}
        now_s = time.monotonic()
        with self._lock:
            state, reason = self._state(condition, now_s)
            return Snapshot(
                state,
                reason,
                *self._about,
                uptime_s=now_s - self._started_s,
                frames=self._frames,
                objects=self._objects,
                fps=self._fps(now_s),
                silent_s=None if self._last_s is None else now_s - self._last_s,
                frame_age_s=None if self._captured_s is None else now_s - self._captured_s,
                latency_s=None
                if self._captured_s is None or self._last_s is None
                else self._last_s - self._captured_s,
                reconnects=getattr(source, "reconnects", 0),
                drops=drops,
                stages_s=stages,
            )

    def _state(self, condition: Condition | None, now_s: float) -> tuple[State, str]:
        if self._ended:
            return "stopping", "the run ends"
        if self._last_s is None:
            return "starting", self._step
        if condition is not None and condition.state == "degraded":
            return "degraded", condition.reason
        silent_s = now_s - self._last_s
        if silent_s < STALLED_S:
            return "running", ""
        said = condition.reason if condition is not None else ""
        return "stalled", said or f"no result for {silent_s:.0f} s"

    def _fps(self, now_s: float) -> float:
        times_s = self._delivered_s
        if len(times_s) < 2:
            return 0.0
        # While frames are awaited the figure falls only when they are overdue.
        mean_s = (times_s[-1] - times_s[0]) / (len(times_s) - 1)
        overdue_s = (now_s - times_s[-1]) / 2
        return 1.0 / max(mean_s, overdue_s, 1e-6)
