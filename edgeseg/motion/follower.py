"""The station that makes objects of what moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from edgeseg.motion.background import Background, Moving, State
from edgeseg.motion.regions import Cleaner, regions
from edgeseg.types import Result

CLASS_NAMES = ("moving",)
NOMINAL_FPS = 25.0
"""Of frames that carry no time, as single pictures do."""
TOLD_CHANGE = 0.05
"""Smaller changes of the light are undone without a word."""


class MotionWatch:
    """Finds what moves in results that come in order, and counts what it could not see."""

    def __init__(self) -> None:
        self._background = Background()
        self._last_s: float | None = None
        self._clock_s = 0.0
        self._states: Counter[State] = Counter()
        self._shaken = 0
        self._relit = 0

    def look(self, result: Result) -> Moving:
        """Give what moves in the next frame."""
        time_s = result.frame.time_s
        if self._last_s == time_s:
            self._clock_s += 1 / NOMINAL_FPS
        self._last_s = time_s
        moving = self._background.look(result.frame.host_image, time_s + self._clock_s)
        self._states[moving.state] += 1
        self._shaken += moving.pose.shift != (0.0, 0.0)
        self._relit += moving.pose.light_change > TOLD_CHANGE
        return moving

    def summary(self) -> str:
        """Say how many frames went without an answer, and why."""
        said = [
            f"{self._states[state]} frames without ({state.value})"
            for state in (State.WARM_UP, State.RESTART)
            if self._states[state]
        ]
        if self._shaken:
            said.append(f"{self._shaken} held still against a shaking camera")
        if self._relit:
            said.append(f"{self._relit} brought back to the usual light")
        return ", ".join(said) or "seen in every frame"

    def figures(self) -> dict[str, object]:
        """Give the same as numbers."""
        states = {state.name.lower(): self._states[state] for state in State}
        return {"frames": states, "shaken": self._shaken, "relit": self._relit}


class MotionFollower:
    """Puts what moves into each result, as detections of the class `moving` with their masks."""

    name = "motion"

    def __init__(
        self, *, conf: float = 0.0, class_ids: Collection[int] | None = None, masks: bool = True
    ) -> None:
        self._watch = MotionWatch()
        self._cleaner = Cleaner()
        self._conf = conf
        self._wanted = class_ids is None or 0 in class_ids
        self._masks = masks

    def follow(self, result: Result) -> Result:
        """Give the result with the moving regions as its objects."""
        moving = self._watch.look(result)
        cleaned = self._cleaner.clean(moving)
        found, masks = regions(cleaned, result.frame.size_px)
        keep = (found.scores >= np.float32(self._conf)) & self._wanted
        return replace(
            result,
            detections=found.select(keep),
            class_names=CLASS_NAMES,
            detected=True,
            masks=masks.select(keep) if self._masks else None,
        )

    def summary(self) -> dict[str, str]:
        """Tell of warm-up, changes of light and shaking."""
        return {"motion": self._watch.summary()}

    def figures(self) -> dict[str, object]:
        """Give how many frames had which state."""
        return self._watch.figures()

    def close(self) -> None:
        """Nothing is held that Python does not release."""
