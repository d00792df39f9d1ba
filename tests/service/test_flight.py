"""Promises of the flight recorder, its records, and `edgeseg replay`."""

from __future__ import annotations

import contextlib
import json
import logging
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.cli import call
from edgeseg.errors import ConfigError, EngineError, SinkError, SourceOpenError
from edgeseg.service import flight, records, ring
from edgeseg.service.flight import Recorder, recording
from edgeseg.service.records import list_records, read_record
from edgeseg.service.ring import SLOTS, Moment, Ring
from edgeseg.types import Detections, Frame, Result

log = logging.getLogger("edgeseg.test")


def result(index: int, size_px: tuple[int, int] = (640, 480)) -> Result:
    image = np.full((size_px[1], size_px[0], 3), (index * 5 % 256, 0, 200), np.uint8)
    box = np.array([[1, 2, 30, 40]], np.float32)
    found = Detections(box, np.array([0.5], np.float32), np.array([0], np.int32))
    return Result(Frame(image, index, index / 25), found, ("cat",), {"engine": 3.5})


def fly(recorder: Recorder, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write results, each of which is due."""
    monkeypatch.setattr(flight, "EVERY_S", 0.0)
    for index in range(count):
        recorder.write(result(index), None)
        recorder._flush()


def test_a_run_that_ends_in_order_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(tmp_path / "ring", tmp_path / "records", {}) as recorder:
        fly(recorder, 3, monkeypatch)
        assert list((tmp_path / "ring").glob("*.moment"))
    assert [path.name for path in (tmp_path / "ring").iterdir()] == ["lock"]
    assert not (tmp_path / "records").exists()


def test_an_error_becomes_a_record_with_frames_timings_and_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "records"
    with (
        pytest.raises(EngineError),
        recording(tmp_path / "ring", folder, {"source": "camera://0"}) as recorder,
    ):
        fly(recorder, 7, monkeypatch)
        log.warning("it smells of smoke")
        raise EngineError("the board is on fire")
    (path,) = list_records(folder)
    assert "EngineError" in path.name
    record = read_record(path)
    assert record.about["source"] == "camera://0"
    assert "the board is on fire" in record.about["error"]
    assert "it smells of smoke" in record.log
    assert [moment.facts["frame"] for moment in record.moments] == list(range(7))
    assert record.moments[0].facts["timings"][0]["engine"] == 3.5
    assert record.moments[0].facts["objects"][0]["class"] == "cat"
    assert all(moment.jpeg[:2] == b"\xff\xd8" for moment in record.moments)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ConfigError("wrong")])
def test_what_the_user_did_is_no_crash(error: BaseException, tmp_path: Path) -> None:
    with (
        pytest.raises(type(error)),
        recording(tmp_path / "ring", tmp_path / "records", {}),
    ):
        raise error
    assert not (tmp_path / "records").exists()


def test_a_start_that_fails_leaves_no_record(tmp_path: Path) -> None:
    with pytest.raises(EngineError), recording(tmp_path / "ring", tmp_path / "records", {}):
        raise EngineError("no camera yet")
    assert not (tmp_path / "records").exists()


def test_a_killed_run_is_recorded_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left = Ring(tmp_path / "ring")
    left.begin({"source": "first"})
    left.keep(Moment({"frame": 3, "wall_s": 1.0}, b"\xff\xd8jpeg"))
    left.write("000.moment.part", b"half a pict")
    (tmp_path / "ring" / "stacks.txt").write_text("Fatal Python error: Aborted\n")
    left.close()
    with recording(tmp_path / "ring", tmp_path / "records", {"source": "second"}):
        pass
    (path,) = list_records(tmp_path / "records")
    record = read_record(path)
    assert record.about["reason"] == "killed"
    assert record.about["source"] == "first"
    assert len(record.moments) == 1
    assert "Aborted" in record.stacks
    assert "edgeseg replay" in caplog.text
    assert "Aborted" in caplog.text


def test_two_runs_cannot_share_a_ring(tmp_path: Path) -> None:
    with (
        recording(tmp_path / "ring", tmp_path, {}),
        pytest.raises(SinkError, match="another run"),
        recording(tmp_path / "ring", tmp_path, {}),
    ):
        pass


def test_the_ring_is_bounded(tmp_path: Path) -> None:
    kept = Ring(tmp_path)
    kept.begin({})
    for index in range(3 * SLOTS):
        kept.keep(Moment({"frame": index}, b"x"))
    kept.keep(Moment({"frame": 999}, b"x" * (ring.LONGEST_PICTURE_BYTES + 1)))
    moments = list(kept.moments())
    kept.close()
    assert len(moments) == SLOTS
    assert moments[-1] == Moment({"frame": 999}, b"")
    assert [m.facts["frame"] for m in moments[:-1]] == list(range(2 * SLOTS + 1, 3 * SLOTS))


def test_only_so_many_records_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORDS_KEPT", 3)
    for number in range(5):
        with pytest.raises(EngineError), recording(tmp_path / "ring", tmp_path, {}) as recorder:
            fly(recorder, 1, monkeypatch)
            raise EngineError(str(number))
    texts = [read_record(path).about["error"] for path in list_records(tmp_path)]
    assert [text.strip()[-1] for text in texts] == ["2", "3", "4"]


def test_a_full_disk_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with recording(tmp_path / "ring", tmp_path, {}) as recorder:
        monkeypatch.setattr(recorder.ring, "write", full)
        fly(recorder, 3, monkeypatch)
    monkeypatch.undo()
    monkeypatch.setattr(flight, "save_record", full)
    with pytest.raises(EngineError), recording(tmp_path / "ring", tmp_path, {}) as recorder:
        fly(recorder, 1, monkeypatch)
        raise EngineError("first")


def test_the_pipeline_only_pays_for_a_small_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(tmp_path / "ring", tmp_path, {}) as recorder:
        monkeypatch.setattr(flight, "EVERY_S", 0.0)
        recorder.ring.write = lambda *_: None  # type: ignore[method-assign]
        recorder.write(result(0, (1920, 1080)), None)
        if recorder._waiting:
            assert recorder._waiting[-1][1].shape == (180, 320, 3)
        for index in range(100):
            recorder.write(result(index), None)
        assert len(recorder._waiting) <= 2


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with (
        pytest.raises(EngineError),
        recording(tmp_path / "ring", tmp_path / "records", {"source": "x\x1b[31m"}) as recorder,
    ):
        fly(recorder, 6, monkeypatch)
        raise EngineError("on fire")
    return list_records(tmp_path / "records")[0]


def test_replay_tells_what_is_in_a_record(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["replay", str(record)]) == 0
    said = capsys.readouterr().out
    for text in ("EngineError", "on fire", "6 kept, of 0 to 5", "1 cat", "engine 3.50"):
        assert text in said
    assert "\x1b" not in said


def test_replay_writes_pictures_and_video(record: Path, tmp_path: Path) -> None:
    assert call(["replay", str(record.parent), "--output", str(tmp_path / "last")]) == 0
    assert len(list((tmp_path / "last").glob("*.jpg"))) == 6
    assert call(["replay", str(record), "--output", str(tmp_path / "last.mp4")]) == 0
    with av.open(str(tmp_path / "last.mp4")) as clip:
        frames = [frame.to_ndarray(format="bgr24") for frame in clip.decode(video=0)]
    assert len(frames) == 6
    assert np.abs(frames[0].astype(int).mean((0, 1)) - (0, 0, 200)).max() < 12
    assert call(["replay", str(record), "--output", str(tmp_path / "last.txt")]) == 2


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    assert call(["replay", str(tmp_path / "nothing.zip")]) == 4
    assert call(["replay", str(tmp_path)]) == 4
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("record.json", b" " * (records.MAX_BYTES + 1))
    with pytest.raises(SourceOpenError, match="too large"):
        read_record(large)


def test_only_frames_are_taken_out_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("record.json", "{}")
        archive.writestr("moments.jsonl", json.dumps({"frame": 1, "objects": 3, "timings": 5}))
        archive.writestr("log.txt", "")
        archive.writestr("stacks.txt", "")
        archive.writestr("../../frames/1.jpg", b"evil")
        archive.writestr("frames/../1.jpg", b"evil")
    assert read_record(path).moments[0].jpeg == b""


@settings(deadline=None, max_examples=50)  # it writes files
@given(st.binary(max_size=400))
def test_any_bytes_are_a_record_or_a_clean_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("r") / "flight-x.zip"
    path.write_bytes(content)
    with pytest.raises(SourceOpenError):
        read_record(path)


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(_json, st.dictionaries(st.sampled_from(["frame", "objects", "timings", "wall_s"]), _json))
def test_any_content_is_summed_up_or_refused(
    tmp_path_factory: pytest.TempPathFactory, about: object, facts: dict[str, object]
) -> None:
    from edgeseg.service.replay import summary

    path = tmp_path_factory.mktemp("r") / "flight-x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("record.json", json.dumps(about))
        archive.writestr("moments.jsonl", json.dumps(facts))
        archive.writestr("log.txt", "")
        archive.writestr("stacks.txt", "")
    with contextlib.suppress(SourceOpenError):
        summary(read_record(path))
