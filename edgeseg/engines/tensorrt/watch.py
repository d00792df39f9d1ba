"""What a build says while it runs: messages, progress; and how it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, cast

from edgeseg.engines.tensorrt import bindings as b
from edgeseg.engines.tensorrt.api import Api

log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]
"""Hears the share done, from 0 to 1 and never falling, and the phase."""

ERROR = 1
"""ILogger.Severity: 0 is an internal error, 1 an error, 2 a warning; the same in all versions."""


MOST = 1000
"""Messages kept: an engine may run for weeks."""


class Messages:
    """What TensorRT said in earnest: the builder raises nothing, it only logs."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def take(self, severity: int, message: str) -> None:
        """Keep one message; may be called from any thread."""
        log.debug("TensorRT (%d): %s", severity, message)
        kept = self.errors if severity <= ERROR else self.warnings
        if severity <= ERROR + 1 and len(kept) < MOST:
            kept.append(message)

    def reason(self) -> str:
        """Join the errors, each once, to one text."""
        return "; ".join(dict.fromkeys(" ".join(error.split()) for error in self.errors))


def open_logger(api: Api, messages: Messages) -> b.ILogger:
    """Give TensorRT's ILogger; keep a reference as long as anything built with it lives."""

    class Logger(api.trt.ILogger):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            api.trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            messages.take(int(severity), message)

    return cast("b.ILogger", Logger())


class Phases:
    """TensorRT's nested build phases as one share done; safe from several threads."""

    def __init__(self, progress: Progress | None, cancelled: threading.Event) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._open: dict[str, tuple[str | None, int, int]] = {}
        self._share = 0.0
        self.failure: Exception | None = None
        """What `progress` raised; it stops the build."""

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Note that a phase of so many steps began inside another."""
        with self._lock:
            self._open[name] = (parent, 0, max(1, steps))
        self._tell(name)

    def step(self, name: str, step: int) -> bool:
        """Note a finished step, counted from 0; False tells TensorRT to stop."""
        with self._lock:
            parent, _, steps = self._open.get(name, (None, 0, step + 1))
            self._open[name] = (parent, min(step + 1, steps), steps)
        self._tell(name)
        return not self._cancelled.is_set()

    def finish(self, name: str) -> None:
        """Note that a phase ended."""
        with self._lock:
            self._open.pop(name, None)

    def _tell(self, name: str) -> None:
        if self._progress is None:
            return
        with self._lock:
            share, step = 0.0, name
            for _ in range(len(self._open) + 1):
                parent, done, steps = self._open.get(step, (None, 0, 1))
                share = min(1.0, (done + share) / steps)
                if parent is None:
                    break
                step = parent
            self._share = max(self._share, share)
            try:
                self._progress(self._share, name)
            except Exception as error:  # noqa: BLE001 - it must not unwind through TensorRT
                self.failure = self.failure or error
                self._cancelled.set()


def open_monitor(api: Api, phases: Phases) -> Any:
    """Give TensorRT's IProgressMonitor; keep a reference while the build runs."""

    class Monitor(api.trt.IProgressMonitor):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            api.trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return phases.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()
