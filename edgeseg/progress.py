"""How far a run is: a bar for files, a spinner for live sources, log lines without a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from edgeseg.sources.base import SourceInfo

LOG_EVERY_S = 10.0

log = logging.getLogger(__name__)


class Progress(Protocol):
    """Takes note of each delivered frame."""

    def advance(self, fps: float | None) -> None:
        """Note one more frame."""


@contextlib.contextmanager
def open_progress(info: SourceInfo, total: int | None, *, shown: bool) -> Iterator[Progress]:
    """Give the progress display that fits the terminal and the source."""
    if shown and sys.stderr.isatty():
        with _bar(info, total) as bar:
            yield bar
    else:
        yield _LogLines(total if shown else None, shown=shown)


class _LogLines:
    """A line in the log every ten seconds."""

    def __init__(self, total: int | None, *, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._count = 0
        self._next_s = time.monotonic() + LOG_EVERY_S

    def advance(self, fps: float | None) -> None:
        self._count += 1
        if self._shown and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LOG_EVERY_S
            of = f" of about {self._total}" if self._total else ""
            log.info("%d frames%s, %.1f FPS", self._count, of, fps or 0.0)


@contextlib.contextmanager
def _bar(info: SourceInfo, total: int | None) -> Iterator[Progress]:
    from rich import progress as rich_progress
    from rich.console import Console

    columns: list[rich_progress.ProgressColumn] = [rich_progress.SpinnerColumn()]
    if total is not None:
        columns = [rich_progress.BarColumn(), rich_progress.MofNCompleteColumn()]
    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        *columns,
        rich_progress.TextColumn("{task.fields[fps]} FPS"),
        rich_progress.TimeElapsedColumn()
        if total is None
        else rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        refresh_per_second=4,
        transient=True,
    )
    bar.start()
    try:
        yield _RichBar(bar, bar.add_task(info.name, total=total, fps="-"))
    finally:
        with contextlib.suppress(OSError):  # the terminal may be gone
            bar.stop()


class _RichBar:
    """rich's progress bar; told of new frames four times a second, not at each."""

    def __init__(self, bar: object, task: object) -> None:
        self._bar = bar
        self._task = task
        self._waiting = 0
        self._next_s = 0.0

    def advance(self, fps: float | None) -> None:
        self._waiting += 1
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + 0.25
        self._bar.update(self._task, advance=self._waiting, fps=f"{fps:.1f}" if fps else "-")  # type: ignore[attr-defined]
        self._waiting = 0
