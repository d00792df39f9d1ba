"""Words as small pictures, drawn once with a TrueType font and kept."""

from __future__ import annotations

import unicodedata
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeseg.colors import Color
from edgeseg.errors import ConfigError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_CACHE_BYTES = 16 << 20
_LONGEST = 48

# Pillow's own font knows ASCII and a few signs; these know most scripts, and
# Pillow finds them by name in the system's font folders.
_SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSans-Regular.ttf",
    "DejaVuSans.ttf",
    "FreeSans.ttf",
    "LiberationSans-Regular.ttf",
)


class SpriteCache:
    """Gives text as pictures; the least used are forgotten beyond 16 MiB.

    `font` is the path of a TrueType or OpenType file; None takes the font that
    comes with Pillow, and a font of the system for text beyond ASCII. Raises
    ConfigError when the file is not a font.
    """

    def __init__(self, font: Path | None = None) -> None:
        self._font = font
        self._sprites: OrderedDict[tuple[str, int, Color, Color], NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        if font is not None:
            _load(str(font), 16)

    def get(self, text: str, size_px: int, ink: Color, ground: Color) -> NDArray[np.uint8]:
        """Give `text` as uint8[h, w, 3], BGR, in letters of `size_px`; not to be changed.

        All sprites of one size have `sprite_height(size_px)` rows.
        """
        key = (text, size_px, ink, ground)
        sprite = self._sprites.get(key)
        if sprite is not None:
            self._sprites.move_to_end(key)
            return sprite
        sprite = self._render(_printable(text), size_px, ink, ground)
        self._sprites[key] = sprite
        self._bytes += sprite.nbytes
        while self._bytes > _CACHE_BYTES and len(self._sprites) > 1:
            self._bytes -= self._sprites.popitem(last=False)[1].nbytes
        return sprite

    def _render(self, text: str, size_px: int, ink: Color, ground: Color) -> NDArray[np.uint8]:
        """Draw one line of text."""
        from PIL import Image, ImageDraw

        font, text = self._font_for(text, size_px)
        margin = max(2, round(size_px * 0.32))
        height = sprite_height(size_px)
        width = round(font.getlength(text)) + 2 * margin
        image = Image.new("RGB", (width, height), ground[::-1])
        # A capital letter, about 0.72 of the size high, stands in the middle.
        baseline = round((height + 0.72 * size_px) / 2)
        ImageDraw.Draw(image).text((margin, baseline), text, ink[::-1], font, anchor="ls")
        return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])

    def _font_for(self, text: str, size_px: int) -> tuple[FreeTypeFont, str]:
        """Choose a font that has the letters; without one, strip the accents."""
        if self._font is not None:
            return _load(str(self._font), size_px), text
        plain = text.replace("·", "").replace("…", "")
        if plain.isascii():
            return _load(None, size_px), text
        name = _system_font()
        if name is not None:
            return _load(name, size_px), text
        return _load(None, size_px), unicodedata.normalize("NFKD", text)


def sprite_height(size_px: int) -> int:
    """Give the height in pixels of a line of text in letters of `size_px`."""
    return round(size_px * 1.36)


def _printable(text: str) -> str:
    """Make `text` one line of letters that any font call accepts."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    # File names may hold lone surrogates (os.fsdecode), names files anything.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() else " " for char in text)


@lru_cache(maxsize=32)
def _load(font: str | None, size_px: int) -> FreeTypeFont:
    """Open a font at a size. Raises ConfigError."""
    from PIL import ImageFont

    try:
        if font is None:
            return ImageFont.load_default(size_px)  # type: ignore[return-value]
        return ImageFont.truetype(font, size_px)
    except (OSError, ImportError, ValueError) as error:
        raise ConfigError(
            f"cannot use the font {font or 'of Pillow'}: {error}",
            hint="Give the path of a .ttf or .otf file.",
        ) from error


@lru_cache(maxsize=1)
def _system_font() -> str | None:
    """Give the first font of the list that the system has."""
    for name in _SYSTEM_FONTS:
        try:
            _load(name, 16)
        except ConfigError:
            continue
        return name
    return None
