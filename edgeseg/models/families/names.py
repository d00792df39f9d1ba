"""Class names in the metadata of ONNX files that other programs wrote."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterable, Mapping

MAX_CHARACTERS = 1 << 18
MAX_NAME = 100
MAX_CLASSES = 65535

_KEYS = ("names", "classes", "class_names", "labels")


def names_in(properties: Mapping[str, str]) -> tuple[str, ...]:
    """Give the class names that an ONNX file's metadata hold; none when they hold none.

    Understood are `names`, `classes`, `class_names` and `labels`: a Python dictionary or
    list as ultralytics writes it, the same in JSON, or names with commas or line ends
    between.
    """
    for key in _KEYS:
        if key in properties and (found := parse_names(properties[key])):
            return found
    return ()


def parse_names(text: str) -> tuple[str, ...]:
    """Read the names of classes 0, 1, 2 and so on; none when the text is no such list.

    Classes that a dictionary leaves out are called by their number.
    """
    if len(text) > MAX_CHARACTERS:
        return ()
    value = _literal(text)
    if isinstance(value, dict):
        return _of_dict(value)
    if isinstance(value, (list, tuple)):
        names = [name for name in value if isinstance(name, str)]
        return clean_names(names) if len(names) == len(value) <= MAX_CLASSES else ()
    if text.lstrip()[:1] in ("{", "[", "("):
        return ()
    parts = [part for part in text.replace("\n", ",").split(",") if part.strip()]
    # Without letters it is a count, or sizes.
    worded = any(character.isalpha() for part in parts for character in part)
    return clean_names(parts) if worded and len(parts) <= MAX_CLASSES else ()


def clean_names(names: Iterable[str]) -> tuple[str, ...]:
    """Give each name on one line and not too long; an empty one becomes its number."""
    one_line = (" ".join(name.split())[:MAX_NAME] for name in names)
    return tuple(name or str(number) for number, name in enumerate(one_line))


def _literal(text: str) -> object:
    """Read a Python or JSON literal; None for anything else."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python comments on odd escapes
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _of_dict(value: dict[object, object]) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for key, name in value.items():
        number = int(key) if isinstance(key, str) and key.isdecimal() and len(key) < 6 else key
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(name, str):
            return ()
        if not 0 <= number < MAX_CLASSES:
            return ()
        names[number] = name
    return clean_names(names.get(i, "") for i in range(max(names, default=-1) + 1))
