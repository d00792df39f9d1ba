"""The seam for what must see the frames in order and may remember: tracking, masks, motion."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from edgeseg.errors import (
    BuildCancelledError,
    DeviceError,
    EngineError,
    MissingDependencyError,
)
from edgeseg.types import Result

if TYPE_CHECKING:
    from edgeseg.masks.follower import Looker
    from edgeseg.placement import Place
    from edgeseg.settings import Settings
    from edgeseg.sources.base import SourceInfo
    from edgeseg.types import Model

__all__ = ["Follower", "is_tracked", "lowest_score", "open_followers"]

log = logging.getLogger(__name__)


class Follower(Protocol):
    """Adds to each result what follows from it and from those before; called from one thread."""

    name: str
    """The station's name in the summary: `track`, `masks`, …"""

    def follow(self, result: Result) -> Result:
        """Give the result with more in it; called once for each frame, in order."""

    def summary(self) -> dict[str, str]:
        """Give lines for the run's summary, label to text; what is not worth a line is left out."""

    def figures(self) -> dict[str, object]:
        """Give the same as numbers, for the summary's JSON file."""

    def close(self) -> None:
        """Release memory."""


def open_followers(
    settings: Settings,
    source: SourceInfo | None,
    model: Model | None = None,
    place: Place | None = None,
    *,
    bar: bool = False,
) -> Sequence[Follower]:
    """Make the followers that `settings` ask for, in the order in which they work.

    `source` None stands for single pictures that have nothing to do with each other.
    A semantic `model` sees no objects, so nothing follows it. `place` is where
    the model runs; followers may have networks that run there too, and `bar`
    shows how far the build of their engines is.
    """
    followers: list[Follower] = []
    if model is not None and model.family == "semantic":
        return followers
    if settings.segment == "motion":
        followers.append(_open_motion(settings))
    if is_tracked(settings, source):
        followers.append(_open_tracking(settings, source))
    followers += _open_masks(settings, place, bar=bar)
    if settings.segment == "foreground":
        from edgeseg.foreground.follower import ForegroundFollower

        followers.append(ForegroundFollower())
    if settings.segment == "semantic":  # it composes what the others made
        from edgeseg.composing import ComposedClasses

        followers.append(ComposedClasses())
    return followers


def is_tracked(settings: Settings, source: SourceInfo | None) -> bool:
    """Tell whether `settings` ask for identities in this source."""
    if settings.track == "auto":
        return source is not None and not source.pictures
    return settings.track == "on"


def lowest_score(settings: Settings, source: SourceInfo | None) -> float:
    """Give the score down to which the network's detections are wanted.

    It is below `conf` when they are tracked: the follower leaves out what it has no use for.
    """
    if not is_tracked(settings, source):
        return settings.conf
    from edgeseg.tracking import tracking_floor

    return tracking_floor(settings.conf)


def _open_motion(settings: Settings) -> Follower:
    from edgeseg.motion.follower import CLASS_NAMES, MotionFollower

    return MotionFollower(
        conf=settings.conf,
        class_ids=settings.class_ids(CLASS_NAMES),
        masks=settings.masks != "off",
    )


def _open_tracking(settings: Settings, source: SourceInfo | None) -> Follower:
    from edgeseg.tracking import TrackFollower

    fps = None if source is None else source.fps
    return TrackFollower(conf=settings.conf, fps=fps, detect_every=settings.detect_every)


def _open_masks(settings: Settings, place: Place | None, *, bar: bool) -> Sequence[Follower]:
    """Give the mask follower; none when masks are off, or where `auto` cannot have them.

    What moves comes with its own pixels, exact ones.
    """
    if settings.masks == "off" or settings.segment == "motion":
        return []
    from edgeseg.masks.follower import MaskFollower

    head = _open_mask_head(settings, place, bar=bar)
    if head is None:
        return []
    return [
        MaskFollower(
            head,
            budget=settings.mask_budget,
            fine=settings.masks == "fine",
            smooth=settings.smooth == "on",
        )
    ]


def _open_mask_head(settings: Settings, place: Place | None, *, bar: bool) -> Looker | None:
    """Open the mask head by TensorRT where the run's network is so, else by ONNX Runtime.

    When masks are `auto`, what fails on the GPU goes on on the CPU, and None
    says that neither can be had; one line says why.
    """
    from edgeseg.masks.head import MaskHead

    reasons: list[str] = []
    if place is not None and place.device is not None and place.engine == "tensorrt":
        from edgeseg.masks.head_cuda import open_cuda_head

        try:
            return open_cuda_head(place.device, bar=bar)
        except BuildCancelledError:
            raise
        except (DeviceError, EngineError, MissingDependencyError) as error:
            if settings.masks != "auto":
                raise
            reasons.append(error.message)
    try:
        head = MaskHead(threads=settings.threads, mirrored=settings.masks == "fine")
    except MissingDependencyError as error:
        if settings.masks != "auto":
            raise
        log.warning("no masks: %s", "; ".join([*reasons, error.message]))
        return None
    if reasons:
        log.warning("masks are made on the CPU: %s", reasons[0])
    return head


@contextlib.contextmanager
def closing_all(followers: Sequence[Follower]) -> Iterator[Sequence[Follower]]:
    """Close every follower at the end of the block."""
    with contextlib.ExitStack() as stack:
        for follower in followers:
            stack.callback(follower.close)
        yield followers
