"""The seam between results and the places they go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.sources.base import SourceInfo
from edgeseg.types import Result


class StopRequested(Exception):  # noqa: N818 - not an error: the user closed the window
    """A sink asks for the end of the run."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a sink may want to know before the first result."""

    source: SourceInfo
    class_names: tuple[str, ...]
    model: str
    """Name of the model, for headers and titles."""


class Sink(Protocol):
    """Takes results, in order, from one thread."""

    name: str
    """As the user wrote it, for messages."""
    needs_picture: bool
    """True when `write` wants the annotated picture."""

    def open(self, run: RunInfo) -> None:
        """Prepare; called once before the first result. Raises SinkError."""

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:
        """Deliver one result; `picture` is uint8[H, W, 3] BGR, annotated.

        A sink with `takes_alpha` may get uint8[H, W, 4] BGRA, straight (not
        premultiplied), where the background is cut out; the others get it on black.

        The sink must not change the picture nor keep it after the call. Raises
        SinkError when it cannot deliver, StopRequested when the user wants to
        stop.
        """

    def close(self) -> str | None:
        """Finish, and give the place where the results now lie (None when there is none).

        Called once, also after errors and when `open` failed. Files get their
        final name here and never before: until then they are called NAME.part.
        """


def takes_alpha(sink: Sink) -> bool:
    """Whether a sink can keep transparency; most have no attribute `takes_alpha`."""
    return bool(getattr(sink, "takes_alpha", False))
