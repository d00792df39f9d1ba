"""Shots and spans of activity: one JSON file at the end, with a table and a picture if wished."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.files import written_aside
from edgeseg.segments.activity import Activity, Clock
from edgeseg.segments.picture import draw
from edgeseg.segments.report import CSV_COLUMNS, Row, Segments
from edgeseg.segments.shots import ShotFinder
from edgeseg.sinks.aside import AsideFile, prepare_file, writing
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.lines import csv_text
from edgeseg.sinks.spec import Spec
from edgeseg.types import Result

YES_NO = ("yes", "no")
GAP_S = 1.0
SHORTEST_S = 0.2


class SegmentsSink:
    """Takes results as they come and keeps the spans only; memory grows with their number.

    Options: `gap` (seconds to bridge), `shortest` (seconds; shorter spans are
    left out), `shots` (yes or no), `csv` and `png` (yes writes them beside the
    JSON file).
    """

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._path = spec.path
        self._gap_s = spec.number("gap", GAP_S, 0, 1e6)
        self._shortest_s = spec.number("shortest", SHORTEST_S, 0, 1e6)
        self._wants_shots = spec.choice("shots", "yes", YES_NO) == "yes"
        self._beside = [e for e in ("csv", "png") if spec.choice(e, "no", YES_NO) == "yes"]
        self._file: AsideFile | None = None
        self._run: RunInfo | None = None
        self._frames = 0

    def open(self, run: RunInfo) -> None:
        """Create NAME.part. Raises SinkError, MissingDependencyError without PySceneDetect."""
        self._run = run
        self._clock = Clock(run.source.fps)
        self._activity = Activity(self._gap_s)
        self._shots = ShotFinder(run.source.fps) if self._wants_shots else None
        self._class_names = run.class_names
        self._start_s = self._end_s = 0.0
        self._file = AsideFile(self._path, run)
        for ending in self._beside:
            prepare_file(self._named(ending), run)

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Note one result. Raises SinkError."""
        if self._file is None:
            raise SinkError(f"{self.name} is not open")
        moment = self._clock.moment(result.frame.index, result.frame.time_s)
        if not self._frames:
            self._start_s = moment.start_s
        self._end_s = moment.end_s
        self._frames += 1
        self._class_names = result.class_names
        self._activity.see(result, moment)
        if self._shots is not None:
            self._shots.see(result.frame.host_image, moment)

    def close(self) -> str | None:
        """Write the files, and give their names; None, and no file, when no result came."""
        file, self._file = self._file, None
        if file is None or file.gone:
            return None
        if not self._frames:
            file.discard()
            return None
        try:
            segments = self.segments()
            others = [str(self._write_beside(segments, ending)) for ending in self._beside]
            file.write(json.dumps(segments.to_dict(), indent=1) + "\n")
        except SinkError:
            file.discard()
            raise
        return ", ".join([file.finish(), *others])

    def segments(self) -> Segments:
        """Give what was seen so far."""
        assert self._run is not None
        return Segments(
            source=self._run.source.name,
            model=self._run.model,
            frames=self._frames,
            start_s=self._start_s,
            end_s=self._end_s,
            gap_s=self._gap_s,
            shortest_s=self._shortest_s,
            shots=None if self._shots is None else tuple(self._shots.shots()),
            rows=(*self._class_rows(), *self._track_rows()),
        )

    def _class_rows(self) -> list[Row]:
        spans = self._activity.classes.result(self._shortest_s)
        return [Row("class", key, self._class(key), None, tuple(of)) for key, of in spans.items()]

    def _track_rows(self) -> list[Row]:
        rows = []
        for track_id, spans in self._activity.tracks.result(self._shortest_s).items():
            class_id = self._activity.identities[track_id].class_id
            rows.append(Row("track", class_id, self._class(class_id), track_id, tuple(spans)))
        return rows

    def _class(self, class_id: int) -> str:
        known = 0 <= class_id < len(self._class_names)
        return self._class_names[class_id] if known else str(class_id)

    def _named(self, ending: str) -> Path:
        return self._path.with_suffix(f".{ending}")

    def _write_beside(self, segments: Segments, ending: str) -> Path:
        path = self._named(ending)
        with writing(path), written_aside(path) as aside:
            if ending == "csv":
                aside.write_text(csv_text([CSV_COLUMNS, *segments.to_rows()]), encoding="utf-8")
            else:
                draw(segments).save(aside, "PNG")
        return path
