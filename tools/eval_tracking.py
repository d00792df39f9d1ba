"""How well edgeseg tracks: MOTA and IDF1 beside ByteTrack of the package `trackers`.

    python tools/eval_tracking.py ../shared/data/mot --judge judge/bin/python

Each folder inside the given one holds a clip and gt/gt.txt. Both trackers get
the very same boxes: those of a network, and the true ones thinned and jittered.
`--judge` is the Python of an environment with `trackeval` and `trackers`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from mot_scenes import (
    Boxes,
    Rows,
    Scene,
    detected_boxes,
    open_scene,
    read_rows,
    thinned_boxes,
    track_boxes,
)

from edgeseg import _native

SETTINGS = {
    "thinned to 0.8, jitter 8 %": {"keep": 0.8, "jitter": 0.08},
    "thinned to 0.6, jitter 5 %": {"keep": 0.6, "jitter": 0.05},
    "thinned to 0.9, jitter 15 %": {"keep": 0.9, "jitter": 0.15},
}


def main() -> None:
    """Evaluate, print a table, and write JSON when asked."""
    options = _options()
    scenes = [open_scene(p.parents[1]) for p in sorted(options.data.glob("*/gt/gt.txt"))]
    if not scenes:
        sys.exit(f"no folder with gt/gt.txt in {options.data}")
    report: dict[str, Any] = {"quality": {}, "detect_every": {}}
    tasks = [task for scene in scenes for task in _tasks(scene, options)]
    answers = ask_judge(options.judge, [task for _, task in tasks])
    for (name, _), answer in zip(tasks, answers, strict=True):
        report["quality"].setdefault(name, []).append(answer)
    for name, runs in report["quality"].items():
        print(name)
        for who in runs[0]:
            print(f"  {who:20}", _line([run[who] for run in runs]))
    report["speed"] = _speed(options.judge)
    print("a frame of 20 objects, ms:", report["speed"])
    if options.every > 1:
        report["detect_every"] = {s.name: _detect_every(s, options) for s in scenes}
        print(json.dumps(report["detect_every"], indent=2))
    if options.output:
        options.output.write_text(json.dumps(report, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--judge", default=sys.executable)
    parser.add_argument("--model", default="yolov3-tiny")
    parser.add_argument("--size", type=int, default=608)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="also: what --detect-every N costs")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _tasks(scene: Scene, options: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    cases = []
    if options.size:
        floor = _native.tracking_floor(0.25)
        found = detected_boxes(scene, model=options.model, size=options.size, conf=floor)
        cases.append((f"{options.model} {options.size}, scores above {floor:.2f}", found))
        strong = [frame[frame[:, 4] > 0.25] for frame in found]
        cases.append((f"{options.model} {options.size}, scores above 0.25", strong))
    for name, setting in SETTINGS.items():
        cases += [(name, thinned_boxes(scene, seed, **setting)) for seed in range(options.seeds)]
    return [(f"{scene.name}: {name}", _task(scene, boxes)) for name, boxes in cases]


def _task(scene: Scene, boxes: Boxes) -> dict[str, Any]:
    return quality_task(scene, track_boxes(scene, boxes), boxes)


def quality_task(scene: Scene, rows: Rows, boxes: Boxes | None) -> dict[str, Any]:
    """Put a question to the judge; with boxes the rival is asked as well."""
    return {
        "kind": "quality",
        "truth": str(scene.clip.parent / "gt" / "gt.txt"),
        "frames": scene.frames,
        "fps": scene.fps,
        "rows": rows.tolist(),
        "boxes": None if boxes is None else [frame.tolist() for frame in boxes],
    }


def ask_judge(python: str, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let tools/mot_judge.py answer, in the environment of `python`."""
    program = Path(__file__).with_name("mot_judge.py")
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.json"
        command = [python, str(program), str(answers)]
        subprocess.run(command, input=json.dumps(tasks), text=True, check=True)
        told: list[dict[str, Any]] = json.loads(answers.read_text())
    return told


def _line(runs: list[dict[str, float]]) -> str:
    mean = {key: statistics.fmean(run[key] for run in runs) for key in runs[0]}
    return (
        f"MOTA {mean['mota']:5.1f}  IDF1 {mean['idf1']:5.1f}  switches {mean['switches']:4.1f}  "
        f"false {mean['false']:6.1f}  missed {mean['missed']:6.1f}  ids {mean['identities']:4.1f}"
    )


def _speed(judge: str) -> dict[str, float]:
    """Time one update at 20 objects, ours and the rival's, one after the other."""
    rng = np.random.default_rng(0)
    start, speed = rng.uniform(100, 1800, (20, 2)), rng.normal(0, 30, (20, 2))
    half = np.array([20.0, 50.0])
    frames = []
    for frame in range(500):
        middle = start + speed * frame / 25 + rng.normal(0, 1, (20, 2))
        boxes = np.hstack([middle - half, middle + half, np.full((20, 1), 0.9)])
        frames.append(boxes.astype(np.float32))
    tracker, seconds = _native.Tracker(), []
    class_ids = np.zeros(20, np.int32)
    for number, frame in enumerate(frames):
        boxes, scores = np.ascontiguousarray(frame[:, :4]), np.ascontiguousarray(frame[:, 4])
        begin = time.perf_counter()
        tracker.update(boxes, scores, class_ids, number / 25, (1920, 1080))
        seconds.append(time.perf_counter() - begin)
    ours = 1e3 * statistics.median(seconds)
    task = {"kind": "time", "boxes": [frame.tolist() for frame in frames]}
    theirs = ask_judge(judge, [task])[0]["rival_ms"]
    return {"edgeseg": ours, "trackers": theirs, "ratio": theirs / ours}


def _detect_every(scene: Scene, options: argparse.Namespace) -> dict[str, Any]:
    """Run the whole program on a clip, each frame and every n-th: CPU seconds and quality."""
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        tasks = []
        for every in (1, options.every):
            rows = Path(folder) / f"{every}.txt"
            told[f"every {every}"] = {"cpu_s": _cpu_seconds(scene, options, every, rows)}
            tasks.append(quality_task(scene, read_rows(rows), None))
    for every, answer in zip((1, options.every), ask_judge(options.judge, tasks), strict=True):
        told[f"every {every}"] |= answer["edgeseg"]
    costs = [told[f"every {every}"]["cpu_s"] for every in (1, options.every)]
    told["cpu_share"] = costs[1] / costs[0]
    return told


def _cpu_seconds(scene: Scene, options: argparse.Namespace, every: int, rows: Path) -> float:
    command = [
        sys.executable, "-m", "edgeseg", "run", str(scene.clip), "--headless", "--masks", "off",
        "--model", options.model, "--size", str(options.size or 608), "--classes", "person",
        "--detect-every", str(every), "--sink", f"mot:{rows}",
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=dict(os.environ))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
