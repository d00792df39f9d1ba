"""The seam for what must see the frames in order and may remember: tracking, masks, motion."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from edgeseg.types import Result

if TYPE_CHECKING:
    from edgeseg.settings import Settings
    from edgeseg.sources.base import SourceInfo

__all__ = ["Follower", "open_followers"]


class Follower(Protocol):
    """Adds to each result what follows from it and from those before; called from one thread."""

    name: str
    """The station's name in the summary: `track`, `masks`, …"""

    def follow(self, result: Result) -> Result:
        """Give the result with more in it; called once for each frame, in order."""

    def summary(self) -> dict[str, str]:
        """Give lines for the run's summary, label to text; what is not worth a line is left out."""

    def close(self) -> None:
        """Release memory."""


def open_followers(settings: Settings, source: SourceInfo | None) -> Sequence[Follower]:
    """Make the followers that `settings` ask for, in the order in which they work.

    `source` None stands for single pictures that have nothing to do with each other.
    """
    del source
    followers: list[Follower] = []
    if settings.segment == "motion":
        from edgeseg.motion.follower import CLASS_NAMES, MotionFollower

        followers.append(
            MotionFollower(
                conf=settings.conf,
                class_ids=settings.class_ids(CLASS_NAMES),
                masks=settings.masks != "off",
            )
        )
    # Tracking and masks belong here: they see moving regions as they see detections.
    if settings.segment == "foreground":
        from edgeseg.foreground.follower import ForegroundFollower

        followers.append(ForegroundFollower())
    if settings.segment == "semantic":  # last: it composes what the others made
        from edgeseg.composing import ComposedClasses

        followers.append(ComposedClasses())
    return followers


@contextlib.contextmanager
def closing_all(followers: Sequence[Follower]) -> Iterator[Sequence[Follower]]:
    """Close every follower at the end of the block."""
    with contextlib.ExitStack() as stack:
        for follower in followers:
            stack.callback(follower.close)
        yield followers
