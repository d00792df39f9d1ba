"""A model of the background, and with it the pixels of each frame that are none of it.

The model is OpenCV's MOG2: a mixture of Gaussians for each pixel (Zivkovic,
"Improved Adaptive Gaussian Mixture Model for Background Subtraction", ICPR
2004), shadows by Prati et al. (PAMI 2003). Around it stands what a real camera
needs: shaking and exposure are undone (steady.py), and the model starts afresh
when all of the picture changes at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.motion.steady import LARGEST_SHIFT, Pose, Reference, relit
from edgeseg.sources.camera import imported_cv2
from edgeseg.types import Size

LONG_SIDE_PX = 640
"""Larger frames are looked at in this size: less noise, and fast enough for a small board."""
ABSORBED_S = 15.0
"""What has stood still this long becomes background."""
WARM_UP_S = 0.5
WARM_UP_FRAMES = 8
STILL_S = 2.0
"""What has not changed at all for so long does not move: a ghost, a patch of light."""
FAST_S = 1.0
"""At first the model learns fast, so that what walks away leaves no ghost for long."""
LONGEST_GAP_S = 5.0
"""After a longer silence, or a step back in time, the background is learned anew."""
GLOBAL_SHARE = 0.6
"""A frame with more moving pixels is no scene with moving objects."""
CUT_SHARE, CUT_LIKENESS = 0.25, 0.5
"""After a cut fewer suffice: when the frame correlates less than this with the one before."""

_SHADOW = 127
_VAR_THRESHOLD = 24.0
_VAR_LEAST = 12.0  # of each channel: soft light on a smooth wall is no object
_SHADOW_DEPTH = 0.5
_LIGHT_DOUBT = 5.0
_SHORTEST_GAP_S = 1 / 240


class State(Enum):
    """Why a frame has an answer, or none."""

    READY = "ready"
    WARM_UP = "warm-up"
    RESTART = "the whole picture changed"


@dataclass(frozen=True, slots=True)
class Moving:
    """What moves in one frame."""

    pixels: NDArray[np.uint8]
    """uint8[h, w], 255 where something moves, else 0: the frame, shrunk to the model's size."""
    stirred: NDArray[np.bool_]
    """bool[h', w'], coarser: where the picture changed from frame to frame in the last seconds."""
    state: State
    pose: Pose
    """What was undone before the model saw the frame."""


