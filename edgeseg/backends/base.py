"""The seam for pixel work: where letterboxing, decoding and NMS run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from edgeseg.types import Batch, Detections, Frame, Heads, Letterbox, Seen

if TYPE_CHECKING:
    from edgeseg.backends.options import DetectOptions

Labels = Literal["multi", "best"]
"""`multi`: one box may carry several classes, as in Darknet. `best`: only its best class."""


class Backend(Protocol):
    """Does the pixel work of one pipeline, in one thread."""

    name: str
    """`cpu` or `cuda`."""

    def preprocess(self, frame: Frame) -> Batch:
        """Bring a frame to the network's input. The batch is valid until the next call."""

    def detect(self, heads: Heads, letterbox: Letterbox) -> Detections | Seen:
        """Turn raw heads into detections: decode, then NMS.

        With masks, or instead a class map, where the network brings them.
        """

    def close(self) -> None:
        """Release memory."""


@runtime_checkable
class Tunable(Protocol):
    """A backend whose options can change while it runs."""

    def retune(self, options: DetectOptions) -> None:
        """Take other options from the next frame on; may be called from another thread."""
