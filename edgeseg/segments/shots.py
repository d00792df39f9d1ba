"""Where one shot of a film ends and the next begins.

PySceneDetect's adaptive detector looks for frames that differ more from their
predecessor than their neighbours do, so that a fast pan is no cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import MissingDependencyError
from edgeseg.segments.activity import Moment, Span
from edgeseg.sources.camera import imported_cv2
from edgeseg.types import Size

LONG_SIDE_PX = 256
SHORTEST_S = 0.5
"""No shot is shorter; a flash is no shot."""


class ShotFinder:
    """Cuts a film into shots, frame by frame.

    Raises MissingDependencyError without PySceneDetect or OpenCV.
    """

    def __init__(self, fps: float | None) -> None:
        self._cv2 = imported_cv2("the detection of shots")
        try:
            from scenedetect.common import FrameTimecode
            from scenedetect.detectors import AdaptiveDetector
        except ImportError as error:
            told = MissingDependencyError.of(
                "scenedetect-headless", "segments", purpose="the detection of shots"
            )
            raise MissingDependencyError(
                told.message,
                hint=f"{told.hint}   (beside a system OpenCV: pip install --no-deps "
                "scenedetect-headless), or leave the shots out: shots=no",
            ) from error
        self._fps = fps if fps and 1 <= fps <= 1000 else 25.0
        self._code: Any = FrameTimecode
        # Frames, not seconds: the detector counts frames, whatever their times.
        self._detector: Any = AdaptiveDetector(min_scene_len=max(1, round(SHORTEST_S * self._fps)))
        self._size_px: Size | None = None
        self._count = 0
        self._recent: dict[int, Moment] = {}
        self._spans: list[Span] = []

    def see(self, image: NDArray[np.uint8], moment: Moment) -> None:
        """Look at the next frame, uint8[H, W, 3] BGR."""
        if not self._spans:
            self._spans.append(_from(moment))
        self._recent[self._count] = moment
        cuts = self._detector.process_frame(self._code(self._count, self._fps), self._small(image))
        for cut in cuts:
            self._cut(int(cut.frame_num))
        self._recent.pop(self._count - self._detector.event_buffer_length - 1, None)
        last = self._spans[-1]
        last.end_s, last.last_frame = moment.end_s, moment.frame
        last.frames += 1
        self._count += 1

    def shots(self) -> list[Span]:
        """Give the shots so far; together they are the whole film."""
        return self._spans

    def _cut(self, count: int) -> None:
        """End the last shot before a frame that was looked at a little earlier."""
        later = self._count - count
        first, before = self._recent[count], self._recent.get(count - 1)
        ended = self._spans[-1]
        ended.end_s = first.start_s
        ended.last_frame = before.frame if before is not None else first.frame - 1
        ended.frames -= later
        self._spans.append(_from(first, frames=later))

    def _small(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        factor = min(1.0, LONG_SIDE_PX / max(height, width))
        if self._size_px is None:  # one size for all, or the detector cannot compare them
            self._size_px = max(1, round(width * factor)), max(1, round(height * factor))
        return np.asarray(
            self._cv2.resize(image, self._size_px, interpolation=self._cv2.INTER_AREA), np.uint8
        )


def _from(moment: Moment, frames: int = 0) -> Span:
    return Span(moment.start_s, moment.end_s, moment.frame, moment.frame, frames)
