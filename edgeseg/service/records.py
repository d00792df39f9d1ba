"""Flight records: one zip file each, written after a crash, read by `edgeseg replay`."""

from __future__ import annotations

import contextlib
import json
import re
import time
import zipfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeseg.errors import SourceOpenError
from edgeseg.files import written_aside
from edgeseg.service.ring import ABOUT, LOG, STACKS, Moment, Ring

RECORDS_KEPT = 10
MAX_BYTES = 32 * 1024 * 1024
"""No record of ours is nearly so large; more is not read."""
_MAX_ENTRIES = 1000
_FRAME = re.compile(r"frames/(\d{1,12})\.jpg")
_NAME = "flight-*.zip"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a run's last seconds."""

    about: dict[str, Any]
    """`reason`, `error`, `version`, `source`, … as `Recorder` wrote them."""
    moments: tuple[Moment, ...]
    log: str
    stacks: str
    """Where every thread was when the process was aborted; mostly empty."""


def save_record(ring: Ring, folder: Path, *, reason: str, error: str = "") -> Path:
    """Make a record of the ring's content; give its path. The oldest ones give way.

    `reason` is one word for the file's name, `error` a traceback. Raises OSError.
    """
    try:
        about = json.loads(ring.read(ABOUT))
    except ValueError:
        about = {}
    about |= {"reason": reason, "error": error, "saved_utc": _utc()}
    path = _free_name(folder, reason)
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w") as archive:
        rows = []
        for moment in ring.moments():
            rows.append(json.dumps(moment.facts))
            if moment.jpeg:
                archive.writestr(f"frames/{int(moment.facts['frame'])}.jpg", moment.jpeg)
        archive.writestr("record.json", json.dumps(about, indent=1))
        archive.writestr("moments.jsonl", "\n".join(rows))
        for name in (LOG, STACKS):
            archive.writestr(name, ring.read(name), zipfile.ZIP_DEFLATED)
    _let_the_oldest_go(folder)
    return path


def read_record(path: Path) -> Record:
    """Read a record; its sizes and names are checked, for it may come from anywhere.

    Raises SourceOpenError for a file that is no flight record.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_ENTRIES or sum(e.file_size for e in entries) > MAX_BYTES:
                raise SourceOpenError(f"{path} is too large for a flight record")
            about = json.loads(archive.read("record.json"))
            rows = archive.read("moments.jsonl").splitlines()
            pictures = {
                int(found[1]): archive.read(entry)
                for entry in entries
                if (found := _FRAME.fullmatch(entry.filename))
            }
            moments = [_moment(json.loads(row), pictures) for row in rows if row.strip()]
            texts = [archive.read(name).decode("utf-8", "replace") for name in (LOG, STACKS)]
    except OSError as error:
        raise SourceOpenError(f"{path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise SourceOpenError(
            f"{path} is no flight record: {error}", hint="They are called flight-….zip."
        ) from error
    if not isinstance(about, dict):
        raise SourceOpenError(f"{path} is no flight record: it does not say what ran")
    return Record(about, tuple(moments), *texts)


def list_records(folder: Path) -> list[Path]:
    """Give the records of a folder, oldest first."""
    return sorted(folder.glob(_NAME), key=lambda path: path.name)


def _moment(facts: Any, pictures: dict[int, bytes]) -> Moment:
    if not isinstance(facts, dict):
        raise ValueError("a moment is no object")  # noqa: TRY004 - it is the file that is wrong
    return Moment(facts, pictures.get(int(facts.get("frame", -1)), b""))


def _free_name(folder: Path, reason: str) -> Path:
    """Give a new name; names are in the order of time."""
    while True:
        now = datetime.now(timezone.utc)
        path = folder / f"flight-{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}Z-{reason}.zip"
        if not path.exists():
            return path


def _let_the_oldest_go(folder: Path) -> None:
    for path in list_records(folder)[:-RECORDS_KEPT]:
        with contextlib.suppress(OSError):
            path.unlink()


def _utc() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
