"""Segments as a record (JSON), as rows (CSV) and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgeseg.segments.activity import Span

CSV_COLUMNS = (
    "kind",
    "class_id",
    "class",
    "track_id",
    "start_s",
    "end_s",
    "first_frame",
    "last_frame",
    "frames",
    "most",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What was there, and when."""

    kind: str
    """`class` or `track`."""
    class_id: int
    class_name: str
    track_id: int | None
    spans: tuple[Span, ...]

    @property
    def total_s(self) -> float:
        """Seconds of all spans."""
        return sum(span.length_s for span in self.spans)

    @property
    def label(self) -> str:
        """Give a short name."""
        return self.class_name if self.track_id is None else f"{self.class_name} {self.track_id}"


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of one source."""

    source: str
    model: str
    frames: int
    start_s: float
    end_s: float
    gap_s: float
    shortest_s: float
    shots: tuple[Span, ...] | None
    """None when shots were not looked for."""
    rows: tuple[Row, ...]
    """Classes first, then tracks, each in the order of their first frame."""

    def to_dict(self) -> dict[str, object]:
        """Give the record that docs/SEGMENTATION.md describes."""
        return {
            "source": self.source,
            "model": self.model,
            "frames": self.frames,
            "start_s": _rounded(self.start_s),
            "end_s": _rounded(self.end_s),
            "gap_s": self.gap_s,
            "shortest_s": self.shortest_s,
            "shots": None if self.shots is None else [_span(shot) for shot in self.shots],
            "classes": [_row(row) for row in self.rows if row.kind == "class"],
            "tracks": [_row(row) for row in self.rows if row.kind == "track"],
        }

    def to_rows(self) -> Iterator[Sequence[object]]:
        """Give one row of CSV_COLUMNS for each shot and each span."""
        for shot in self.shots or ():
            yield ("shot", "", "", "", *_span(shot).values(), "")
        for row in self.rows:
            for span in row.spans:
                track_id = "" if row.track_id is None else row.track_id
                place = (row.kind, row.class_id, row.class_name, track_id)
                yield (*place, *_span(span).values(), span.most)


def _row(row: Row) -> dict[str, object]:
    record: dict[str, object] = {"class_id": row.class_id, "class": row.class_name}
    if row.track_id is not None:
        record = {"track_id": row.track_id, **record}
    record["total_s"] = _rounded(row.total_s)
    record["spans"] = [_span(span) | {"most": span.most} for span in row.spans]
    return record


def _span(span: Span) -> dict[str, float | int]:
    return {
        "start_s": _rounded(span.start_s),
        "end_s": _rounded(span.end_s),
        "first_frame": span.first_frame,
        "last_frame": span.last_frame,
        "frames": span.frames,
    }


def _rounded(seconds: float) -> float:
    return round(seconds, 6)


_SHOWN = 6


def lines_of(record: dict[str, Any]) -> list[str]:
    """Give what a terminal shows of a record: shots, then classes with their spans."""
    lines = [] if record["shots"] is None else [("shots", _times(record["shots"]))]
    lines += [(row["class"], _times(row["spans"])) for row in record["classes"]]
    lines += [("tracks", str(len(record["tracks"])))] if record["tracks"] else []
    return [f"{label:>10}  {text}" for label, text in lines]


def _times(spans: Sequence[dict[str, float]]) -> str:
    """Give spans as text: `2: 0:00.0-0:12.4, 0:20.0-0:21.5`."""
    times = [f"{clock(span['start_s'])}-{clock(span['end_s'])}" for span in spans[:_SHOWN]]
    more = f" and {len(spans) - _SHOWN} more" if len(spans) > _SHOWN else ""
    return f"{len(spans)}: {', '.join(times)}{more}"


def clock(seconds: float) -> str:
    """Give a time as minutes and seconds, with hours where there are any."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes}:{tenths // 10:02d}.{tenths % 10}"
    return text if not hours else f"{hours}:{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"
