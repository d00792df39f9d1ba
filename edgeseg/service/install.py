"""Write a plan's files as one step: all of them, or none."""

from __future__ import annotations

import contextlib
import grp
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeseg.errors import ServiceError
from edgeseg.service.plan import File

Change = Literal["written", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class _Staged:
    aside: Path
    path: Path
    before: bytes | None
    """What was there; None: nothing."""
    before_mode: int


def install_files(files: Sequence[File], root: Path = Path("/")) -> dict[Path, Change]:
    """Write what differs, and say what happened to each path.

    Everything is written aside first; if a rename fails then, what was
    renamed gets its old content back. Raises ServiceError.
    """
    done: dict[Path, Change] = {}
    staged: list[_Staged] = []
    try:
        for file in files:
            path = inside(root, file.path)
            before, mode = _content(path)
            same = before == file.text.encode() and mode == file.mode
            done[file.path] = "unchanged" if same else "written" if before is None else "changed"
            if not same:
                # A name of its own that no tool reads.
                aside = path.with_name(f".{path.name}.{os.getpid()}.part")
                staged.append(_Staged(aside, path, before, mode))
                _write(aside, file, root)
        _rename_all(staged)
    except OSError as error:
        raise _refused(error) from error
    finally:
        for item in staged:
            with contextlib.suppress(OSError):
                item.aside.unlink(missing_ok=True)
    return done


def remove_files(paths: Sequence[Path], root: Path = Path("/")) -> list[Path]:
    """Remove files that are there, and give them. Raises ServiceError."""
    removed = []
    for path in paths:
        try:
            inside(root, path).unlink()
            removed.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _refused(error) from error
    return removed


def inside(root: Path, path: Path) -> Path:
    """Give an absolute path of the image `root` as one of this machine."""
    return root / path.relative_to("/")


def _rename_all(staged: Sequence[_Staged]) -> None:
    renamed: list[_Staged] = []
    try:
        for item in staged:
            item.aside.replace(item.path)
            renamed.append(item)
    except OSError:
        for item in reversed(renamed):
            with contextlib.suppress(OSError):
                _put_back(item)
        raise


def _put_back(item: _Staged) -> None:
    if item.before is None:
        item.path.unlink()
        return
    item.aside.write_bytes(item.before)
    item.aside.chmod(item.before_mode)
    item.aside.replace(item.path)


def _write(aside: Path, file: File, root: Path) -> None:
    """Write a file with its owner and mode, and have it on the disk."""
    aside.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(file.text.encode())
        _give_to(file.group, opened.fileno(), root)
        os.fchmod(opened.fileno(), file.mode)
        os.fsync(opened.fileno())


def _give_to(group: str, descriptor: int, root: Path) -> None:
    """Set the group; one that is not there yet is set later, by tmpfiles.d."""
    if os.geteuid() != 0 or group == "root":
        return
    number = _group_of(group, root)
    if number is not None:
        os.fchown(descriptor, 0, number)


def _group_of(name: str, root: Path) -> int | None:
    if root == Path("/"):
        with contextlib.suppress(KeyError):
            return grp.getgrnam(name).gr_gid
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in inside(root, Path("/etc/group")).read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split(":")[2])
    return None


def _content(path: Path) -> tuple[bytes | None, int]:
    try:
        return path.read_bytes(), path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return None, 0


def _refused(error: OSError) -> ServiceError:
    who = "" if os.geteuid() == 0 else "Run it with sudo, or write into an image with --root DIR."
    return ServiceError(
        f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}",
        hint=who or "Nothing was changed.",
    )
