"""Promises of `edgeseg run` as a whole: real source, real network, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from small_net import write_small_net

from edgeseg.cli import call
from edgeseg.errors import EdgesegError, SinkError
from edgeseg.runner import run
from edgeseg.settings import settings_from

SCENE = "test://?size=320x240&fps=25&frames=30"
EDGESEG = [sys.executable, "-m", "edgeseg"]


@pytest.fixture(scope="module")
def cfg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_net(tmp_path_factory.mktemp("net"))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user-config"))


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def frame_count(path: Path) -> int:
    with av.open(str(path)) as clip:
        return sum(1 for _ in clip.decode(video=0))


def test_a_run_writes_every_frame_to_every_sink_and_sums_it_up(cfg: Path, tmp_path: Path) -> None:
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    summary = run(
        settings_from(source=SCENE, model=str(cfg), conf=0.1, sink=(str(video), str(lines)))
    )
    assert summary.frames == 30
    assert summary.drops == {}
    assert summary.places == [str(video), str(lines)]
    assert {"capture", "preprocess", "engine", "detect", "overlay"} <= set(summary.stages_ms)
    assert [r["frame"] for r in records(lines)] == list(range(30))
    assert frame_count(video) == 30
    first = records(lines)[0]
    assert (first["width"], first["height"]) == (320, 240)
    objects = first["objects"]
    assert isinstance(objects, list)
    assert len(objects) > 0, "random weights see something at 0.1"
    assert set(objects[0]) == {"class_id", "class", "score", "box", "mask"}
    assert objects[0]["class"] in ("cat", "traffic light")


def test_two_runs_give_the_same_results(cfg: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        sinks = (str(tmp_path / f"{name}.jsonl"),)
        run(settings_from(source=SCENE, model=str(cfg), conf=0.1, sink=sinks))
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_without_sink_and_display_files_are_written_and_named(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert call(["run", SCENE, "--model", str(cfg), "--output", str(tmp_path / "out")]) == 0
    err = capsys.readouterr().err
    written = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [Path(name).suffix for name in written] == [".jsonl", ".mp4"]
    for name in written:
        assert name in err, "the summary says where results lie"


def test_a_window_without_a_display_is_said_and_left_out(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    out = tmp_path / "out"
    summary = run(settings_from(source=SCENE, model=str(cfg), show=True, output=str(out)))
    assert "no display" in caplog.text
    assert sorted(Path(place).suffix for place in summary.places) == [".jsonl", ".mp4"]
    lines = tmp_path / "a.jsonl"
    summary = run(settings_from(source=SCENE, model=str(cfg), show=True, sink=str(lines)))
    assert summary.places == [str(lines)]


def test_classes_are_filtered_by_name(cfg: Path, tmp_path: Path) -> None:
    lines = tmp_path / "out.jsonl"
    run(
        settings_from(
            source=SCENE, model=str(cfg), conf=0.1, classes="traffic light", sink=str(lines)
        )
    )
    seen = {o["class"] for r in records(lines) for o in r["objects"]}  # type: ignore[attr-defined]
    assert seen == {"traffic light"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_file_in_order(cfg: Path, tmp_path: Path, number: int, code: int) -> None:
    scene = "test://?size=320x240&fps=25&frames=1000000"
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    command = [*EDGESEG, "run", scene, "--model", str(cfg), "--conf", "0.1"]
    command += ["--sink", str(video), "--sink", str(lines)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        part = lines.with_name("out.jsonl.part")
        wait_until(lambda: part.exists() and part.stat().st_size > 5000)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "frames" in err, "the summary is printed"
    count = len(records(lines))
    assert count == frame_count(video) > 0
    assert not list(tmp_path.glob("*.part"))


def test_ctrl_c_is_how_a_live_source_ends(cfg: Path, tmp_path: Path) -> None:
    lines = tmp_path / "out.jsonl"
    command = [*EDGESEG, "run", "test://?size=320x240&fps=50&live=1", "--model", str(cfg)]
    command += ["--sink", str(lines)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: lines.with_name("out.jsonl.part").exists())
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert records(lines)


def wait_until(condition: object, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_full_disk_is_one_error_and_leaves_no_file_under_the_final_name(
    cfg: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "out.jsonl"
    # The kernel refuses to let files grow past this limit, as a full disk would.
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "from edgeseg.cli import main\nmain()"
    )
    run(settings_from(source=SCENE, model=str(cfg), sink=("null:",)))  # converts the model
    command = [sys.executable, "-c", code, "run", "test://?size=320x240&frames=100000"]
    command += ["--model", str(cfg), "--conf", "0.05", "--sink", str(lines)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == SinkError.exit_code, done.stderr
    assert "out.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    assert not lines.exists()


@pytest.mark.parametrize(
    ("tokens", "code", "says"),
    [
        (["run", "absent.mp4"], 4, "absent.mp4"),
        (["run", "empty.mp4"], 4, "empty.mp4"),
        (["run", "noise.mp4"], 4, "noise.mp4"),
        (["run", "no-pictures"], 4, "no-pictures"),
        (["run", "--camera", "97"], 4, "97"),
        (["run", "gopher://x"], 4, "gopher"),
        (["run", "demo://no-such-clip"], 4, "no-such-clip"),
        (["run", "test://?size=99999x99999"], 4, "megapixels"),
        (["run", SCENE, "--model", "yolov9"], 3, "yolov9"),
        (["run", SCENE, "--model", "absent.cfg"], 3, "absent.cfg"),
        (["run", SCENE, "--weights", "no-pictures"], 3, "is not a regular file"),
        (["run", SCENE, "--model", "broken.onnx"], 3, "broken.onnx"),
        (["run", SCENE, "--sink", "out.xyz"], 2, "out.xyz"),
        (["run", SCENE, "--sink", "a.jsonl", "--sink", "./a.jsonl"], 2, "a.jsonl"),
        (["run", SCENE, "--sink", "/proc/none/out.jsonl"], 5, "/proc/none"),
        (["run", SCENE, "--sink", "empty.mp4/out.jsonl"], 5, "empty.mp4 is no folder"),
        (["run", SCENE, "--size", "65"], 3, "65"),
        (["run", SCENE, "--classes", "unicorn"], 2, "unicorn"),
        (["run", SCENE, "--backend", "cuda"], 6, "CUDA"),
        (["run", SCENE, "--engine", "tensorrt", "--backend", "cpu"], 6, "tensorrt runs on a GPU"),
    ],
)
def test_bad_input_is_one_error_with_the_documented_exit_code(
    cfg: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tokens: list[str],
    code: int,
    says: str,
) -> None:
    Path("empty.mp4").touch()
    Path("noise.mp4").write_bytes(os.urandom(5000))
    Path("no-pictures").mkdir()
    Path("broken.onnx").write_bytes(b"\x08\x07broken")
    model = [] if "--model" in tokens else ["--model", str(cfg)]
    assert call([*tokens, *model, *([] if "--sink" in tokens else ["--sink", "null:"])]) == code
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("source", [None, "absent.mp4", "gopher://x"])
def test_a_wrong_source_is_told_before_a_model_is_fetched(
    source: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeseg.runner.load_model", lambda _: pytest.fail("fetched"))
    with pytest.raises(EdgesegError):
        run(settings_from(source=source, model="yolov4"))


def test_a_folder_that_was_removed_is_one_clear_error(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert call(["run", SCENE, "--model", str(cfg), "--sink", "out.jsonl"]) == 5
    assert "out.jsonl: cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("closed", "code"),
    [("<&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 5), ("2>/dev/full", 0)],
)
def test_closed_and_full_standard_streams_harm_no_file(
    cfg: Path, tmp_path: Path, closed: str, code: int
) -> None:
    video, lines = tmp_path / "out.mp4", "jsonl:-" if code else str(tmp_path / "out.jsonl")
    command = [*EDGESEG, "run", SCENE, "--model", str(cfg), "--sink", str(video), "--sink", lines]
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *command],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert code or frame_count(video) == len(records(tmp_path / "out.jsonl")) == 30


def test_names_that_are_no_text_are_survived_everywhere(cfg: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"n\xffet.cfg")
    for ending in (".cfg", ".weights", ".names"):
        odd.with_suffix(ending).write_bytes(cfg.with_suffix(ending).read_bytes())
    lines = tmp_path / os.fsdecode(b"\xfe.jsonl")
    for encoding in ("utf-8", "ascii"):
        for command in (["models", "info", odd], ["run", SCENE, "--model", odd, "--sink", lines]):
            done = subprocess.run(
                [*EDGESEG, *map(str, command)],
                capture_output=True, check=False, timeout=60,
                env={**os.environ, "PYTHONIOENCODING": encoding},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    assert len(records(lines)) == 30
