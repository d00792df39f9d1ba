"""The seam between the world's pictures and the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from edgeseg.types import Frame, Size


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source once it is open."""

    name: str
    """What to show: the URI without user name, password or query."""
    live: bool
    """True: the newest frame wins and the source has no end. False: every frame, in order."""
    size_px: Size | None = None
    """Size of the frames, when all have one."""
    fps: float | None = None
    """Nominal frame rate; None for pictures and when nobody knows."""
    frame_count: int | None = None
    """How many frames will come, for the progress bar; an estimate for videos."""
    pictures: bool = False
    """Single pictures rather than a video: sinks write one file for each."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a live source is just now.

    A source that can be lost and come back has a method `condition()` that
    gives this, from any thread and without waiting.
    """

    state: Literal["running", "degraded", "stuck"]
    """`degraded`: lost, and knowingly being tried again. `stuck`: a call does not return."""
    reason: str = ""
    """What is wrong, in one line and without secrets; empty when running."""


class Source(Protocol):
    """Gives frames, one after the other, to one thread."""

    info: SourceInfo

    def read(self) -> Frame | None:
        """Give the next frame; None at the end.

        Never waits without bound. Raises SourceOpenError or SourceLostError.
        A live source reconnects by itself, within its limits.
        """

    def drops(self) -> Mapping[str, int]:
        """Give the frames this source knows it lost, by reason."""

    def close(self) -> None:
        """Release the source; may be called twice and from another thread."""
