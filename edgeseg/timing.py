"""What each station of the pipeline costs, in bounded memory."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

WINDOW = 20_000
"""Samples kept for each station: some ten minutes of video."""


class Stopwatch:
    """Wall times by station name, from any thread."""

    def __init__(self) -> None:
        self._newest = threading.local()
        self._samples_ms: dict[str, deque[float]] = {}
        self._totals_s: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def add(self, station: str, milliseconds: float) -> None:
        """Note one pass through a station."""
        self._samples_ms.setdefault(station, deque(maxlen=WINDOW)).append(milliseconds)
        self._newest.__dict__[station] = milliseconds
        with self._lock:
            passes, seconds = self._totals_s.get(station, (0, 0.0))
            self._totals_s[station] = (passes + 1, seconds + milliseconds / 1e3)

    def timed(self, station: str, function: Callable[P, R]) -> Callable[P, R]:
        """Wrap a station's function so that each call is noted."""

        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.add(station, (time.perf_counter() - start) * 1e3)

        return call

    @contextmanager
    def over(self, station: str) -> Iterator[None]:
        """Note the time the block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(station, (time.perf_counter() - start) * 1e3)

    def last_ms(self) -> dict[str, float]:
        """Give the newest time of each station that the calling thread passed."""
        return dict(self._newest.__dict__)

    def totals_s(self) -> dict[str, tuple[int, float]]:
        """Give how often each station was passed, and the seconds that took altogether."""
        with self._lock:
            return dict(self._totals_s)

    def medians_ms(self) -> dict[str, float]:
        """Give each station's median, in the order they were first passed."""
        return {name: statistics.median(samples) for name, samples in self._samples_ms.items()}


class RateMeter:
    """Frames per second over the last two seconds or so, for the picture's corner."""

    def __init__(self, window_s: float = 2.0) -> None:
        self._window_s = window_s
        self._ticks_s: deque[float] = deque()

    def tick(self) -> None:
        """Note that a frame was delivered now."""
        now_s = time.monotonic()
        self._ticks_s.append(now_s)
        while now_s - self._ticks_s[0] > self._window_s and len(self._ticks_s) > 2:
            self._ticks_s.popleft()

    @property
    def fps(self) -> float | None:
        """Give the rate; None before the second frame."""
        if len(self._ticks_s) < 2:
            return None
        span_s = self._ticks_s[-1] - self._ticks_s[0]
        return (len(self._ticks_s) - 1) / span_s if span_s > 0 else None
