"""Find the names of a network's classes."""

from __future__ import annotations

import re
from pathlib import Path

from edgeseg.errors import DarknetError

MAX_NAMES_BYTES = 1 << 20
COCO_CLASSES = 80
COCO_NAMES = Path(__file__).parent / "zoo" / "coco.names"


def class_names_for(cfg_path: Path, classes: int, names: Path | None = None) -> tuple[str, ...]:
    """Give one name for each class.

    From `names`; else from the .names file beside the cfg that has its stem;
    else, for 80 classes, from coco.names beside it or COCO's own; else numbers.
    Raises DarknetError when a file has more or fewer names than there are classes.
    """
    candidates = [names] if names else [cfg_path.with_suffix(".names")]
    if names is None and classes == COCO_CLASSES:
        candidates += [cfg_path.with_name("coco.names"), COCO_NAMES]
    for path in candidates:
        if names is not None or path.is_file():
            found = read_names(path)
            _check_count(found, classes, path)
            return tuple(name or str(number) for number, name in enumerate(found))
    return tuple(str(number) for number in range(classes))


def read_names(path: Path) -> tuple[str, ...]:
    """Read a names file: one a line, blank lines at the end ignored. Raises DarknetError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_NAMES_BYTES + 1)
    except OSError as error:
        raise DarknetError(f"cannot be read: {error.strerror}", file=str(path)) from error
    if len(content) > MAX_NAMES_BYTES or b"\0" in content:
        raise DarknetError(
            "is no list of class names", file=str(path), hint="It has one name on each line."
        )
    text = content.decode("utf-8-sig", errors="replace").rstrip()
    return tuple(line.strip() for line in re.split(r"\r\n|\r|\n", text)) if text else ()


def _check_count(found: tuple[str, ...], classes: int, path: Path) -> None:
    if len(found) != classes:
        raise DarknetError(
            f"has {len(found)} names, the network has {classes} classes",
            file=str(path),
            hint="Give the names file of this network: --names FILE.",
        )