class Background:
    """Learns the background from frames in order. Raises MissingDependencyError without OpenCV."""

    def __init__(self) -> None:
        self._cv2 = imported_cv2("the segmentation of motion")
        self._size_px: Size | None = None
        self._begin((1, 1))
        self._last_s = 0.0

    def look(self, image: NDArray[np.uint8], time_s: float) -> Moving:
        """Learn from uint8[H, W, 3] BGR, and give what moves in it.

        A frame that is not READY has no moving pixels.
        """
        size_px = image.shape[1], image.shape[0]
        gap_s, self._last_s = time_s - self._last_s, time_s
        if size_px != self._size_px or not 0 <= gap_s <= LONGEST_GAP_S:
            self._begin(size_px)
        if not self._seen:
            self._start_s = time_s
        small = self._shrunk(image)
        glimpse = self._reference.glimpse(small)
        pose = self._reference.pose(glimpse)
        if max(map(abs, pose.shift)) <= LARGEST_SHIFT:
            alike = self._reference.likeness(glimpse)
            pixels = self._learn(small, glimpse, pose, gap_s)
            limit = GLOBAL_SHARE if alike > CUT_LIKENESS else CUT_SHARE
            if np.count_nonzero(pixels) <= limit * pixels.size:
                ready = self._seen > WARM_UP_FRAMES and time_s - self._start_s >= WARM_UP_S
                return self._answer(pixels, State.READY if ready else State.WARM_UP, pose)
        self._begin(size_px)
        self._start_s = time_s
        pixels = self._learn(small, glimpse, Pose(), gap_s)
        return self._answer(pixels, State.RESTART, Pose())

    def _answer(self, pixels: NDArray[np.uint8], state: State, pose: Pose) -> Moving:
        if state is not State.READY:
            pixels = np.zeros_like(pixels)
        return Moving(pixels, self._reference.stirred(self._last_s - STILL_S), state, pose)

    def _begin(self, size_px: Size) -> None:
        """Forget everything: the next frame is the background."""
        self._size_px = size_px
        self._reference = Reference(size_px)
        self._model: Any = self._cv2.createBackgroundSubtractorMOG2(
            varThreshold=_VAR_THRESHOLD, detectShadows=True
        )
        self._model.setShadowThreshold(_SHADOW_DEPTH)
        self._model.setVarMin(_VAR_LEAST)
        self._seen = 0
        self._start_s = 0.0

    def _shrunk(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring a frame to the model's size, and take the codec's noise from it."""
        height, width = image.shape[:2]
        factor = min(1.0, LONG_SIDE_PX / max(height, width))
        if factor < 1.0:
            size_px = max(1, round(width * factor)), max(1, round(height * factor))
            image = self._cv2.resize(image, size_px, interpolation=self._cv2.INTER_AREA)
        return np.asarray(self._cv2.GaussianBlur(image, (3, 3), 0), np.uint8)

    def _learn(
        self, small: NDArray[np.uint8], glimpse: NDArray[np.float32], pose: Pose, gap_s: float
    ) -> NDArray[np.uint8]:
        """Hold a frame against the model, and take it in; give what is not background."""
        gap_s = min(max(gap_s, _SHORTEST_GAP_S), LONGEST_GAP_S)
        # A new surface counts as background once it has the weight that the ratio leaves.
        rate = -math.log(self._model.getBackgroundRatio()) * gap_s / ABSORBED_S
        if self._last_s - self._start_s < FAST_S or self._seen <= WARM_UP_FRAMES:
            rate = max(rate, 1 / (2 * self._seen + 1))
        self._seen += 1
        self._reference.learn(glimpse, pose, max(rate, gap_s / ABSORBED_S), self._last_s)
        # What was relit is a little less sure.
        self._model.setVarThreshold(_VAR_THRESHOLD * (1 + _LIGHT_DOUBT * pose.light_change))
        found = self._model.apply(self._undone(small, pose), learningRate=rate)
        pixels: NDArray[np.uint8] = np.where(
            np.asarray(found) > _SHADOW, np.uint8(255), np.uint8(0)
        )
        if pose.shift != (0.0, 0.0):
            self._clear_edges(pixels, pose.shift)
            pixels = self._moved(pixels, pose.shift, 1, self._cv2.INTER_NEAREST)
        return pixels

    @staticmethod
    def _clear_edges(pixels: NDArray[np.uint8], shift: tuple[float, float]) -> None:
        """Say of what a shifted frame does not show that nothing moves there."""
        height, width = pixels.shape
        x, y = (math.ceil(abs(shift[0]) * width) + 1, math.ceil(abs(shift[1]) * height) + 1)
        for strip in (np.s_[:y], np.s_[-y:], np.s_[:, :x], np.s_[:, -x:]):
            pixels[strip] = 0

    def _undone(self, small: NDArray[np.uint8], pose: Pose) -> NDArray[np.uint8]:
        """Give a frame as it would look from the model's pose, in the model's light."""
        small = relit(small, pose)
        if pose.shift != (0.0, 0.0):
            small = self._moved(small, pose.shift, -1, self._cv2.INTER_LINEAR)
        return small

    def _moved(
        self, image: NDArray[np.uint8], shift: tuple[float, float], sign: int, how: int
    ) -> NDArray[np.uint8]:
        """Move a picture by shares of its sides; what is missing at the edge is repeated."""
        height, width = image.shape[:2]
        x, y = sign * shift[0] * width, sign * shift[1] * height
        matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
        return np.asarray(
            self._cv2.warpAffine(
                image, matrix, (width, height), flags=how, borderMode=self._cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )
