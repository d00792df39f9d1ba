"""Keep the engine cache tidy: what lies there, and what may go."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseg.engines.cache import engines_dir
from edgeseg.engines.lock import locked
from edgeseg.engines.receipts import Receipt, read_receipt
from edgeseg.errors import EngineError

_known_end = re.compile(r"(\.plan|(\.refused)?\.json)$")
_ENDS = (".plan", ".json", ".refused.json", ".candidate")
_ABANDONED_S = 3600.0
"""A half-written file this old belongs to a process that was killed."""
_LOCK_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One engine in the cache."""

    stem: str
    receipt: Receipt | None
    problem: str
    """Why it cannot be used; empty when it can."""


@dataclass(frozen=True, slots=True)
class Here:
    """What engines on this machine must fit."""

    tensorrt: tuple[str, ...]
    """The products and versions that are installed; empty when that is not known."""
    gpu: str
    """Empty when there is no GPU to ask: then none is held against an engine."""
    compute_capability: str
    l4t: str

    def objection(self, receipt: Receipt) -> str:
        """Say why an engine is of no use here; empty when it is."""
        made_for = receipt.identity
        if self.tensorrt and made_for.tensorrt not in self.tensorrt:
            return f"built with {made_for.tensorrt}, here is {' and '.join(self.tensorrt)}"
        gpu = (self.gpu, self.compute_capability)
        if self.gpu and (made_for.gpu, made_for.compute_capability) != gpu:
            return f"built for {made_for.gpu or 'no GPU'}, here is {self.gpu}"
        if made_for.l4t != self.l4t:
            return f"built on Jetson Linux {made_for.l4t or '(none)'}, not {self.l4t or 'that'}"
        return ""


def list_engines() -> list[Entry]:
    """Give all engines by name; sizes are checked, contents are not read."""
    folder = engines_dir()
    stems = {
        path.name.removesuffix(end) for end in (".plan", ".json") for path in folder.glob(f"*{end}")
    }
    stems = {stem.removesuffix(".refused") for stem in stems}
    return [_entry(folder, stem) for stem in sorted(stems)]


def _entry(folder: Path, stem: str) -> Entry:
    try:
        receipt = read_receipt(folder / f"{stem}.json")
        size = (folder / f"{stem}.plan").stat().st_size
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError, ValueError):
            refused = read_receipt(folder / f"{stem}.refused.json")
            return Entry(stem, refused, f"refused: {refused.refused}")
        if isinstance(error, OSError):
            return Entry(stem, None, f"damaged: {Path(error.filename).name}: {error.strerror}")
        return Entry(stem, None, f"damaged: {error}")
    if size != receipt.size_bytes:
        return Entry(stem, receipt, f"damaged: {size:,} bytes, not {receipt.size_bytes:,}")
    return Entry(stem, receipt, "")


def remove(names: Sequence[str]) -> list[str]:
    """Remove engines by name, or by the beginning of a name that only one has; give the names.

    Raises EngineError for a name that none or several have; nothing is removed then.
    """
    stems = [entry.stem for entry in list_engines()]
    chosen = dict.fromkeys(_match(name, stems) for name in names)
    for stem in chosen:
        _remove(stem)
    return list(chosen)


def _match(name: str, stems: Iterable[str]) -> str:
    matches = [stem for stem in stems if stem.startswith(name)] if name else []
    if name in matches:
        return name
    if len(matches) == 1:
        return matches[0]
    text = f"{len(matches)} engines are called" if matches else "no engine is called"
    raise EngineError(
        f"{text} {name!r}",
        hint=f"These are: {', '.join(matches)}." if matches else "List them: edgeseg engines list",
    )


def prune(here: Here, *, dry_run: bool = False) -> list[tuple[str, str]]:
    """Remove what is of no use here, and leftovers of killed builds; give names and reasons."""
    gone = []
    for entry in list_engines():
        reason = entry.problem or (here.objection(entry.receipt) if entry.receipt else "")
        if reason:
            gone.append((entry.stem, reason))
            if not dry_run:
                _remove(entry.stem)
    for path in _leftovers():
        gone.append((path.name, "left over from a build that was killed"))
        if not dry_run:
            path.unlink(missing_ok=True)
    return gone


def _leftovers() -> list[Path]:
    now_s = time.time()
    found = []
    for end in (".part", ".candidate"):
        for path in sorted(engines_dir().glob(f"*{end}")):
            with contextlib.suppress(OSError):
                if now_s - path.stat().st_mtime > _ABANDONED_S:
                    found.append(path)
    return found


def _remove(stem: str) -> None:
    folder = engines_dir()
    try:
        lock = folder / f"{stem}.lock"
        with locked(lock, wait_s=_LOCK_WAIT_S, purpose=f"building {stem}"):
            for end in _ENDS:
                (folder / f"{stem}{end}").unlink(missing_ok=True)
    except OSError as error:
        raise EngineError(f"{stem} cannot be removed: {error.strerror}") from error
