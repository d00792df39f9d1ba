"""Files that are known by their bytes: a name, a size, a SHA-256, and where to find them."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import DownloadError
from edgeseg.files import sha256_of, written_aside


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file that is right only when its bytes are."""

    name: str
    size_bytes: int
    sha256: str
    """64 lower-case hex digits."""
    urls: tuple[str, ...] = ()
    """http(s) addresses, best first."""
    packages: tuple[PackagedFile, ...] = ()
    """Python packages that carry the file, for machines that reach only a package index."""

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"{self.name}: sha256 is 64 lower-case hex digits")
        if self.size_bytes < 1:
            raise ValueError(f"{self.name}: size_bytes is 1 or more, got {self.size_bytes}")


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """Where a Python package holds a file."""

    project: str
    """Name on the package index."""
    archive: PinnedFile
    """The wheel or source archive; found through the index, so it has no addresses."""
    member: str
    """Path of the file inside the archive."""


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn OSError of the disk under `path` into DownloadError."""
    elsewhere = "Name another folder with EDGESEG_CACHE_DIR."
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(f"{path.parent}: the disk is full", hint=elsewhere) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DownloadError(f"{path.parent} cannot be written", hint=elsewhere) from error
        raise DownloadError(f"{path}: {error.strerror or error}", hint=elsewhere) from error


def is_verified(path: Path, pinned: PinnedFile) -> bool:
    """Say whether `path` holds the pinned bytes.

    The first answer costs one reading; a receipt beside the file then says that
    these bytes were checked, for as long as the file is not touched. Raises
    DownloadError when the file is there and cannot be read.
    """
    with disk_errors(path):
        return _is_verified(path, pinned)


def _is_verified(path: Path, pinned: PinnedFile) -> bool:
    if not path.is_file() or path.stat().st_size != pinned.size_bytes:
        return False
    receipt = path.with_name(path.name + ".receipt.json")
    expected = _receipt(path, pinned)
    with contextlib.suppress(OSError, ValueError):
        if json.loads(receipt.read_text()) == expected:
            return True
    if sha256_of(path) != pinned.sha256:
        return False
    # A cache that cannot be written is checked in full each time.
    with contextlib.suppress(OSError), written_aside(receipt) as aside:
        aside.write_text(json.dumps(expected))
    return True


def _receipt(path: Path, pinned: PinnedFile) -> dict[str, object]:
    stat = path.stat()
    return {
        "sha256": pinned.sha256,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "ctime_ns": stat.st_ctime_ns,
        "inode": stat.st_ino,
    }
