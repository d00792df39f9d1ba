"""Show how far a download is: a bar on a terminal, one line elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def shown_progress(title: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Give a function that takes the bytes done so far; draws on stderr."""
    if not sys.stderr.isatty():
        print(f"downloading {title} ({total_bytes / 1e6:.1f} MB)", file=sys.stderr, flush=True)
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total_bytes)
        yield lambda done_bytes: progress.update(task, completed=done_bytes)
