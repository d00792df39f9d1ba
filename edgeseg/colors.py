"""Colours of classes, told apart by colour-blind people too.

The first seven are the palette of Okabe and Ito ("Color Universal Design",
2008) without black. The others were chosen one by one, each as far as possible
from all before it, the distance being the smallest CIELAB distance of three
views: normal, without red cones, and without green cones (Machado et al.,
2009). So the first are the easiest to tell apart, and no two are equal.
"""

from __future__ import annotations

Color = tuple[int, int, int]
"""Blue, green, red, from 0 to 255."""

_PALETTE = """
E69F00 56B4E9 009E73 F0E442 0072B2 D55E00 CC79A7 6327FF C3FFAB ABFFE7
577BFF B72733 93B763 87E7FF C3E76F 874B6F 9FCF9F 639FFF 3357C3 B7270F
1B57E7 E73F63 AB1B93 57DBCF FF6F4B 4B6F3F 0FC3CF 9FFFC3 579F33 3F7BDB
E7879F 0F93C3 B7CF3F 93FFFF DBFF0F ABDB7B AB5793 93B77B ABDB93 C3FF63
57E7C3 87CFFF C3FF93 E71BB7 0F7B57 3F93DB B76387 DB3F27 CF7B7B 9F33FF
FF6333 578757 C3C357 57ABF3 4BABCF 930FDB DB334B 4BC3AB 9327C3 6F630F
2793FF AB27AB 4BE7E7 93576F 93AB4B 0FB7B7 9F9F63 637B3F 7BF3C3 57AB93
637BAB CFFF7B DBCF0F ABC363 B7E7AB 93F3E7 AB2787 3FCFCF 7BCF7B 5763DB
"""

PALETTE: tuple[Color, ...] = tuple(
    (int(text[4:], 16), int(text[2:4], 16), int(text[:2], 16)) for text in _PALETTE.split()
)
"""Eighty colours, as many as COCO has classes."""


def class_color(class_id: int) -> Color:
    """Give the colour of a class: the same in every run; they repeat after eighty."""
    return PALETTE[class_id % len(PALETTE)]


def track_color(track_id: int) -> Color:
    """Give the colour of an identity, which are counted from 1; they repeat after eighty."""
    return PALETTE[(track_id - 1) % len(PALETTE)]


def text_color(ground: Color) -> Color:
    """Give black or white, whichever reads better on `ground` (WCAG 2 contrast ratio)."""
    blue, green, red = (_linear(channel) for channel in ground)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    # Where (1.05 / (L + 0.05)) equals ((L + 0.05) / 0.05).
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def _linear(channel: int) -> float:
    """Undo the sRGB curve."""
    value = channel / 255
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
