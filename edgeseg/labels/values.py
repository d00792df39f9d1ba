"""Values out of label files, checked; what is wrong raises BadLabel in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from edgeseg import _native
from edgeseg.labels.problems import BadLabel
from edgeseg.labels.types import MAX_CLASSES, MAX_PIXELS, Box, Mask
from edgeseg.types import Size

_SPILL_PX = 1.0
"""A box may reach so far beyond the picture: it is cut without a word."""
_LONGEST_SHOWN = 40


def shown(value: object) -> str:
    """Give a value for a message, shortened."""
    text = repr(value) if not isinstance(value, (dict, list)) else type(value).__name__
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def parsed(data: bytes | str) -> Any:
    """Parse JSON. Raises BadLabel, whatever the text is."""
    try:
        return json.loads(data)
    except RecursionError:
        raise BadLabel("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadLabel(f"is no JSON: {error.msg} at character {error.pos + 1}") from None
    except ValueError:  # not UTF-8, or a number of thousands of digits
        raise BadLabel("is no JSON text") from None


def record(value: object, what: str) -> dict[str, Any]:
    """Check for a JSON object."""
    if not isinstance(value, dict):
        raise BadLabel(f"{what} is {shown(value)}, not an object {{…}}")
    return value


def number(value: object, what: str) -> float:
    """Check for a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadLabel(f"{what} is {shown(value)}, not a number")
    if not abs(value) < 1e15:  # also catches NaN; larger integers have no float
        raise BadLabel(f"{what} is {shown(value)}, not a finite number")
    return float(value)


def numbers(value: object, what: str, count: int | None = None) -> list[float]:
    """Check for a list of finite numbers, `count` of them."""
    if not isinstance(value, list) or (count is not None and len(value) != count):
        wanted = "a list of numbers" if count is None else f"a list of {count} numbers"
        raise BadLabel(f"{what} is {shown(value)}, not {wanted}")
    return [number(item, what) for item in value]


def whole(value: object, what: str, low: int = 0, high: int = 2**53) -> int:
    """Check for a whole number from `low` to `high`."""
    found = number(value, what)
    if found != int(found) or not low <= found <= high:
        raise BadLabel(f"{what} is {shown(value)}, not a whole number from {low} to {high}")
    return int(found)


def text(value: object, what: str) -> str:
    """Check for a text that files and terminals can carry."""
    if not isinstance(value, str) or not value.strip() or "\0" in value or len(value) > 4096:
        raise BadLabel(f"{what} is {shown(value)}, not a text")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadLabel(f"{what} is {shown(value)}, not a text") from None
    return value


def picture_name(value: object, what: str = "file_name") -> str:
    """Give a path below the folder of pictures; the bare name where it leads elsewhere."""
    name = text(value, what).replace("\\", "/")
    path = PurePosixPath(name)
    if path.name in ("", ".", ".."):
        raise BadLabel(f"{what} {shown(name)} names no file")
    # Absolute names, and those with "..", are of another machine or of a run's source.
    outside = path.is_absolute() or ".." in path.parts or ":" in path.parts[0]
    return path.name if outside else str(path)


def picture_size(width: object, height: object) -> Size:
    """Check the size of a picture."""
    size_px = (whole(width, "width", 1, MAX_PIXELS), whole(height, "height", 1, MAX_PIXELS))
    if size_px[0] * size_px[1] > MAX_PIXELS:
        raise BadLabel(f"a picture of {size_px[0]}x{size_px[1]} is too large")
    return size_px


def class_number(value: object, what: str = "class") -> int:
    """Check the number of a class."""
    return whole(value, what, 0, MAX_CLASSES - 1)


def score_of(value: object) -> float | None:
    """Check a score; None stays None."""
    if value is None:
        return None
    found = number(value, "score")
    if not 0 <= found <= 1:
        raise BadLabel(f"score is {found:g}, not from 0 to 1")
    return found


def clipped(box: Sequence[float], size_px: Size) -> tuple[Box, bool]:
    """Cut a box to the picture; tell whether more than a pixel of it lay outside.

    Raises BadLabel for a box without size, or outside.
    """
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        raise BadLabel(f"the box has no size: {_box_words(box)}")
    width, height = size_px
    inside = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        raise BadLabel(f"the box lies off the picture of {width}x{height}: {_box_words(box)}")
    spill = max(abs(a - b) for a, b in zip(inside, box, strict=True))
    return inside, spill > _SPILL_PX


def mask_of_counts(counts: object, size_px: Size, left: int = 0, top: int = 0) -> Mask | None:
    """Read COCO run lengths, compressed or not, of a region of `size_px` at (left, top)."""
    width, height = size_px
    if isinstance(counts, str):
        try:
            pixels = _native.rle_decode(counts.encode("ascii"), (height, width))
        except (ValueError, OverflowError) as error:
            raise BadLabel(f"the run lengths are damaged: {error}") from None
    else:
        runs = np.array([whole(run, "counts", 0, MAX_PIXELS) for run in _listed(counts)], np.int64)
        if int(runs.sum()) != width * height:
            raise BadLabel(f"the run lengths cover {int(runs.sum())} pixels, not {width}x{height}")
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        pixels = flat.reshape((height, width), order="F")
    return Mask.from_pixels(pixels, left, top)


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise BadLabel(f"counts is {shown(value)}, neither a text nor a list")
    return value


def _box_words(box: Sequence[float]) -> str:
    return ", ".join(f"{edge:.6g}" for edge in box)
