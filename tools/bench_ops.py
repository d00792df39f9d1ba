"""Compare the native ops with what people write by hand: OpenCV's chain, NumPy and NMSBoxes.

Both sides run alternately on one thread and on the same arrays; medians go to
a JSON file, with the ratio and the bytes each op must move.

    python tools/bench_ops.py --seconds 2 --output ops.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import bench_mask_ops
import cv2
import numpy as np
import rival_detect
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.backends.cpu import native_spec
from edgeseg.files import written_aside
from edgeseg.types import HeadSpec, Letterbox

Heads = list[NDArray[np.float32]]
YOLOV3_ANCHORS = (
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
)
CONF, IOU = 0.25, 0.45
MAX_CANDIDATES = rival_detect.MAX_CANDIDATES
Labels = Literal["multi", "best"]
LABELS: tuple[Labels, ...] = ("multi", "best")


@dataclass(frozen=True)
class Scene:
    """What decode and NMS are timed on."""

    name: str
    side: int
    heads: Heads
    specs: list[HeadSpec]
    conf: float


def alternate(sides: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Run the sides in turn for `seconds`; give each one's median in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for call in sides.values():
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, call in sides.items():
            begin = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - begin))
    return {name: statistics.median(values) for name, values in times.items()}


def report(op: str, case: str, medians: dict[str, float], moved: int) -> dict[str, Any]:
    """Give one row: medians, how many times as fast the first side is, bytes it must move."""
    first, *others = medians
    return {
        "op": op,
        "case": case,
        "median_ms": {name: round(value, 4) for name, value in medians.items()},
        "times_as_fast": {name: round(medians[name] / medians[first], 2) for name in others},
        "bytes_moved": moved,
        "gb_per_s": round(moved / medians[first] / 1e6, 2),
    }


def opencv_chain(image: NDArray[np.uint8], fit: Letterbox) -> NDArray[np.float32]:
    """Letterbox with OpenCV: resize, copyMakeBorder, blobFromImage."""
    (x, y, w, h), (net_w, net_h) = fit.region_net, fit.net_px
    resized = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
    border = (y, net_h - h - y, x, net_w - w - x)
    framed = cv2.copyMakeBorder(resized, *border, cv2.BORDER_CONSTANT, value=(127.5,) * 3)
    return np.asarray(cv2.dnn.blobFromImage(framed, 1 / 255, swapRB=True), np.float32)


def bench_letterbox(source_px: tuple[int, int], side: int, seconds: float) -> dict[str, Any]:
    """Time one frame size."""
    width, height = source_px
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 8), np.uint8)
    fit = Letterbox.fit(source_px, (side, side))
    out = np.empty((3, side, side), np.float32)

    def native(fill: bool = True, simd: str = "auto") -> None:
        _native.letterbox(image, out, fit.region_net, fill=fill, simd=simd)

    # Holding the last blob keeps the allocator from giving its pages back after each call,
    # which would make OpenCV look several times slower than it is.
    held = [opencv_chain(image, fit), opencv_chain(image, fit)]

    def opencv() -> None:
        held.append(opencv_chain(image, fit))
        del held[0]

    sides: dict[str, Callable[[], Any]] = {
        "native": native,
        "native, padding kept": partial(native, fill=False),
        "opencv": opencv,
    }
    for level in _native.simd_levels():
        sides[f"native, {level}"] = partial(native, simd=level)
    native()
    # OpenCV places the pixels half a source pixel elsewhere, so only a smooth picture agrees.
    difference = float(np.abs(opencv_chain(image, fit)[0] - out).mean())
    if difference > 2 / 255:
        raise AssertionError(f"the two letterboxes differ by {difference}")
    rows = min(height, 2 * fit.region_net[3])
    moved = out.nbytes + rows * 3 * width
    return report("letterbox", f"{width}x{height} to {side}", alternate(sides, seconds), moved)


def yolov3_heads(side: int, classes: int, objects: int) -> tuple[Heads, list[HeadSpec]]:
    """Make raw heads in which `objects` places light up, each in a few neighbouring cells."""
    rng = np.random.default_rng(0)
    specs = [HeadSpec("yolo", anchors, classes) for anchors in YOLOV3_ANCHORS]
    heads = []
    for stride in (32, 16, 8):
        cells = side // stride
        head = rng.normal(-6, 2, (3, 5 + classes, cells, cells)).astype(np.float32)
        head[:, :4] = rng.normal(0, 0.5, head[:, :4].shape)
        head[:, 4] = rng.normal(-9, 1.5, head[:, 4].shape)
        for _ in range(objects):
            row, column = rng.integers(0, cells - 1, 2)
            head[rng.integers(3), 4, row : row + 2, column : column + 2] = rng.uniform(1, 6)
            head[:, 5 + rng.integers(classes), row : row + 2, column : column + 2] = 4
        heads.append(head.reshape(1, -1, cells, cells))
    return heads, specs


def random_heads(side: int, classes: int) -> tuple[Heads, list[HeadSpec]]:
    """Make heads of an untrained network: every number from N(0, 1), most cells pass."""
    rng = np.random.default_rng(0)
    specs = [HeadSpec("yolo", anchors, classes) for anchors in YOLOV3_ANCHORS]
    shapes = [(1, 3 * (5 + classes), side // stride, side // stride) for stride in (32, 16, 8)]
    return [rng.standard_normal(shape, np.float32) for shape in shapes], specs


def bench_detect(scene: Scene, labels: Labels, seconds: float) -> dict[str, Any]:
    """Time decode and NMS together, with all detections kept."""
    heads, specs = scene.heads, scene.specs
    native_specs = [native_spec(spec) for spec in specs]
    net_px = (scene.side, scene.side)

    def native() -> int:
        found = _native.decode(heads, native_specs, net_px, scene.conf, labels)
        return len(_native.nms(*found, IOU, max_detections=MAX_CANDIDATES))

    def by_hand() -> int:
        found = rival_detect.decode(heads, specs, scene.side, scene.conf, labels)
        return rival_detect.suppress(*found, scene.conf, IOU)

    # OpenCV computes the overlap in float64 another way: a few of tens of thousands differ.
    if abs(native() - by_hand()) > 1e-3 * by_hand():
        raise AssertionError(f"native keeps {native()} boxes, NumPy and NMSBoxes {by_hand()}")
    medians = alternate({"native": native, "numpy": by_hand}, seconds)
    moved = sum(3 * head.shape[2] * head.shape[3] * 4 for head in heads)
    case = f"{scene.name}, conf {scene.conf}, {labels} label, {native()} kept"
    return report("decode + nms", case, medians, moved)


def scenes() -> list[Scene]:
    """Give the scenes, from a few objects to an untrained network."""
    found = []
    for side, objects in ((416, 10), (608, 10), (608, 200), (608, 2000)):
        name = f"{side}, 80 classes, {3 * objects} objects"
        found.append(Scene(name, side, *yolov3_heads(side, 80, objects), 0.25))
    heads, specs = random_heads(608, 80)
    return found + [Scene("608, random heads", 608, heads, specs, conf) for conf in (0.25, 0.001)]


def bench_nms(count: int, seconds: float) -> dict[str, Any]:
    """Time NMS alone, on many overlapping candidates of one class."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 500, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(10, 100, (count, 2))]).astype(np.float32)
    scores = rng.permutation(np.linspace(0.3, 0.99, count)).astype(np.float32)
    class_ids = np.zeros(count, np.int32)
    with_sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    sides: dict[str, Callable[[], Any]] = {
        "native": lambda: _native.nms(boxes, scores, class_ids, IOU, max_detections=count),
        "opencv": partial(rival_detect.nms_boxes, with_sizes, scores, CONF, IOU),
    }
    return report("nms", f"{count} boxes, one class", alternate(sides, seconds), 24 * count)


def main() -> int:
    """Run all cases and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case (default 2)")
    parser.add_argument("--output", type=Path, help="JSON file (default: standard output)")
    options = parser.parse_args()
    seconds = options.seconds
    cv2.setNumThreads(1)
    results = [
        bench_letterbox((1920, 1080), 416, seconds),
        bench_letterbox((768, 576), 416, seconds),
        bench_letterbox((1920, 1080), 608, seconds),
        bench_letterbox((320, 240), 416, seconds),
        *(bench_detect(scene, labels, seconds) for scene in scenes() for labels in LABELS),
        bench_nms(1000, seconds),
        bench_nms(5000, seconds),
        *(
            report(op, case, alternate(sides, seconds), moved)
            for op, case, sides, moved in bench_mask_ops.cases()
        ),
    ]
    versions = {"opencv": cv2.__version__, "numpy": np.__version__}
    machine = {"machine": platform.machine(), "simd": _native.simd_levels(), **versions}
    text = json.dumps({"machine": machine, "results": results}, indent=2)
    if options.output is None:
        print(text)
        return 0
    with written_aside(options.output) as aside:
        aside.write_text(text + "\n")
    for row in results:
        print(row["op"], row["case"], row["median_ms"], "times as fast:", row["times_as_fast"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
