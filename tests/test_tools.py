"""The benchmark programs run and write the JSON the docs speak of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from edgeseg.models.registry import Files

TOOLS = Path(__file__).parents[1] / "tools"


def run_tool(name: str, *options: str | Path) -> str:
    command = [sys.executable, str(TOOLS / name), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_clip(path: Path, frames: int) -> None:
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as clip:
        stream = clip.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 96, 64
        for _ in range(frames):
            image = rng.integers(0, 256, (64, 96, 3), np.uint8)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        clip.mux(stream.encode())


def test_the_op_benchmark_compares_every_op(tmp_path: Path) -> None:
    run_tool("bench_ops.py", "--seconds", "0.01", "--output", tmp_path / "ops.json")
    rows = json.loads((tmp_path / "ops.json").read_text())["results"]
    assert {row["op"] for row in rows} == {
        "letterbox",
        "decode + nms",
        "nms",
        "crop_resize",
        "paste",
        "blend",
    }
    assert all(min(row["median_ms"].values()) > 0 for row in rows)


def test_the_pipeline_benchmark_gives_rates_and_ratios(
    yolov3_tiny: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(yolov3_tiny.weights.parents[1]))
    write_clip(tmp_path / "clip.mp4", 8)
    output = tmp_path / "pipeline.json"
    options = ("--size", "96", "--rounds", "1", "--frames", "5", "--output", output)
    run_tool("bench_pipeline.py", tmp_path / "clip.mp4", *options)
    report = json.loads(output.read_text())
    assert set(report["fps"]) == {
        "engine",
        "edgeseg_jsonl",
        "edgeseg_video",
        "edgeseg_tracked",
        "edgeseg_masks",
        "edgeseg_every_3",
        "careful",
        "seed",
    }
    assert all(ratio > 0 for ratio in report["ratios"].values())
    assert 0 < report["peak_memory_mb"] < 1000
    assert report["first_result_s"] > 0


def test_the_mask_evaluation_matches_and_measures(tmp_path: Path) -> None:
    import foreign_nets as nets
    from PIL import Image

    # One box in the middle of a picture of the network's size; its mask is the left half.
    cells = 8 * 8 + 4 * 4 + 2 * 2
    boxes = np.zeros((1, 4 + 2 + 1, cells), np.float32)
    boxes[0, :, 0] = [32, 32, 32, 32, 0.1, 0.9, 1.0]
    prototypes = np.full((1, 1, 16, 16), -9, np.float32)
    prototypes[..., :8] = 9
    outputs = {"output0": boxes, "output1": prototypes}
    net = nets.fixed_net(tmp_path / "net.onnx", outputs, metadata=nets.ultralytics())
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "images" / "a.png")
    truth = np.zeros((64, 64), np.uint8)
    truth[16:48, 16:48] = 3
    Image.fromarray(truth).save(tmp_path / "masks" / "a.png")
    instances = [
        {"image": "a.png", "id": 3, "class_id": 1, "bbox": [16, 16, 32, 32]},
        {"image": "a.png", "id": 4, "class_id": 0, "bbox": [16, 16, 32, 32]},
    ]
    (tmp_path / "instances.jsonl").write_text("\n".join(map(json.dumps, instances)))
    report = json.loads(run_tool("eval_seg_model.py", net, tmp_path))
    assert (report["instances"], report["matched"]) == (2, 1)
    assert report["box_iou"] == pytest.approx(1)
    assert report["mask_iou"] == pytest.approx(0.5)


def test_the_int8_benchmark_measures_frames_side_by_side(
    yolov3_tiny: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(yolov3_tiny.weights.parents[1]))
    write_clip(tmp_path / "clip.mp4", 8)
    output = tmp_path / "int8.json"
    options = ("--size", "96", "--rounds", "1", "--frames", "1", "--output", output)
    calib = ("--calib", tmp_path / "clip.mp4")
    run_tool("bench_int8.py", "--models", "yolov3-tiny", *calib, *options)
    model = json.loads(output.read_text())["models"]["yolov3-tiny"]
    assert {ratio.split(",")[0] for ratio in model["ratio"]} == {"side by side", "wall", "cpu"}
    assert all(ratio > 0 for ratio in model["ratio"].values())
    assert all(fps > 0 for fps in model["side_by_side_fps"].values())
