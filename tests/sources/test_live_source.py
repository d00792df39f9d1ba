"""Live sources: newest frames, reconnection with limits, and an end at any moment.

The captures here are real objects of the seam that `LiveSource` talks to; the
network and camera tests run it with the real ones.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.errors import SourceLostError, SourceOpenError
from edgeseg.sources import SourceOptions
from edgeseg.sources import live as live_module
from edgeseg.sources.live import SUPERSEDED, LiveSource, backoff_s

OPTIONS = SourceOptions(open_timeout_s=0.5, read_timeout_s=0.2, reconnect_s=5.0)


class Ticker:
    """Gives numbered pictures at a rate, and is lost after some."""

    fps: float | None = 100.0

    def __init__(self, numbers: Iterator[int], *, last: float = math.inf, pause_s: float = 0.01):
        self._numbers, self._left, self._pause_s = numbers, last, pause_s
        self.closed = False

    def read(self) -> NDArray[np.uint8]:
        time.sleep(self._pause_s)
        if self._left <= 0:
            raise SourceLostError("ticker: lost")
        self._left -= 1
        return np.full((4, 6, 3), next(self._numbers) % 256, np.uint8)

    def drops(self) -> dict[str, int]:
        return {"crumpled": 1}

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "FIRST_WAIT_S", 0.02)


def opened(connect: Callable[[], Ticker], options: SourceOptions = OPTIONS) -> LiveSource:
    return LiveSource("ticker", connect, options)


def test_frames_come_with_index_and_time_and_the_info_is_right() -> None:
    source = opened(lambda: Ticker(itertools.count()))
    frames = [source.read() for _ in range(10)]
    source.close()
    assert [frame.index for frame in frames if frame] == sorted(f.index for f in frames if f)
    assert frames[0] is not None
    assert frames[0].time_s == 0.0
    assert frames[-1] is not None
    assert frames[-1].time_s > 0.05
    assert (source.info.live, source.info.size_px, source.info.fps) == (True, (6, 4), 100.0)


def test_what_comes_before_the_first_read_is_no_part_of_the_run() -> None:
    source = opened(lambda: Ticker(itertools.count()))
    time.sleep(0.3)  # a network loads
    frames = [source.read() for _ in range(3)]
    source.close()
    assert frames[0] is not None
    assert (frames[0].index, frames[0].time_s) == (0, 0.0)
    assert int(frames[0].image[0, 0, 0]) > 10
    assert time.monotonic() - frames[0].captured_s < 0.3
    assert source.drops().get(SUPERSEDED, 0) <= 3


def test_a_slow_reader_gets_new_frames_and_the_others_are_counted() -> None:
    source = opened(lambda: Ticker(itertools.count()))
    source.read()
    time.sleep(0.5)
    frame = source.read()
    assert frame is not None
    assert time.monotonic() - frame.captured_s < 0.2
    assert source.drops()[SUPERSEDED] > 10
    source.close()


def test_a_lost_source_comes_back_and_is_counted() -> None:
    numbers, made = itertools.count(), []

    def connect() -> Ticker:
        made.append(Ticker(numbers, last=5))
        return made[-1]

    source = opened(connect)
    while len(made) < 4:
        assert source.read() is not None
    assert source.reconnects >= 2
    assert all(ticker.closed for ticker in made[:-1])
    assert source.drops()["crumpled"] >= 3
    source.close()


def test_failures_while_reconnecting_are_survived_until_time_is_up() -> None:
    attempts = []

    def connect() -> Ticker:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            return Ticker(itertools.count(), last=3)
        raise SourceOpenError("ticker: still gone")

    source = opened(connect, SourceOptions(open_timeout_s=0.5, read_timeout_s=0.2, reconnect_s=0.6))
    with pytest.raises(SourceLostError, match="nothing came"):
        while source.read() is not None:
            pass
    assert len(attempts) > 5
    waits = np.diff(attempts[1:])
    assert waits[2] > waits[0]
    assert attempts[-1] - attempts[0] < 3
    with pytest.raises(SourceLostError):
        source.read()


def test_connections_that_open_and_give_nothing_do_not_extend_the_limit() -> None:
    numbers, count = itertools.count(), itertools.count()
    options = SourceOptions(open_timeout_s=0.5, read_timeout_s=0.2, reconnect_s=0.5)
    source = opened(lambda: Ticker(numbers, last=0 if next(count) else 3), options)
    begun_s = time.monotonic()
    with pytest.raises(SourceLostError):
        while source.read() is not None:
            pass
    assert time.monotonic() - begun_s < 5
    assert source.reconnects > 1


def test_zero_patience_ends_at_the_first_loss() -> None:
    made: list[Ticker] = []

    def connect() -> Ticker:
        made.append(Ticker(itertools.count(), last=3))
        return made[-1]

    source = opened(connect, SourceOptions(reconnect_s=0))
    with pytest.raises(SourceLostError):
        while source.read() is not None:
            pass
    assert len(made) == 1


def test_the_first_connection_fails_at_once() -> None:
    attempts = []

    def connect() -> Ticker:
        attempts.append(1)
        raise SourceOpenError("ticker: wrong address")

    with pytest.raises(SourceOpenError, match="wrong address"):
        opened(connect)
    assert len(attempts) == 1


def test_losing_it_before_the_first_frame_is_an_open_error() -> None:
    with pytest.raises(SourceOpenError, match="lost"):
        opened(lambda: Ticker(itertools.count(), last=0))


@pytest.mark.parametrize("hang", ["connect", "read"])
def test_a_library_that_never_returns_does_not_hold_up_the_caller(hang: str) -> None:
    release = threading.Event()

    class Stuck(Ticker):
        def read(self) -> NDArray[np.uint8]:
            release.wait(20)
            return super().read()

    def connect() -> Ticker:
        if hang == "connect":
            release.wait(20)
        return Stuck(itertools.count())

    begun_s = time.monotonic()
    with pytest.raises(SourceOpenError, match="no frame came"):
        opened(connect, SourceOptions(open_timeout_s=0.1))
    assert time.monotonic() - begun_s < 5
    release.set()


def test_a_driver_that_hangs_later_ends_the_run_within_its_limits() -> None:
    release = threading.Event()

    class Freezing(Ticker):
        def read(self) -> NDArray[np.uint8]:
            if self._left <= 0:
                release.wait(20)
            return super().read()

    options = SourceOptions(open_timeout_s=0.2, read_timeout_s=0.1, reconnect_s=0.2)
    source = opened(lambda: Freezing(itertools.count(), last=2), options)
    begun_s = time.monotonic()
    with pytest.raises(SourceLostError):
        while source.read() is not None:
            pass
    assert time.monotonic() - begun_s < 5
    release.set()
    source.close()


@pytest.mark.parametrize("state", ["reading", "waiting to reconnect"])
def test_close_from_another_thread_ends_a_read_at_once(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "FIRST_WAIT_S", 8.0)
    last = math.inf if state == "reading" else 2
    options = SourceOptions(reconnect_s=math.inf, open_timeout_s=1)
    ticker = Ticker(itertools.count(), last=last)
    source = opened(lambda: ticker, options)
    threading.Timer(0.3, source.close).start()
    begun_s = time.monotonic()
    while source.read() is not None:
        pass
    assert time.monotonic() - begun_s < 2
    source.close()
    assert source.read() is None
    assert ticker.closed


def test_an_unforeseen_failure_reaches_the_reader() -> None:
    class Broken(Ticker):
        def read(self) -> NDArray[np.uint8]:
            if self._left <= 0:
                raise ZeroDivisionError
            return super().read()

    source = opened(lambda: Broken(itertools.count(), last=2))
    with pytest.raises(SourceLostError) as caught:
        while source.read() is not None:
            pass
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_waits_grow_are_bounded_and_not_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "FIRST_WAIT_S", 0.5)
    for attempt, full in enumerate([0.5, 1, 2, 4, 8, 10, 10]):
        waits = {backoff_s(attempt) for _ in range(50)}
        assert all(0.75 * full <= wait <= full for wait in waits)
        assert len(waits) > 10
    assert backoff_s(10**6) <= 10


def test_the_condition_follows_loss_and_return() -> None:
    numbers = itertools.count()
    back = threading.Event()
    first = [True]

    def connect() -> Ticker:
        if first:
            first.clear()
            return Ticker(numbers, last=5)
        if not back.is_set():
            raise SourceLostError("ticker: still away")
        return Ticker(numbers)

    source = opened(connect)
    assert source.condition().state == "running"
    deadline_s = time.monotonic() + 10
    while source.condition().state != "degraded":
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert "connecting again" in source.condition().reason
    back.set()
    while source.condition().state != "running":
        assert time.monotonic() < deadline_s
        source.read()
    source.close()


def test_a_call_that_never_returns_is_no_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "LONGEST_WAIT_S", 0.2)
    hang = threading.Event()
    calls = [0]

    def connect() -> Ticker:
        calls[0] += 1
        if calls[0] > 1:
            hang.wait(30)  # a driver that does not come back
        return Ticker(itertools.count(), last=3)

    options = SourceOptions(open_timeout_s=0.1, read_timeout_s=0.1, reconnect_s=60.0)
    source = opened(connect, options)
    deadline_s = time.monotonic() + 20
    while source.condition().state != "stuck":
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert "does not answer" in source.condition().reason
    hang.set()
    source.close()
