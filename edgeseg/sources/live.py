"""Live sources: one thread that owns the device, newest frames, reconnection."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import EdgesegError, SourceError, SourceLostError, SourceOpenError
from edgeseg.sources.base import Condition, SourceInfo
from edgeseg.sources.options import SourceOptions
from edgeseg.types import Frame

log = logging.getLogger("edgeseg.sources")

SUPERSEDED = "a newer frame came before it was read"
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0


class Capture(Protocol):
    """One connection to a device or stream; used by one thread at a time."""

    fps: float | None

    def read(self) -> NDArray[np.uint8]:
        """Give the next picture, uint8[H, W, 3] BGR.

        Bounded by the read timeout, or about twice it. Raises SourceLostError
        when the connection ended or fell silent; it is closed and made anew.
        """

    def drops(self) -> Mapping[str, int]:
        """Give the frames that this connection lost, by reason."""

    def close(self) -> None:
        """Let go of the device."""


def backoff_s(attempt: int) -> float:
    """Give the wait before reconnection `attempt` (0 is the first): 0.5 s doubled up to 10 s.

    A random quarter is taken off, so that many programs that lost the same
    server do not come back in step.
    """
    full = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 16))
    return full * random.uniform(0.75, 1.0)


class LiveSource:
    """Keeps a capture alive and gives its newest frames.

    A thread of its own opens, reads and closes the capture, so a library that
    blocks, or must not be closed while it reads, never holds up `read()` or
    `close()`. At most two frames wait; the older one gives way.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Capture],
        options: SourceOptions,
        *,
        first: Capture | None = None,
    ) -> None:
        """Open with `connect`, or go on with `first` when it is open already.

        Raises SourceOpenError when no frame came in time.
        """
        self._name = name
        self._connect = connect
        self._options = options
        self._changed = threading.Condition()
        self._waiting: deque[Frame] = deque(maxlen=2)
        self._drops: Counter[str] = Counter()
        self._capture_drops: Counter[str] = Counter()
        self._error: EdgesegError | None = None
        self._closed = threading.Event()
        self._begun = False
        self._count = 0
        self._started_s = 0.0
        self._last_s = time.monotonic()
        self._gone_s: float | None = None
        self._tried_s = time.monotonic()
        self._short_lived = 0
        self._fps: float | None = None
        self.reconnects = 0
        """How often the connection was made anew."""
        self._thread = threading.Thread(
            target=self._run, args=(first,), name=f"edgeseg source {name}", daemon=True
        )
        self._thread.start()
        self.info = self._first_frame_info()

    def _first_frame_info(self) -> SourceInfo:
        # Connecting and the first frame have the open timeout each.
        limit_s = 2 * self._options.open_timeout_s + 1.0
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._error, timeout=limit_s)
            if self._waiting:
                size_px = self._waiting[0].size_px
                return SourceInfo(self._name, live=True, size_px=size_px, fps=self._fps)
            error = self._error
        self.close()
        raise error or SourceOpenError(
            f"{self._name}: no frame came in {limit_s:g} s",
            hint="Try it in another program; unplug and plug in a camera; see `edgeseg doctor`.",
        )

    def read(self) -> Frame | None:
        """Give the newest frame; None after `close()`.

        Waits while the connection is made anew, for at most `reconnect_s`.
        Raises SourceLostError after that.
        """
        with self._changed:
            self._begun = True
            while not self._closed.is_set():
                if self._waiting:
                    return self._waiting.popleft()
                if self._error is not None:
                    raise self._error
                silent_s = time.monotonic() - self._last_s
                if silent_s > self._patience_s():
                    raise self._lost()
                self._changed.wait(timeout=0.5)
        return None

    def _patience_s(self) -> float:
        # Also ends a run whose device driver never returns.
        options = self._options
        return options.reconnect_s + 2 * (options.open_timeout_s + options.read_timeout_s) + 1.0

    def drops(self) -> Mapping[str, int]:
        """Give the frames that were lost on the way here, by reason."""
        with self._changed:
            return dict(self._drops + self._capture_drops)

    def condition(self) -> Condition:
        """Tell whether frames come, or are being fetched back."""
        now_s = time.monotonic()
        with self._changed:
            silent_s, gone = now_s - self._last_s, self._gone_s is not None
        options = self._options
        if not gone and silent_s <= 2 * options.read_timeout_s + 1.0:
            return Condition("running")
        reason = f"{self._name}: nothing came for {silent_s:.0f} s"
        # The thread that connects is believed as long as its calls return.
        longest_s = 2 * (options.open_timeout_s + options.read_timeout_s) + LONGEST_WAIT_S
        if gone and now_s - self._tried_s <= longest_s:
            return Condition("degraded", f"{reason}; connecting again")
        return Condition("stuck", f"{reason}; the device or server does not answer")

    def close(self) -> None:
        """End at once; the thread lets go of the device when its last call returns."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=1.0)

    def _run(self, capture: Capture | None) -> None:
        try:
            # The first connection fails at once: a wrong address never gets better.
            capture = capture or self._connect()
            while not self._closed.is_set():
                self._read_until_lost(capture)
                capture = self._connect_again()
                if capture is None:
                    return
        except EdgesegError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - the reader must not wait for a dead thread
            failure = SourceLostError(f"{self._name}: {type(error).__name__} while reading")
            failure.__cause__ = error
            self._fail(failure)

    def _fail(self, error: EdgesegError) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def _read_until_lost(self, capture: Capture) -> None:
        connected_s = time.monotonic()
        with self._closing(capture):
            self._fps = capture.fps
            while not self._closed.is_set():
                self._put(capture.read(), capture.drops())
        # A connection that never lasts must not reset the growing waits.
        lasted = time.monotonic() - connected_s > LONGEST_WAIT_S
        self._short_lived = 0 if lasted else self._short_lived + 1

    @contextlib.contextmanager
    def _closing(self, capture: Capture) -> Iterator[None]:
        try:
            yield
        except SourceLostError as error:
            if self._count == 0:
                raise SourceOpenError(error.message, hint=error.hint) from error
            if not self._closed.is_set():
                log.warning("%s; connecting again", error.message)
        finally:
            with self._changed:
                self._drops.update(capture.drops())
                self._capture_drops = Counter()
            capture.close()

    def _put(self, image: NDArray[np.uint8], capture_drops: Mapping[str, int]) -> None:
        now_s = time.monotonic()
        with self._changed:
            if not self._begun:
                # A network may load for minutes: what came meanwhile is no part of the run.
                self._waiting.clear()
                self._count = 0
            if self._count == 0:
                self._started_s = now_s
            if len(self._waiting) == self._waiting.maxlen:
                self._drops[SUPERSEDED] += 1
            self._waiting.append(
                Frame(image, self._count, now_s - self._started_s, captured_s=now_s)
            )
            self._count += 1
            self._last_s, self._gone_s = now_s, None
            if capture_drops:
                self._capture_drops = Counter(capture_drops)
            self._changed.notify_all()

    def _connect_again(self) -> Capture | None:
        """Give a new connection; None when closed. Raises SourceLostError when time is up."""
        # A connection that opens and gives no frame does not start the clock anew.
        self._gone_s = self._gone_s or time.monotonic()
        self._tried_s = time.monotonic()
        attempt = max(0, self._short_lived - 1)
        while True:
            left_s = self._gone_s + self._options.reconnect_s - time.monotonic()
            if left_s <= 0 and not self._closed.is_set():
                raise self._lost()
            if self._closed.wait(max(0.0, min(backoff_s(attempt), left_s))):
                return None
            attempt += 1
            self._tried_s = time.monotonic()
            try:
                capture = self._connect()
            except SourceError as error:
                log.info("%s (attempt %d)", error.message, attempt)
                continue
            self.reconnects += 1
            log.warning("%s: connected again", self._name)
            return capture

    def _lost(self) -> SourceLostError:
        silent_s = time.monotonic() - self._last_s
        return SourceLostError(
            f"{self._name}: lost, nothing came for {silent_s:.0f} s",
            hint="Check cable, power and network. `reconnect_s` sets how long to wait.",
        )
