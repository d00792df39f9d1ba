"""One process at a time, by a lock file that dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from edgeseg.errors import EngineError

log = logging.getLogger(__name__)

_POLL_S = 0.2


@contextlib.contextmanager
def locked(path: Path, *, wait_s: float, purpose: str) -> Iterator[None]:
    """Hold the lock file `path`, waiting for another process up to `wait_s`.

    Raises EngineError when the wait is over, OSError when the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline_s = time.monotonic() + wait_s
    told = False
    while True:
        with path.open("a+", encoding="ascii") as file:
            if _try_lock(file) and _is_still(file, path):
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
            holder = _holder(file)
        if not told:
            log.info("waiting for process %s, which is %s", holder, purpose)
            told = True
        if time.monotonic() >= deadline_s:
            raise EngineError(
                f"process {holder} has been {purpose} for more than {wait_s:.0f} s",
                hint="Wait for it, or end it, and try again.",
            )
        time.sleep(_POLL_S)


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(file: IO[str], path: Path) -> bool:
    """Say whether the open file is the one at `path`: the last holder removed its own."""
    try:
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read(20).strip() or "(unknown)"
