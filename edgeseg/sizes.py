"""Sizes as people write them: 416, or 608x352."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgeseg.errors import ConfigError

if TYPE_CHECKING:
    from edgeseg.types import Size

MAX_EDGE_PX = 16384
"""No network input or camera picture is larger; a typing error is."""

_SIZE = re.compile(r"(\d{1,9})(?:\s*[xX\u00d7]\s*(\d{1,9}))?", re.ASCII)


def parse_size(text: str) -> Size:
    """Read `416` as (416, 416) and `608x352` as (608, 352): width, then height, in pixels.

    Raises ConfigError for anything else, and for edges outside 1 to MAX_EDGE_PX.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"{text!r} is no size", hint="Write it as 416, or as WIDTHxHEIGHT: 608x352."
        )
    width = int(match[1])
    height = int(match[2] or match[1])
    if not (1 <= width <= MAX_EDGE_PX and 1 <= height <= MAX_EDGE_PX):
        raise ConfigError(
            f"{text!r}: each edge must be from 1 to {MAX_EDGE_PX} pixels",
            hint="Common sizes are 320, 416 and 608.",
        )
    return width, height


def format_size(size_px: Size) -> str:
    """Write (416, 416) as `416` and (608, 352) as `608x352`."""
    width, height = size_px
    return str(width) if width == height else f"{width}x{height}"
