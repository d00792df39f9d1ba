"""A bar on the terminal for the minutes that a build takes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeseg.engines.tensorrt.watch import Progress


@contextlib.contextmanager
def build_bar(title: str) -> Iterator[Progress]:
    """Draw a bar on stderr while TensorRT builds; one line without a terminal."""
    if not sys.stderr.isatty():
        yield _line_once(f"building the engine of {title}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[phase]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0, phase="")
        yield lambda share, phase: bar.update(task, completed=share, phase=phase)


def _line_once(line: str) -> Progress:
    """Give a progress that prints its line when the build begins, and no more."""
    waiting = [line]

    def show(_share: float, _phase: str) -> None:
        while waiting:
            print(waiting.pop(), file=sys.stderr, flush=True)

    return show
