"""What a backend must know to turn raw heads into detections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeseg.backends.base import Labels

Nms = Literal["greedy", "diou", "soft"]
"""`greedy`: overlap is IoU. `diou`: distance-IoU. `soft`: scores fall instead of boxes."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """Which boxes become detections."""

    conf: float = 0.25
    """A detection scores more than this."""
    iou: float = 0.45
    """A box that overlaps a better one of its class by more is removed; not used by `soft`."""
    labels: Labels = "multi"
    nms: Nms = "greedy"
    agnostic: bool = False
    """Boxes of different classes compete as well."""
    max_detections: int = 300
    class_ids: frozenset[int] | None = None
    """Only these classes; None is all."""
    masks: bool = True
    """Make the masks of a network that brings its own."""

    def __post_init__(self) -> None:
        for name in ("conf", "iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if self.labels not in ("multi", "best"):
            raise ValueError(f"labels must be multi or best, got {self.labels!r}")
        if self.nms not in ("greedy", "diou", "soft"):
            raise ValueError(f"nms must be greedy, diou or soft, got {self.nms!r}")
        if self.max_detections < 1:
            raise ValueError(f"max_detections must be 1 or more, got {self.max_detections}")
