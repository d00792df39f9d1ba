"""Indexed PNG masks: one value for each object (instances), or for each class.

Instance masks: masks/NAME.png holds 0 where nothing is, the object's number
from 1, and the highest value (255, or 65535 in 16 bits) where objects are not
told apart. instances.jsonl has one line for each object: image, id, class_id,
cls, bbox (left, top, width, height), area, fill (area of box covered). Large
objects lie below small ones; an object that another one covers in part carries
its whole mask in its line as well, so nothing is lost.

Class masks: NAME.png holds 0 where nothing is, otherwise the class's number
plus 1; the highest value is for what is to be ignored.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.labels.problems import BadLabel
from edgeseg.labels.types import MAX_PIXELS, LabelObject, Mask
from edgeseg.types import Size

IdMap = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Painted:
    """A map of values, and how much of each object can be seen in it."""

    values: IdMap
    visible_px: tuple[int, ...]
    """For each object, in order, how many of its pixels carry its value."""


def painted(
    objects: Sequence[LabelObject],
    size_px: Size,
    value_of: Callable[[int], int],
    *,
    highest: int,
) -> Painted:
    """Paint the masks of objects, large ones first, crowds below all as the highest value.

    `value_of` gives an object's value by its place; `highest` is that of the
    values, and decides between 8 and 16 bits. Equal areas: the earlier object
    lies on top.
    """
    wide = highest > 254
    values: IdMap = np.zeros((size_px[1], size_px[0]), np.uint16 if wide else np.uint8)
    ignored = 65_535 if wide else 255
    order = sorted(
        (place for place, found in enumerate(objects) if found.mask is not None),
        key=lambda place: (not objects[place].crowd, -objects[place].area_px, -place),
    )
    for place in order:
        mask = objects[place].mask
        if mask is not None:
            left, top, right, bottom = mask.box_px
            value = ignored if objects[place].crowd else value_of(place)
            values[top:bottom, left:right][mask.pixels()] = value
    return Painted(
        values, tuple(_visible(values, found, value_of(n)) for n, found in enumerate(objects))
    )


def _visible(values: IdMap, found: LabelObject, value: int) -> int:
    if found.mask is None or found.crowd:
        return 0
    left, top, right, bottom = found.mask.box_px
    return int(np.count_nonzero((values[top:bottom, left:right] == value) & found.mask.pixels()))


def masks_of(values: IdMap) -> dict[int, Mask]:
    """Give the pixels of each value but 0, by rising value."""
    rows, columns = np.nonzero(values)
    if not len(rows):
        return {}
    found = values[rows, columns]
    order = np.argsort(found, kind="stable")
    ids, starts = np.unique(found[order], return_index=True)
    lefts = np.minimum.reduceat(columns[order], starts).tolist()
    rights = (np.maximum.reduceat(columns[order], starts) + 1).tolist()
    tops = np.minimum.reduceat(rows[order], starts).tolist()
    bottoms = (np.maximum.reduceat(rows[order], starts) + 1).tolist()
    masks = {}
    for value, left, top, right, bottom in zip(
        ids.tolist(), lefts, tops, rights, bottoms, strict=True
    ):
        mask = Mask.from_pixels(values[top:bottom, left:right] == value, left, top)
        if mask is not None:
            masks[value] = mask
    return masks


def ignored_value(values: IdMap) -> int:
    """Give the value of what is to be ignored."""
    return 65_535 if values.dtype == np.uint16 else 255


def read_map(path: Path) -> IdMap:
    """Read a PNG of one channel, 8 or 16 bits, or with a palette. Raises BadLabel."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's limit warns first; ours, below, refuses
            with PIL.Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise BadLabel(f"is {picture.width}x{picture.height}: too large")
                if picture.mode not in ("L", "P", "1", "I;16", "I;16B", "I;16L", "I"):
                    raise BadLabel(f"is a picture of mode {picture.mode}, not of one channel")
                values = np.asarray(picture)
    except BadLabel:
        raise
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else "not a whole picture"
        raise BadLabel(f"cannot be read: {reason}") from None
    except Exception:  # noqa: BLE001 - Pillow's parsers raise whatever a hostile file provokes
        raise BadLabel("cannot be read: not a whole picture") from None
    if values.dtype.itemsize > 2:
        if values.size and not 0 <= values.min() <= values.max() <= 65_535:
            raise BadLabel("holds values beyond 16 bits")
        return values.astype(np.uint16)
    return values.astype(np.uint8 if values.dtype.itemsize == 1 else np.uint16)


def png_of(values: IdMap) -> bytes:
    """Encode a map as grey PNG of its depth."""
    import PIL.Image

    encoded = io.BytesIO()
    PIL.Image.fromarray(values).save(encoded, "PNG", compress_level=6)
    return encoded.getvalue()
