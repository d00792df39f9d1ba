"""Measure what INT8 brings on this CPU: the bare network, fp32 against ONNX Runtime's INT8.

    python tools/bench_int8.py [--models yolov3-tiny yolov3] [--rounds 9] [--output FILE]

Both take turns, round after round, in one process on the same cores; the JSON
holds every round, the medians, and the ratio of each round's rates. Three ways:
`side by side` is what `edgeseg run` does with a file, a frame on each core;
`wall` is one frame on all cores, as for a camera; `cpu` is processor time with
one thread, which a busy machine disturbs less.
yolov3's weights are random: they change no time. Without --calib the scales
come from the demo clip, which is enough for measuring speed, not for use.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edgeseg import __version__
from edgeseg.engines.onnxruntime import OnnxRuntimeEngine, available_cpus
from edgeseg.files import written_aside
from edgeseg.models import registry
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.export import export
from edgeseg.models.darknet.plan import plan_network
from edgeseg.models.darknet.weights import write_random_weights
from edgeseg.models.zoo import MODELS
from edgeseg.quantize.calibrate import CalibrationSet, calibrate
from edgeseg.quantize.recipe import FP32, Recipe
from edgeseg.types import Batch, Letterbox, Model


def main() -> None:
    """Parse, measure, print, write."""
    options = _parse()
    with tempfile.TemporaryDirectory() as folder:
        results = {name: _measure(name, options, Path(folder)) for name in options.models}
    report = _about() | {"size": options.size, "models": results}
    print(json.dumps({k: v["ratio"] for k, v in results.items()}, indent=1))
    if options.output:
        with written_aside(options.output) as aside:
            aside.write_text(json.dumps(report, indent=1) + "\n")


def _measure(name: str, options: argparse.Namespace, folder: Path) -> dict[str, dict[str, object]]:
    models = _models(name, options, folder)
    cores = available_cpus()
    wall = _alternate(models, cores, options, time.perf_counter)
    cpu = _alternate(models, 1, options, time.process_time)
    beside = _alternate(models, cores, options, time.perf_counter, throughput=True)
    return {
        "side_by_side_ms": beside,
        "wall_ms": wall,
        "cpu_ms": cpu,
        "median_ms": {key: statistics.median(values) for key, values in wall.items()},
        "side_by_side_fps": {
            key: 1000 / statistics.median(values) for key, values in beside.items()
        },
        "ratio": {
            f"side by side, {cores} threads": _ratio(beside),
            f"wall, {cores} threads": _ratio(wall),
            "cpu, 1 thread": _ratio(cpu),
        },
    }


def _ratio(rounds: dict[str, list[float]]) -> float:
    """Give the median of fp32 time over INT8 time in the same round."""
    pairs = zip(rounds["fp32"], rounds["int8"], strict=True)
    return round(statistics.median(a / b for a, b in pairs), 3)


def _models(name: str, options: argparse.Namespace, folder: Path) -> dict[str, Model]:
    size = (options.size, options.size)
    cfg, weights = MODELS[name].cfg, folder / f"{name}.weights"
    if name == "yolov3-tiny":
        weights = registry.fetch(name).weights
    else:
        write_random_weights(weights, plan_network(parse_cfg(cfg), size), 1)
    source = options.calib or str(registry.fetch_clip())
    scales = calibrate(cfg, weights, CalibrationSet(source, frames=16), size=size)
    recipes = {"fp32": FP32, "int8": Recipe("int8", target="onnxruntime", scales=scales)}
    return {
        key: export(cfg, weights, folder / f"{name}-{key}.onnx", size=size, recipe=recipe)
        for key, recipe in recipes.items()
    }


def _alternate(
    models: dict[str, Model],
    threads: int,
    options: argparse.Namespace,
    clock: Callable[[], float],
    *,
    throughput: bool = False,
) -> dict[str, list[float]]:
    """Give milliseconds a frame, by model and round; with `throughput` in as many lanes as a run.

    A lane's frames are the round's: all lanes together take `frames` for each lane.
    """
    engines = {
        key: OnnxRuntimeEngine(model, threads=threads, throughput=throughput)
        for key, model in models.items()
    }
    size = (options.size, options.size)
    tensor = np.random.default_rng(0).random((1, 3, *size), np.float32)
    batch = Batch(tensor, (Letterbox.fit(size, size),))

    def lane(engine: OnnxRuntimeEngine, frames: int) -> None:
        for _ in range(frames):
            engine.infer(batch)

    lanes = max(engine.lanes for engine in engines.values())
    rounds: dict[str, list[float]] = {key: [] for key in engines}
    with ThreadPoolExecutor(lanes) as pool:
        for engine in engines.values():
            list(pool.map(lambda _, engine=engine: lane(engine, 1), range(engine.lanes)))
        for _ in range(options.rounds):
            for key, engine in engines.items():
                start = clock()
                waiting = [pool.submit(lane, engine, options.frames) for _ in range(engine.lanes)]
                for one in waiting:
                    one.result()
                frames = options.frames * engine.lanes
                rounds[key].append((clock() - start) / frames * 1000)
    return rounds


def _about() -> dict[str, object]:
    import onnxruntime as ort

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    values = {key.strip(): text.strip() for key, _, text in (x.partition(":") for x in lines)}
    flags = values.get("flags", "").split()
    return {
        "edgeseg": __version__,
        "onnxruntime": ort.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "cpu": values.get("model name", platform.machine()),
        "cores": available_cpus(),
        "vnni": sorted(flag for flag in flags if "vnni" in flag),
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["yolov3-tiny", "yolov3"])
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frames", type=int, default=10, help="frames of a round")
    parser.add_argument("--calib", help="folder or clip to calibrate with; default: the demo clip")
    parser.add_argument("--output", type=Path, help="JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
