"""Measure what edgeseg adds to the bare network, and how it compares with hand-written pipelines.

    python tools/bench_pipeline.py [CLIP] [--model yolov3-tiny] [--size 416] [--output FILE]

The rivals take turns, round after round, in one process on the same cores; the
JSON holds every round, the medians and the ratios. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rivals

from edgeseg import __version__
from edgeseg.engines.onnxruntime import OnnxRuntimeEngine, available_cpus
from edgeseg.files import written_aside
from edgeseg.models import open_model, registry
from edgeseg.runner import run
from edgeseg.settings import settings_from
from edgeseg.types import Batch, Letterbox, Model

PEAK_OF = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def main() -> None:
    """Parse, measure, print, write."""
    options = _parse()
    files = registry.fetch(options.model)
    model = open_model(options.model, size=(options.size, options.size))
    clip = options.clip or registry.fetch_clip()
    with tempfile.TemporaryDirectory() as folder:
        contestants = _contestants(clip, model, files, options, Path(folder))
        rounds: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(options.rounds):
            for name, contestant in contestants.items():
                rounds[name].append(contestant())
                print(f"round {number + 1}: {name:<15} {rounds[name][-1]:7.2f} FPS", flush=True)
    report = _report(options, clip, rounds)
    report["peak_memory_mb"] = _peak_memory_mb(clip, options)
    report["first_result_s"] = _first_result_s(clip, options)
    print(
        json.dumps(
            {key: report[key] for key in ("fps", "ratios", "peak_memory_mb", "first_result_s")},
            indent=2,
        )
    )
    if options.output:
        with written_aside(options.output) as aside:
            aside.write_text(json.dumps(report, indent=2) + "\n")


def _contestants(
    clip: Path, model: Model, files: registry.Files, options: argparse.Namespace, folder: Path
) -> dict[str, Callable[[], float]]:
    def edgeseg_run(sink: str, **more: Any) -> float:
        return run(
            settings_from(
                source=str(clip),
                model=options.model,
                size=options.size,
                sink=str(folder / sink),
                headless=True,
                **more,
            )
        ).fps

    # What the rivals do, then what they do not.
    boxes_only = {"masks": "off", "track": "off"}
    return {
        "engine": lambda: _engine_alone(model, options.frames),
        "edgeseg_jsonl": lambda: edgeseg_run("a.jsonl", **boxes_only),
        "edgeseg_video": lambda: edgeseg_run("a.mp4", **boxes_only),
        "edgeseg_tracked": lambda: edgeseg_run("d.mp4", masks="off"),
        "edgeseg_masks": lambda: edgeseg_run("e.mp4"),
        "edgeseg_every_3": lambda: edgeseg_run("f.mp4", detect_every=3),
        "careful": lambda: rivals.run_careful(clip, folder / "b.mp4", model),
        "seed": lambda: rivals.run_seed(
            clip, folder / "c.mp4", files.cfg, files.weights, model.class_names, options.size
        ),
    }


def _engine_alone(model: Model, frames: int) -> float:
    """Give the rate of the bare network, the same engine with the same threads."""
    engine = OnnxRuntimeEngine(model)
    width, height = model.input_px
    tensor = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    batch = Batch(tensor, (Letterbox.fit((width, height), model.input_px),))
    for _ in range(5):
        engine.infer(batch)
    start = time.perf_counter()
    for _ in range(frames):
        engine.infer(batch)
    return frames / (time.perf_counter() - start)


def _report(
    options: argparse.Namespace, clip: Path, rounds: dict[str, list[float]]
) -> dict[str, object]:
    def ratio(ours: str, theirs: str) -> float:
        return statistics.median(a / b for a, b in zip(rounds[ours], rounds[theirs], strict=True))

    import cv2
    import onnxruntime as ort

    return {
        "edgeseg": __version__,
        "clip": clip.name,
        "model": options.model,
        "size": options.size,
        "date": time.strftime("%Y-%m-%d"),
        "machine": _machine(),
        "versions": {
            "onnxruntime": ort.__version__,
            "opencv": cv2.__version__,
            "python": platform.python_version(),
        },
        "rounds_fps": rounds,
        "fps": {name: statistics.median(values) for name, values in rounds.items()},
        "ratios": {
            "edgeseg_jsonl/engine": ratio("edgeseg_jsonl", "engine"),
            "edgeseg_video/engine": ratio("edgeseg_video", "engine"),
            "edgeseg_video/seed": ratio("edgeseg_video", "seed"),
            "edgeseg_video/careful": ratio("edgeseg_video", "careful"),
            "edgeseg_tracked/edgeseg_video": ratio("edgeseg_tracked", "edgeseg_video"),
            "edgeseg_masks/edgeseg_video": ratio("edgeseg_masks", "edgeseg_video"),
            "edgeseg_every_3/edgeseg_masks": ratio("edgeseg_every_3", "edgeseg_masks"),
        },
    }


def _machine() -> dict[str, object]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""
    )
    return {"cpu": cpu or platform.machine(), "cores": available_cpus()}


def _peak_memory_mb(clip: Path, options: argparse.Namespace) -> float:
    """Give the peak resident memory of `edgeseg run`, a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "edgeseg", "run", str(clip)]
        command += ["--model", options.model, "--size", str(options.size), "--headless"]
        command += ["--sink", f"{folder}/a.mp4", "--sink", f"{folder}/a.jsonl"]
        # A process in between: a child counts the memory of the one it was forked from.
        done = subprocess.run(
            [sys.executable, "-c", PEAK_OF, *command], check=True, stdout=subprocess.PIPE, text=True
        )
    return int(done.stdout) / 1024


def _first_result_s(clip: Path, options: argparse.Namespace) -> float:
    """Give the time from process start to the first JSONL line, the median of five."""
    times = []
    for _ in range(5):
        command = [sys.executable, "-m", "edgeseg", "run", str(clip)]
        command += ["--model", options.model, "--size", str(options.size), "--sink", "jsonl:-"]
        start = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            times.append(time.perf_counter() - start)
            process.terminate()
    return statistics.median(times)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", nargs="?", type=Path, help="video; default: the demo clip")
    parser.add_argument("--model", default="yolov3-tiny", help="registry name")
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--frames", type=int, default=300, help="frames of the engine alone, a round"
    )
    parser.add_argument("--output", type=Path, help="JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
