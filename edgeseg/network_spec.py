"""How networks that edgeseg did not export are fed and read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["darknet", "yolo-v5", "yolo-v8", "yolo-v10", "semantic"]
"""darknet: raw heads, exported by edgeseg. yolo-v5, yolo-v8, yolo-v10: decoded boxes with
objectness, without it, and those left after NMS. semantic: a class for each pixel."""

Layout = Literal["nchw", "nhwc"]

Channels = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a frame becomes the network's input; unless said otherwise, as Darknet does it.

    A value is `gain * picture / 255 + offset`, in the network's order of channels.
    """

    pad: float = 127.5
    """Grey around a letterboxed frame, 0 to 255."""
    sampling: Literal["ends", "centres"] = "ends"
    """Which places of frame and input coincide; see the native op `letterbox`."""
    rounding: Literal["down", "nearest"] = "down"
    """Of the letterboxed frame's size and place."""
    layout: Layout = "nchw"
    color: Literal["rgb", "bgr"] = "rgb"
    gain: Channels = (1.0, 1.0, 1.0)
    offset: Channels = (0.0, 0.0, 0.0)

    @property
    def is_plain(self) -> bool:
        """True when the input is what the letterbox op gives: planes of red, green, blue."""
        return (
            self.layout == "nchw"
            and self.color == "rgb"
            and self.gain == (1.0, 1.0, 1.0)
            and self.offset == (0.0, 0.0, 0.0)
        )


@dataclass(frozen=True, slots=True)
class YoloOutputs:
    """Boxes as the network decoded them, and the prototypes of their masks if it has any."""

    boxes: str
    """Output float32[1, channels, boxes] of yolo-v8, [1, boxes, channels] of the others.

    Channels: centre x, y, width, height in network pixels; objectness (v5); a score for each
    class; mask coefficients. yolo-v10: left, top, right, bottom; score; class; coefficients.
    """
    classes: int
    prototypes: str | None = None
    """Output float32[1, coefficients, rows, columns]."""
    coefficients: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The outputs to ask the engine for, in order."""
        return (self.boxes,) if self.prototypes is None else (self.boxes, self.prototypes)


@dataclass(frozen=True, slots=True)
class SemanticOutputs:
    """Scores of each class at each pixel, or the classes themselves."""

    scores: str
    """Output [1, channels, rows, columns], [1, rows, columns, channels] or [1, rows, columns]."""
    channels: int
    """1 for a single foreground, and for classes."""
    layout: Layout = "nchw"
    kind: Literal["best", "any", "foreground", "index"] = "best"
    """best: the highest score. any: the highest above the floor, else background. foreground:
    1 where the one score is above the floor, else 0. index: the output is the class."""
    floor: float = 0.5
    """In units of the output."""
    background: int | None = None
    """The class that is no object; `types.NO_CLASS` where it is none of the network's."""

    @property
    def names(self) -> tuple[str, ...]:
        """The outputs to ask the engine for."""
        return (self.scores,)
