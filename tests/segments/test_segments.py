"""Promises of edgeseg.segments and its sink: spans, shots, files, the command."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgeseg.cli import call
from edgeseg.errors import ConfigError, MissingDependencyError
from edgeseg.segments.activity import Activity, Clock, Moment, Spans
from edgeseg.segments.picture import MOST_TRACKS, draw
from edgeseg.segments.report import CSV_COLUMNS, Row, Segments, clock
from edgeseg.segments.shots import ShotFinder
from edgeseg.sinks import RunInfo, make_sink
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Detections, Frame, Result, Tracks

FPS = 10.0


def moment(frame: int) -> Moment:
    return Moment(frame, frame / FPS, (frame + 1) / FPS)


def result(frame: int, class_ids: list[int], track_ids: list[int] | None = None) -> Result:
    count = len(class_ids)
    found = Detections(
        np.zeros((count, 4), np.float32),
        np.ones(count, np.float32),
        np.array(class_ids, np.int32).reshape(count),
    )
    tracks = None
    if track_ids is not None:
        ids = np.array(track_ids, np.int32).reshape(count)
        tracks = Tracks(ids, np.zeros(count, np.int32), np.zeros(count, np.bool_))
    image = np.zeros((20, 30, 3), np.uint8)
    return Result(Frame(image, frame, frame / FPS), found, ("cat", "dog"), tracks=tracks)


def test_gaps_up_to_the_limit_are_bridged_and_longer_ones_are_not() -> None:
    spans: Spans[str] = Spans(gap_s=0.5)
    for frame in (0, 1, 7, 14):  # gaps of 0.5 s and of 0.6 s
        spans.see({"a": 1}, moment(frame))
    first, second = spans.result(0)["a"]
    assert (first.start_s, first.end_s) == (0.0, pytest.approx(0.8))
    assert (first.first_frame, first.last_frame, first.frames) == (0, 7, 3)
    assert (second.first_frame, second.frames) == (14, 1)


def test_spans_too_short_are_left_out_and_the_greatest_number_is_kept() -> None:
    spans: Spans[str] = Spans(gap_s=0)
    spans.see({"a": 2, "b": 1}, moment(0))
    spans.see({"a": 3}, moment(1))
    assert list(spans.result(0.2)) == ["a"]
    assert spans.result(0.2)["a"][0].most == 3


def test_classes_and_tracks_have_spans_of_their_own() -> None:
    activity = Activity(gap_s=0)
    activity.see(result(0, [0, 0, 1], [1, 2, 2]), moment(0))
    activity.see(result(1, [1], [2]), moment(1))
    activity.see(result(2, [0], [0]), moment(2))  # no identity yet
    assert {k: len(v) for k, v in activity.classes.result(0).items()} == {0: 2, 1: 1}
    assert activity.classes.result(0)[0][0].most == 2
    assert {k: v[0].frames for k, v in activity.tracks.result(0).items()} == {1: 1, 2: 2}
    assert activity.identities[2].class_id == 1, "seen twice as a dog, once as a cat"


def test_times_that_jump_back_go_on() -> None:
    ticking = Clock(FPS)
    times = [ticking.moment(i, t).start_s for i, t in enumerate((5.0, 5.1, 0.0, 0.1, 0.1))]
    assert times == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4])


def scene(seed: int, frame: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (160, 120))
    return np.roll(ground, frame, axis=1)


def test_shots_are_found_where_the_picture_changes() -> None:
    finder = ShotFinder(FPS)
    for frame in range(60):
        finder.see(scene(frame // 20, frame), moment(frame))
    shots = finder.shots()
    assert [(s.first_frame, s.last_frame, s.frames) for s in shots] == [
        (0, 19, 20), (20, 39, 20), (40, 59, 20)
    ]  # fmt: skip
    assert shots[0].end_s == shots[1].start_s == pytest.approx(2.0)


def test_frames_may_change_their_size_and_a_pan_is_one_shot() -> None:
    finder = ShotFinder(FPS)
    for frame in range(40):
        image = scene(1, 2 * frame)
        finder.see(image if frame < 20 else cv2.resize(image, (80, 60)), moment(frame))
    assert len(finder.shots()) == 1


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scenedetect.detectors", None)
    with pytest.raises(MissingDependencyError, match="shots=no") as caught:
        ShotFinder(FPS)
    assert "edgeseg[segments]" in str(caught.value)


def run_sink(tmp_path: Path, options: str, results: list[Result]) -> str | None:
    sink = make_sink(f"segments:{tmp_path / 'out.json'}{options}")
    info = SourceInfo("clip.avi", live=False, fps=FPS)
    sink.open(RunInfo(info, ("cat", "dog"), "net"))
    for item in results:
        sink.write(item, None)
    return sink.close()


def test_the_sink_writes_json_csv_and_a_picture(tmp_path: Path) -> None:
    results = [result(i, [0] if i < 8 else [0, 1], [3] if i < 8 else [3, 4]) for i in range(12)]
    place = run_sink(tmp_path, "?csv=yes&png=yes&gap=0", results)
    assert place == ", ".join(str(tmp_path / f"out.{e}") for e in ("json", "csv", "png"))
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["frames"] == 12
    assert record["end_s"] == pytest.approx(1.2)
    assert [shot["frames"] for shot in record["shots"]] == [12]
    assert [(c["class"], c["total_s"]) for c in record["classes"]] == [("cat", 1.2), ("dog", 0.4)]
    assert record["tracks"][1] == {
        "track_id": 4, "class_id": 1, "class": "dog", "total_s": 0.4,
        "spans": [
            {"start_s": 0.8, "end_s": 1.2, "first_frame": 8, "last_frame": 11, "frames": 4,
             "most": 1}
        ],
    }  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["kind"] for row in rows] == ["shot", "class", "class", "track", "track"]
    with Image.open(tmp_path / "out.png") as drawn:
        assert drawn.size[0] == 1280


def test_no_results_leave_no_file_and_shots_can_be_left_out(tmp_path: Path) -> None:
    assert run_sink(tmp_path, "", []) is None
    assert list(tmp_path.iterdir()) == []
    run_sink(tmp_path, "?shots=no", [result(0, [])])
    assert json.loads((tmp_path / "out.json").read_text())["shots"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("options", ["?gap=-1", "?gap=x", "?csv=maybe", "?colour=red"])
def test_wrong_options_are_refused(tmp_path: Path, options: str) -> None:
    with pytest.raises(ConfigError):
        make_sink(f"segments:{tmp_path / 'out.json'}{options}")


def test_the_picture_stays_readable_with_many_tracks_and_no_time() -> None:
    spans: Spans[int] = Spans(0)
    spans.see(dict.fromkeys(range(1, 301), 1), moment(0))
    rows = [Row("track", 0, "cat", k, tuple(v)) for k, v in spans.result(0).items()]
    picture = draw(Segments("a/b.mp4", "net", 1, 0.0, 0.0, 1.0, 0.2, (), tuple(rows)))
    assert picture.size[1] < 200 + 16 * MOST_TRACKS


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (59.96, "1:00.0"), (3661.25, "1:01:01.2")]
)
def test_times_are_told_as_clocks_do(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_command_cuts_a_clip_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = "test://?size=160x120&frames=50&fps=25"
    assert call(["segments", source, "--segment", "motion", "--gap", "0.5"]) == 0
    out = capsys.readouterr().out
    assert "shots  1: 0:00.0-0:02.0" in out
    assert "moving" in out
    names = sorted(path.name for path in Path("edgeseg-out").iterdir())
    assert [Path(name).suffix for name in names] == [".csv", ".json", ".png"]
    assert call(["segments", source, "--segment", "motion", "--gap", "-1"]) == 2
