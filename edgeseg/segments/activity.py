"""When something was there: spans of time from frames that come one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edgeseg.types import Result

_ROUNDING_S = 1e-6

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Span:
    """A stretch of time without a gap longer than the one allowed."""

    start_s: float
    end_s: float
    """When the last frame ended: a span of one frame is as long as the frame."""
    first_frame: int
    last_frame: int
    frames: int = 1
    """Frames in which it was seen; fewer than from first to last when a gap was bridged."""
    most: int = 1
    """The greatest number at once."""

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame in time."""

    frame: int
    start_s: float
    end_s: float


class Spans(Generic[Key]):
    """Collects spans for each key; memory grows with the spans, not with the frames."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._spans: dict[Key, list[Span]] = {}

    def see(self, counts: dict[Key, int], moment: Moment) -> None:
        """Note how many of each key one frame shows."""
        for key, count in counts.items():
            spans = self._spans.setdefault(key, [])
            if spans and moment.start_s - spans[-1].end_s <= self._gap_s + _ROUNDING_S:
                last = spans[-1]
                last.end_s, last.last_frame = moment.end_s, moment.frame
                last.frames += 1
                last.most = max(last.most, count)
            else:
                spans.append(
                    Span(moment.start_s, moment.end_s, moment.frame, moment.frame, most=count)
                )

    def result(self, shortest_s: float) -> dict[Key, list[Span]]:
        """Give the spans that are long enough, keys in the order they were first seen."""
        long_enough = {
            key: [span for span in spans if span.length_s >= shortest_s - _ROUNDING_S]
            for key, spans in self._spans.items()
        }
        return {key: spans for key, spans in long_enough.items() if spans}


class Clock:
    """Gives each frame its place in time; it lasts as long as the source's nominal rate says.

    Times that stand still or jump back, as after a reconnect, go on by one frame.
    """

    def __init__(self, fps: float | None) -> None:
        self._frame_s = 1 / fps if fps and 0.01 <= fps <= 1000 else 1 / 25
        self._shift_s = 0.0
        self._last_s: float | None = None

    def moment(self, frame: int, time_s: float) -> Moment:
        """Give the moment of the next frame."""
        if self._last_s is not None and time_s + self._shift_s <= self._last_s:
            self._shift_s = self._last_s + self._frame_s - time_s
        start_s = time_s + self._shift_s
        self._last_s = start_s
        return Moment(frame, start_s, start_s + self._frame_s)


@dataclass(slots=True)
class Track:
    """One identity over its life."""

    class_ids: Counter[int] = field(default_factory=Counter)

    @property
    def class_id(self) -> int:
        """Give the class it had most often; the lower number of two."""
        return min(self.class_ids, key=lambda class_id: (-self.class_ids[class_id], class_id))


class Activity:
    """Spans of each class and each track over results that come in order."""

    def __init__(self, gap_s: float) -> None:
        self.classes: Spans[int] = Spans(gap_s)
        self.tracks: Spans[int] = Spans(gap_s)
        self.identities: dict[int, Track] = {}

    def see(self, result: Result, moment: Moment) -> None:
        """Note the objects of one frame; carried ones count as seen."""
        class_ids = result.detections.class_ids.tolist()
        # One object may carry several classes, and then several rows have its number.
        self.classes.see(Counter(class_ids), moment)
        if result.tracks is None:
            return
        ids = result.tracks.ids.tolist()
        self.tracks.see(dict.fromkeys(_known(ids), 1), moment)
        for track_id, class_id in zip(ids, class_ids, strict=True):
            if track_id > 0:
                self.identities.setdefault(track_id, Track()).class_ids[class_id] += 1


def _known(ids: Iterable[int]) -> Iterable[int]:
    return (track_id for track_id in ids if track_id > 0)
