"""Files of results: written as NAME.part, renamed when complete, and never a half one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from edgeseg.errors import SinkError
from edgeseg.files import part_path
from edgeseg.sinks.base import RunInfo

# Errors by which a file system says that there is no room.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sink_error(path: Path, error: OSError) -> SinkError:
    """Say in words why `path` cannot be written, with the room that is left."""
    if error.errno in _FULL:
        return SinkError(
            f"{path}: no room to write ({_free_space(path)})",
            hint="Free some space, or write to another disk.",
        )
    reason = (error.strerror or str(error)).lower()
    return SinkError(
        f"{path}: cannot be written: {reason}",
        hint="Choose a path in a folder that you may write to.",
    )


def _free_space(path: Path) -> str:
    """Tell the free space of the disk that holds `path`."""
    for folder in path.parents:
        with contextlib.suppress(OSError):
            return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB free"
    return "free space unknown"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about `path` into SinkError."""
    try:
        yield
    except OSError as error:
        raise sink_error(path, error) from error


def prepare_file(path: Path, run: RunInfo) -> Path:
    """Give the real path of a file to write, its folder made.

    Raises SinkError when it is a folder, a device or the source itself.
    """
    with writing(path):
        path = Path(os.path.realpath(path))
        if path.is_dir():
            raise SinkError(f"{path} is a folder", hint="Name a file in it.")
        if path.exists() and not path.is_file():
            raise SinkError(
                f"{path} is not a regular file",
                hint="For pipes write to standard output: jsonl:-",
            )
        if path == Path(os.path.realpath(run.source.name)):
            raise SinkError(f"{path} is the source itself", hint="Choose another name.")
        _make_folder(path.parent)
    return path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder") from error


def prepare_folder(path: Path) -> Path:
    """Give the real path of a folder to write into, made when missing. Raises SinkError."""
    with writing(path):
        path = Path(os.path.realpath(path))
        if path.exists() and not path.is_dir():
            raise SinkError(f"{path} is a file", hint="Name a folder.")
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return path


def claimed(path: Path) -> BinaryIO:
    """Make the empty NAME.part of `path` for this run alone, until what is given is closed.

    Raises SinkError when another run writes it, and OSError.
    """
    part = part_path(path)
    while True:
        file = part.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise SinkError(
                f"{path}: another run is writing it", hint="Wait for it, or choose another name."
            ) from None
        except OSError:
            pass  # a file system without locks
        # The other run may have renamed it since it was opened.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), part.stat()):
                file.truncate(0)
                return file
        file.close()


class AsideFile:
    """A text file that gets its name when it is complete; one line is one write.

    Every call raises SinkError when the system refuses, and then nothing is
    left: an older file of that name stays as it was.
    """

    def __init__(self, path: Path, run: RunInfo) -> None:
        self.path = prepare_file(path, run)
        self._part = part_path(self.path)
        with writing(self.path):
            self._claim = claimed(self.path)
            self._file: TextIO | None = self._part.open(
                "w", buffering=1, encoding="utf-8", errors="surrogateescape", newline="\n"
            )

    @property
    def gone(self) -> bool:
        """True when the file is finished or discarded."""
        return self._file is None

    def write(self, text: str) -> None:
        """Write text; whole lines reach the disk at once."""
        if self._file is None:
            raise SinkError(f"{self.path} is closed")
        try:
            self._file.write(text)
        except OSError as error:
            raise self.failed(error) from error

    def finish(self) -> str:
        """Give the file its final name, and return it."""
        if self._file is None:
            raise SinkError(f"{self.path} is closed")
        try:
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            raise self.failed(error) from error
        self._file = None
        self._claim.close()
        return str(self.path)

    def failed(self, error: OSError) -> SinkError:
        """Remove what was written; give the error to raise."""
        # Made first: it tells the room there was.
        told = sink_error(self.path, error)
        self.discard()
        return told

    def discard(self) -> None:
        """Remove what was written; may be called twice."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)
        self._claim.close()
        self._file = None
