"""What a caller may ask of a source."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeseg.types import Size


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Wishes and limits; each source heeds those that concern it."""

    size_px: Size | None = None
    """Asked of a camera; the nearest size it has is taken."""
    fps: float | None = None
    """Asked of a camera; for pictures, the rate at which `Frame.time_s` counts."""
    pixel_format: str | None = None
    """Asked of a camera, as FourCC: MJPG, YUYV, …; None takes the best it has."""
    reconnect_s: float = 60.0
    """How long a lost live source is waited for; `math.inf`: for ever, 0: not at all."""
    open_timeout_s: float = 5.0
    """How long a live source may take to connect."""
    read_timeout_s: float = 2.0
    """Silence after which a live source counts as lost; some notice after twice as long."""
    loop: bool = False
    """Start files, pictures and a finite `test://` again at their end, for ever."""

    def __post_init__(self) -> None:
        if self.size_px is not None and min(self.size_px) < 1:
            raise ValueError(f"size_px must be 1 or more, got {self.size_px}")
        if self.fps is not None and not (0 < self.fps < math.inf):
            raise ValueError(f"fps must be more than 0, got {self.fps}")
        if self.pixel_format is not None and len(self.pixel_format) != 4:
            raise ValueError(f"pixel_format is a FourCC of 4 letters, got {self.pixel_format!r}")
        if not self.reconnect_s >= 0:
            raise ValueError(f"reconnect_s must be 0 or more, got {self.reconnect_s}")
        for name in ("open_timeout_s", "read_timeout_s"):
            value = getattr(self, name)
            if not (0 < value < math.inf):
                raise ValueError(f"{name} must be more than 0, got {value}")
