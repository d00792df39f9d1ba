"""The pictures beside labels: where they are, and how large."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from edgeseg.errors import LabelError
from edgeseg.labels.problems import BadLabel
from edgeseg.labels.types import MAX_PIXELS
from edgeseg.sources.images import EXTENSIONS
from edgeseg.types import Size

_ORIENTATION = 0x0112


class PictureFiles:
    """The pictures of a folder and of those inside it, found by name without ending."""

    def __init__(self, folder: Path | None, size_px: Size | None = None) -> None:
        """Take a folder, or None for no pictures; `size_px` is for those not found.

        Raises LabelError when the folder cannot be listed.
        """
        self.folder = folder
        self._size_px = size_px
        self._names = {} if folder is None else stems_in(folder, EXTENSIONS)

    def stems(self) -> Iterator[str]:
        """Give every picture's path without ending."""
        return iter(self._names)

    def name(self, stem: str) -> str:
        """Give a picture's path below the folder; the stem when there is none."""
        return self._names.get(stem, stem)

    def path(self, name: str) -> Path | None:
        """Find a picture by its path below the folder, or by that without ending."""
        if self.folder is None:
            return None
        found = self._names.get(name) or self._names.get(stem_of(name))
        return None if found is None else self.folder / found

    def size(self, name: str) -> Size:
        """Give a picture's size. Raises BadLabel when it is not found or cannot be read."""
        path = self.path(name)
        if path is not None:
            return picture_size_px(path)
        if self._size_px is not None:
            return self._size_px
        where = "no folder of pictures was found" if self.folder is None else f"{self.folder}"
        raise BadLabel(f"there is no picture of that name, so its size is unknown ({where})")


def stem_of(name: str) -> str:
    """Take the ending off a picture's path; a dot in a name without ending stays."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in EXTENSIONS else name


def stems_in(folder: Path, endings: tuple[str, ...]) -> dict[str, str]:
    """Find the files of some endings below a folder: path without ending to path, sorted.

    Raises LabelError.
    """

    def refuse(error: OSError) -> None:
        raise LabelError(f"cannot be listed: {error.strerror}", file=str(error.filename))

    found: dict[str, str] = {}
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=False):
        folders.sort()
        below = Path(place).relative_to(folder)
        for file in sorted(files):
            if file.lower().endswith(endings) and not file.startswith("."):
                path = (below / file).as_posix()
                found.setdefault(path[: path.rindex(".")], path)
    return dict(sorted(found.items()))


def picture_size_px(path: Path) -> Size:
    """Read the size of a picture, upright, from its header. Raises BadLabel."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and of bad EXIF
            with PIL.Image.open(path) as picture:
                width, height = picture.size
                turned = False
                # A PNG would be decoded whole to look for EXIF behind the pixels.
                if picture.format != "PNG" or "exif" in picture.info:
                    turned = picture.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else "not a picture"
        raise BadLabel(f"its picture {path} cannot be read: {reason}") from None
    except Exception:  # noqa: BLE001 - Pillow's parsers raise whatever a hostile file provokes
        raise BadLabel(f"its picture {path} cannot be read") from None
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise BadLabel(f"its picture {path} is {width}x{height}")
    return (height, width) if turned else (width, height)
