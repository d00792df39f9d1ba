"""Class names beside labels: names files, and the `names:` of a YOLO data.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from edgeseg.errors import DarknetError, LabelError
from edgeseg.labels.types import MAX_CLASSES
from edgeseg.models.class_names import COCO_NAMES, MAX_NAMES_BYTES, read_names

NAMES_FILES = ("names.txt", "classes.txt", "obj.names", "coco.names")
_YAML = (".yaml", ".yml")

# Darknet's names of COCO's classes differ from COCO's own in these.
_SYNONYMS = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
}


def find_names(folder: Path, names: Path | None = None) -> tuple[str, ...]:
    """Give the class names that `names` holds; without it, those of a file in `folder` or above.

    A data.yaml comes first, then names.txt, classes.txt and any one .names
    file. Empty when there is none. Raises LabelError.
    """
    if names is not None:
        return read_class_names(names)
    for place in (folder, folder.parent):
        for file in _candidates(place):
            found = read_class_names(file)
            if found:
                return found
    return ()


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read a names file, or a YAML file with `names:`; `coco` is Darknet's list of COCO's 80.

    Raises LabelError.
    """
    if str(path) == "coco" and not path.exists():
        path = COCO_NAMES
    if path.suffix.lower() in _YAML:
        found = _names_of_yaml(path)
    else:
        try:
            found = read_names(path)
        except DarknetError as error:
            raise LabelError(error.message, hint=error.hint) from error
    if len(found) > MAX_CLASSES:
        raise LabelError(f"has more than {MAX_CLASSES} names", file=str(path))
    return tuple(name or str(number) for number, name in enumerate(found))


def matched(name: str, names: Sequence[str]) -> int | None:
    """Find a class by name: as written, in other letters, or by COCO's name for Darknet's."""
    if name in names:
        return names.index(name)
    plain = [_plain(known) for known in names]
    wanted = _plain(name)
    return plain.index(wanted) if wanted in plain else None


def data_yaml(names: Sequence[str], *, pictures: bool) -> str:
    """Give the data.yaml of a YOLO data set."""
    remark = "" if pictures else "# The pictures are not here: put them, or a link, into images/\n"
    lines = [f"  {number}: {_quoted(name)}\n" for number, name in enumerate(names)]
    head = f"# Written by edgeseg.\n{remark}path: .\ntrain: images\nval: images\nnames:"
    return head + ("\n" + "".join(lines) if lines else " {}\n")


def _quoted(text: str) -> str:
    """Quote for YAML: JSON's escapes are YAML's, which breaks lines at more characters."""
    quoted = json.dumps(text.encode("utf-8", "replace").decode("utf-8"), ensure_ascii=False)
    return "".join(
        char if char.isprintable() or ord(char) > 0xFFFF else f"\\u{ord(char):04x}"
        for char in quoted
    )


def _plain(name: str) -> str:
    folded = name.casefold().strip()
    return _SYNONYMS.get(folded, folded)


def _candidates(folder: Path) -> list[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []
    yaml = [path for path in files if path.suffix.lower() in _YAML]
    yaml.sort(key=lambda path: path.stem != "data")
    lists = [path for name in NAMES_FILES for path in files if path.name == name]
    others = [path for path in files if path.suffix == ".names" and path not in lists]
    return yaml + lists + (others if len(others) == 1 else [])


def _names_of_yaml(path: Path) -> tuple[str, ...]:
    """Read `names:` in the three ways it is written: [a, b], a list of lines, number: name."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_NAMES_BYTES + 1)
    except OSError as error:
        raise LabelError(f"cannot be read: {error.strerror}", file=str(path)) from error
    text = content[:MAX_NAMES_BYTES].decode("utf-8-sig", "replace")
    lines = re.split(r"\r\n|\r|\n", text)
    start = next((n for n, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return ()
    rest = lines[start].split(":", 1)[1].strip()
    if rest.startswith(("[", "{")):
        return _flow(path, start, [rest, *lines[start + 1 :]])
    return _block(path, start, lines)


def _block(path: Path, start: int, lines: list[str]) -> tuple[str, ...]:
    """Read the indented lines below `names:`."""
    found: dict[int, str] = {}
    for at in range(start + 1, len(lines)):
        line = lines[at].strip()
        if not line or line.startswith("#"):
            continue
        if lines[at][0] not in " \t-":
            break
        item = re.fullmatch(r"-\s+(.*)|['\"]?(\d+)['\"]?\s*:\s*(.*)", line)
        if item is None:
            raise LabelError("is no class name", file=str(path), line=at + 1)
        key = len(found) if item[2] is None else int(item[2][:6])
        if key >= MAX_CLASSES or key in found:
            raise LabelError(
                f"class {key} is named twice or too large", file=str(path), line=at + 1
            )
        found[key] = _scalar(item[1] if item[2] is None else item[3])
    return tuple(found.get(number, "") for number in range(max(found, default=-1) + 1))


def _flow(path: Path, start: int, lines: list[str]) -> tuple[str, ...]:
    """Read `[a, 'b', "c"]` or `{0: a, 1: b}`, on one line or more."""
    text = "\n".join(lines)
    token = re.compile(r"\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^,\[\]{}'\"#\n]+)\s*")
    close = "]" if text[0] == "[" else "}"
    found: dict[int, str] = {}
    position = 1
    while True:
        blank = re.compile(r"(?:\s|,|#[^\n]*(?:\n|$))*").match(text, position)
        position = blank.end() if blank else position
        if text[position : position + 1] == close:
            break
        item = token.match(text, position)
        if item is None:
            line = start + 1 + text.count("\n", 0, position)
            raise LabelError("is no list of class names", file=str(path), line=line)
        position, name, key = item.end(), item[1].strip(), len(found)
        if close == "}" and (pair := re.fullmatch(r"(\d{1,5})\s*:\s*(.*)", name, re.DOTALL)):
            key, name = int(pair[1]), pair[2]
            if not name and (value := token.match(text, position)):
                position, name = value.end(), value[1].strip()
        found[key] = _scalar(name)
    return tuple(found.get(number, "") for number in range(max(found, default=-1) + 1))


def _scalar(text: str) -> str:
    """Take the quotes or the comment off a YAML value."""
    text = text.strip()
    if text.startswith('"') and (double := re.match(r"\"(?:[^\"\\]|\\.)*\"", text)):
        try:
            return str(json.loads(double[0], strict=False))
        except ValueError:
            return double[0][1:-1]
    if text.startswith("'") and (single := re.match(r"'((?:[^']|'')*)'", text)):
        return single[1].replace("''", "'")
    return re.sub(r"\s+#.*$", "", text).strip()
