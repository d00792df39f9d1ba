"""Pictures: one, a folder, or a glob pattern."""

from __future__ import annotations

import glob
import io
import logging
import re
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SourceOpenError
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Frame

log = logging.getLogger("edgeseg.sources")

EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".jp2",
    ".pgm", ".ppm", ".pbm", ".pnm", ".gif", ".avif",
)  # fmt: skip
UNREADABLE = "unreadable picture"
MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded: 300 MB each as BGR."""
_MOST_BYTES = 1 << 30


def open_folder(folder: Path, *, fps: float | None = None) -> PictureSource:
    """Open all pictures of a folder, not of those inside it. Raises SourceOpenError."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise SourceOpenError(f"{folder}: cannot be listed: {error.strerror}") from error
    paths = [path for path in entries if path.suffix.lower() in EXTENSIONS and path.is_file()]
    if not paths:
        inside = [path for path in entries if path.is_dir()]
        nested = f" For pictures in its folders: '{folder}/**/*.jpg'." if inside else ""
        raise SourceOpenError(
            f"{folder}: no pictures in this folder",
            hint=f"Pictures end in {', '.join(EXTENSIONS)}.{nested}",
        )
    return PictureSource(_sorted(paths), name=str(folder), fps=fps)


def open_pattern(pattern: str, *, fps: float | None = None) -> PictureSource:
    """Open all files a glob pattern names; ** goes into folders. Raises SourceOpenError."""
    # pathlib cannot glob a pattern that is absolute or holds "..".
    found = (Path(text) for text in glob.iglob(pattern, recursive=True))  # noqa: PTH207
    paths = [path for path in found if path.suffix.lower() in EXTENSIONS and path.is_file()]
    if not paths:
        raise SourceOpenError(
            f"{pattern}: no picture has such a name",
            hint=f"Pictures end in {', '.join(EXTENSIONS)}. Put the pattern in quotes.",
        )
    return PictureSource(_sorted(paths), name=pattern, fps=fps)


def open_picture(path: Path, *, fps: float | None = None) -> PictureSource:
    """Open one picture. Raises SourceOpenError when it cannot be read."""
    return PictureSource([path], name=str(path), fps=fps)


class PictureSource:
    """Reads pictures one by one; those it cannot read are skipped and counted."""

    def __init__(self, paths: Sequence[Path], *, name: str, fps: float | None = None) -> None:
        """Take the pictures in this order; the first readable one is read at once.

        Raises SourceOpenError when none can be read.
        """
        self._paths = iter(paths)
        self._several = len(paths) > 1
        self._fps = fps
        self._drops: Counter[str] = Counter()
        self._count = 0
        self._closed = False
        self._problem = ""
        self._next = self._read_next()
        if self._next is None:
            several = f"{name}: none of {len(paths)} pictures can be read; the last: "
            raise SourceOpenError((several if len(paths) > 1 else "") + self._problem)
        size_px = self._next.size_px if len(paths) == 1 else None
        self.info = SourceInfo(
            name, live=False, size_px=size_px, fps=fps, frame_count=len(paths), pictures=True
        )

    def read(self) -> Frame | None:
        """Give the next readable picture; None at the end."""
        if self._closed:
            return None
        if self._next is not None:
            frame, self._next = self._next, None
            return frame
        return self._read_next()

    def _read_next(self) -> Frame | None:
        for path in self._paths:
            try:
                image = read_picture(path)
            except SourceOpenError as error:
                self._problem = error.message
                self._drops[UNREADABLE] += 1
                if self._several:
                    log.warning("%s; skipped", error.message)
                continue
            time_s = self._count / self._fps if self._fps else 0.0
            frame = Frame(image, self._count, time_s, str(path), time.monotonic())
            self._count += 1
            return frame
        return None

    def drops(self) -> Mapping[str, int]:
        """Give the number of unreadable pictures."""
        return dict(self._drops)

    def close(self) -> None:
        """End; nothing is held open."""
        self._closed = True


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture as uint8[H, W, 3] BGR, upright as its EXIF orientation says.

    16-bit pictures lose their lower byte, transparency is dropped, of an
    animation the first picture is taken. Raises SourceOpenError for what is not
    a picture, is cut off, or has more than `MAX_PIXELS`.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SourceOpenError(f"{path}: larger than {_MOST_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise SourceOpenError(f"{path}: {error.strerror}") from error
    _check(data, path)
    image = _decoded_by_cv2(data)
    return image if image is not None else _decoded_by_pillow(data, path)


def _check(data: bytes, path: Path) -> None:
    """Refuse from the header alone what must not be decoded. Raises SourceOpenError."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            # Pillow's own limit only warns; ours, lower, refuses.
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
    except PIL.Image.DecompressionBombError as error:
        raise SourceOpenError(f"{path}: more than {MAX_PIXELS // 10**6} megapixels") from error
    except Exception as error:  # Pillow's parsers raise whatever a hostile file provokes.
        what = "empty" if not data else "not a picture"
        raise SourceOpenError(f"{path}: {what}") from error
    if width * height > MAX_PIXELS:
        raise SourceOpenError(
            f"{path}: {width}x{height} is more than {MAX_PIXELS // 10**6} megapixels"
        )
    if is_cut_off(data):
        raise SourceOpenError(f"{path}: the file is cut off")


def is_cut_off(data: bytes) -> bool:
    """Tell whether the end of a JPEG or PNG file is missing.

    Decoders fill the missing part with grey, where no object can be found.
    """
    if data.startswith(b"\xff\xd8"):
        # Neither marker can stand inside coded data; thumbnails come before it.
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return not _png_ends(data)
    return False


def _png_ends(data: bytes) -> bool:
    """Walk a PNG's chunks; False when one reaches beyond the file.

    OpenCV takes memory for the length a chunk claims: up to 4 GB for a few bytes.
    """
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IEND":
            return True
        position += 12 + length
    return False


def _decoded_by_cv2(data: bytes) -> NDArray[np.uint8] | None:
    try:
        import cv2
    except ImportError:
        return None
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _decoded_by_pillow(data: bytes, path: Path) -> NDArray[np.uint8]:
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(io.BytesIO(data)) as opened:
            upright: Any = PIL.ImageOps.exif_transpose(opened)
            if upright.mode.startswith(("I;16", "I")):
                # Pillow's own conversion clips at 255 where OpenCV keeps the upper byte.
                grey = (np.asarray(upright).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            rgb = np.asarray(upright.convert("RGB"), np.uint8)
    except Exception as error:  # As in _check.
        raise SourceOpenError(f"{path}: cannot be decoded") from error
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _sorted(paths: Sequence[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: natural_key(str(path)))


def natural_key(text: str) -> list[tuple[int, int | str]]:
    """Give a sort key that puts img2 before img10."""
    parts = re.split(r"(\d+)", text.casefold())
    # Unicode has digits that int() refuses; re's \d and int() agree on these.
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]
