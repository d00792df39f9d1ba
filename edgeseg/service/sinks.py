"""Health is a sink: what is counted and what feeds the watchdog are delivered results."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from edgeseg.service.notify import notify, status, watchdog_s
from edgeseg.service.vitals import Snapshot, Vitals
from edgeseg.sinks.base import RunInfo
from edgeseg.types import Result

STATUS_EVERY_S = 5.0
_MEALS = 4
"""The watchdog is fed this often in the time it waits."""


class HealthSink:
    """Counts results, tells systemd that they flow, and keeps its watchdog fed.

    Written to after all other sinks: a result that one of them does not take
    is not delivered, and does not feed.
    """

    name = "health"
    needs_picture = False

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self._ready = False
        limit_s = watchdog_s()
        self._feed_every_s = limit_s / _MEALS if limit_s else None
        self._fed_s = self._told_s = float("-inf")
        self._told_state = ""
        self._remark = ""

    def open(self, run: RunInfo) -> None:
        """Do nothing: READY waits for the first result."""

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:
        """Count a delivered result; READY at the first."""
        del picture
        self._vitals.note(result)
        now_s = time.monotonic()
        self._feed(now_s)
        if not self._ready:
            self._ready = True
            notify("READY=1")
        if now_s - self._told_s >= STATUS_EVERY_S or self._told_state != "running":
            self._tell(now_s)

    def waiting(self) -> None:
        """Feed the watchdog without a result while the source is knowingly being tried again."""
        condition = self._vitals.condition()
        now_s = time.monotonic()
        if condition is not None and condition.state == "degraded":
            self._feed(now_s)
        if self._ready and now_s - self._told_s >= STATUS_EVERY_S / 5:
            self._tell(now_s)

    def remark(self, text: str) -> None:
        """Show `text` behind the status from now on."""
        self._remark = text
        self._told_state = ""

    def close(self) -> str | None:
        """Say that the run ends; closed before the sinks that may take long to finish."""
        self._vitals.end()
        notify("STOPPING=1", status("closing the files"))
        return None

    def _feed(self, now_s: float) -> None:
        if self._feed_every_s is not None and now_s - self._fed_s >= self._feed_every_s:
            notify("WATCHDOG=1", wait=False)
            self._fed_s = now_s

    def _tell(self, now_s: float) -> None:
        seen = self._vitals.snapshot()
        self._told_s, self._told_state = now_s, seen.state
        notify(status("; ".join(filter(None, (status_line(seen), self._remark)))), wait=False)


def status_line(seen: Snapshot) -> str:
    """Give a run in one line for `systemctl status`."""
    if seen.state == "starting":
        return f"starting: {seen.reason}"
    counts = f"{seen.frames} frames, {sum(seen.drops.values())} dropped"
    if seen.reconnects:
        counts += f", reconnected {seen.reconnects} times"
    if seen.state == "running":
        return f"running: {seen.fps:.1f} FPS, {counts}"
    return f"{seen.state}: {seen.reason}; {counts}"
