"""The last seconds of a run on disk, in a fixed number of files that are written over.

What a killed process leaves here is complete up to its last fraction of a
second; `records.py` makes a flight record of it. Every file is written aside
and renamed, so none is ever half a picture.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edgeseg.errors import SinkError
from edgeseg.sinks.aside import sink_error

SLOTS = 50
LONGEST_PICTURE_BYTES = 128 * 1024
LONGEST_TEXT_BYTES = 256 * 1024
ABOUT, LOG, STACKS = "about.json", "log.txt", "stacks.txt"


@dataclass(frozen=True, slots=True)
class Moment:
    """One kept frame, and the timings of all results since the one before."""

    facts: dict[str, Any]
    """`frame`, `time_s`, `objects`, … as in JSONL, and `timings`: a list of dicts."""
    jpeg: bytes


class Ring:
    """A folder with the newest moments; one process at a time owns it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder over with what lies in it. Raises SinkError, also when it is taken."""
        self.folder = folder
        self._next = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock: BinaryIO = (folder / "lock").open("ab")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise SinkError(
                    f"{folder}: another run keeps its flight record there",
                    hint="Give each run a folder of its own: --flight-record.",
                ) from None
        except OSError as error:
            raise sink_error(folder, error) from error

    @property
    def used(self) -> bool:
        """True when a run wrote here and did not end in order."""
        return (self.folder / ABOUT).exists()

    def begin(self, about: dict[str, Any]) -> None:
        """Empty the ring and write what the run is. Raises OSError."""
        self.clear()
        self.write(ABOUT, json.dumps(about).encode())

    def keep(self, moment: Moment) -> None:
        """Write a moment over the oldest one. Raises OSError."""
        if len(moment.jpeg) > LONGEST_PICTURE_BYTES:
            moment = Moment(moment.facts, b"")
        line = json.dumps(moment.facts, separators=(",", ":")).encode()
        self.write(f"{self._next:03d}.moment", line + b"\n" + moment.jpeg)
        self._next = (self._next + 1) % SLOTS

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole. Raises OSError."""
        aside = self.folder / f"{name}.part"
        aside.write_bytes(content)
        aside.replace(self.folder / name)

    def read(self, name: str) -> bytes:
        """Give a file's end, at most LONGEST_TEXT_BYTES of it; nothing when it is not there."""
        try:
            with (self.folder / name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - LONGEST_TEXT_BYTES))
                return file.read(LONGEST_TEXT_BYTES)
        except OSError:
            return b""

    def moments(self) -> Iterator[Moment]:
        """Give the moments that can be read, in the order of their frames."""
        found = []
        for path in self.folder.glob("*.moment"):
            with contextlib.suppress(OSError, ValueError):
                line, _, jpeg = path.read_bytes().partition(b"\n")
                found.append(Moment(json.loads(line), jpeg))
        yield from sorted(found, key=lambda moment: int(moment.facts.get("frame", 0)))

    def clear(self) -> None:
        """Remove what was kept: the run ended in order."""
        for path in self.folder.iterdir():
            if path.name != "lock":
                with contextlib.suppress(OSError):
                    path.unlink()

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()
