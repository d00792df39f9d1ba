"""Where edgeseg keeps files, and how it writes them: aside first, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def cache_dir() -> Path:
    """Give the folder for models and engines: $EDGESEG_CACHE_DIR or the user's cache folder."""
    chosen = os.environ.get("EDGESEG_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("edgeseg"))


def part_path(path: Path) -> Path:
    """Give the name a file has until it is complete."""
    return path.with_name(path.name + ".part")


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a name of its own to write to; it becomes `path` when the block ends well.

    After an error nothing is left, and an older `path` stays as it was. Two
    processes may write the same `path`: the last one to finish wins, whole.
    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Give the hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
