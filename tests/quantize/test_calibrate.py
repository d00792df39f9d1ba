"""Promises about calibrating."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from darknet_nets import conv, heads_of, net, place

from edgeseg.backends.cpu import CpuBackend
from edgeseg.cli import call
from edgeseg.errors import ModelError
from edgeseg.models.darknet.export import write
from edgeseg.models.darknet.metadata import describe
from edgeseg.models.onnx_model import read_model
from edgeseg.quantize.calibrate import CalibrationSet, calibrate
from edgeseg.quantize.scales import read_scales
from edgeseg.sources import open_source

TEXT = net(conv(8), conv(8, stride=2))


def write_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(count)
    for number in range(count):
        picture = rng.integers(0, 256, (20, 24, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:02d}.png"), picture)
    return folder


def test_the_same_pictures_give_the_same_scales_and_progress_is_told(tmp_path: Path) -> None:
    cfg, weights, _ = place(tmp_path, TEXT)
    chosen = CalibrationSet(str(write_pictures(tmp_path / "p", 12)))
    heard: list[tuple[int, int]] = []
    first = calibrate(cfg, weights, chosen, progress=lambda *step: heard.append(step))
    assert heard == [(number, 12) for number in range(1, 13)]
    assert calibrate(cfg, weights, chosen).to_json() == first.to_json()
    assert set(first.ranges) >= {"000_convolutional", "000_convolutional_leaky"}
    assert first.calibration["frames"] == 12


def test_frames_are_taken_evenly_from_the_whole_folder(tmp_path: Path) -> None:
    cfg, weights, _ = place(tmp_path, TEXT)
    folder = write_pictures(tmp_path / "p", 40)
    every_fourth = tmp_path / "q"
    every_fourth.mkdir()
    for path in sorted(folder.iterdir())[::4]:
        (every_fourth / path.name).write_bytes(path.read_bytes())
    some = calibrate(cfg, weights, CalibrationSet(str(folder), frames=10))
    same = calibrate(cfg, weights, CalibrationSet(str(every_fourth)))
    assert some.calibration["sha256"] == same.calibration["sha256"]
    assert some.ranges == same.ranges


def test_ranges_hold_what_the_network_gives_and_reach_no_further(tmp_path: Path) -> None:
    cfg, weights, network = place(tmp_path, TEXT)
    folder = write_pictures(tmp_path / "p", 9)
    tensors = ["000_convolutional_leaky", "001_convolutional_leaky"]
    found = calibrate(cfg, weights, CalibrationSet(str(folder), percent=100)).ranges
    metadata = describe(network, cfg, weights)
    write(network, weights, tmp_path / "taps.onnx", metadata, taps=tensors)
    backend = CpuBackend(metadata.model(tmp_path / "taps.onnx", ""))
    source = open_source(str(folder))
    ends = []
    while (frame := source.read()) is not None:
        values = heads_of(tmp_path / "taps.onnx", backend.preprocess(frame).tensor)[1:]
        ends.append([(value.min(), value.max()) for value in values])
    for tensor, (lows, highs) in zip(tensors, np.array(ends).transpose(1, 2, 0), strict=True):
        assert found[tensor].low == pytest.approx(lows.min(), rel=0.01)
        assert found[tensor].high == pytest.approx(highs.max(), rel=0.01)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    cfg, weights, _ = place(tmp_path, TEXT)
    with pytest.raises(ModelError, match="gave 3 frames, calibrating needs 8"):
        calibrate(cfg, weights, CalibrationSet(str(write_pictures(tmp_path / "p", 3))))


def test_the_command_calibrates_exports_and_takes_its_scales_again(tmp_path: Path, capsys) -> None:
    cfg, weights, _ = place(tmp_path, TEXT)
    pictures = write_pictures(tmp_path / "p", 8)
    first, second = tmp_path / "a.onnx", tmp_path / "b.onnx"
    command = ["models", "export", str(cfg), str(weights), "--precision", "int8"]
    command += ["--for", "onnxruntime"]
    assert call([*command, "--calib", str(pictures), "--output", str(first)]) == 0
    assert "int8 for onnxruntime, heads kept" in capsys.readouterr().out
    scales = tmp_path / "a.scales.json"
    assert read_scales(scales).calibration["source"] == "p"
    assert call([*command, "--scales", str(scales), "--output", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert read_model(first).precision == "int8"
    run = ["run", str(pictures), "--model", str(first), "--precision", "int8", "--headless"]
    assert call([*run, "--sink", str(tmp_path / "a.jsonl")]) == 0
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 8


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--precision", "int8"], "needs either frames"),
        (["--precision", "fp16", "--calib", "p"], "are for int8"),
        (["--io", "fp16"], "needs --precision fp16 or int8"),
        (
            ["--precision", "int8", "--calib", "p", "--io", "fp16", "--for", "onnxruntime"],
            "is for TensorRT",
        ),
    ],
)
def test_options_that_do_not_go_together_say_so(tmp_path: Path, capsys, options, says) -> None:
    cfg, weights, _ = place(tmp_path, TEXT)
    command = ["models", "export", str(cfg), str(weights), "--output", str(tmp_path / "a.onnx")]
    assert call([*command, *options]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "a.onnx").exists()
