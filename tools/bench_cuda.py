"""Time the CUDA ops on this machine's GPU, beside what its memory allows.

Every op is first compared with the CPU's. Times are medians by CUDA events over
replays of a graph that goes through several sets of inputs in turn, so that no
cache holds them. The roofline is the least time in which the op's bytes could
be copied, at the measured rate of a large copy. torch and torchvision are
measured beside, where they are installed.

    python tools/bench_cuda.py --output bench_cuda.json
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from bench_ops import CONF, IOU, yolov3_heads
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.backends.cpu import native_spec
from edgeseg.files import written_aside
from edgeseg.types import HeadSpec, Letterbox

Array = NDArray[Any]
Row = dict[str, Any]
MAX_DETECTIONS = 300


@dataclass
class Bench:
    """One device, one stream, and how often to measure."""

    native: ModuleType
    replays: int = 50
    """Of a graph; the median counts."""
    sets: int = 16
    """Of inputs and outputs that a graph goes through."""
    copy_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        self.cuda = self.native.cuda
        self.stream = self.cuda.Stream()
        self.handle: int = self.stream.handle
        self.copy_gb_per_s = self._copy_rate()

    def put(self, array: Array) -> Any:
        """Bring an array to the device."""
        packed = np.ascontiguousarray(array)
        buffer = self.cuda.Buffer(packed.nbytes)
        buffer.upload(packed, self.handle)
        return buffer

    def get(self, buffer: Any, dtype: Any, count: int, offset: int = 0) -> Array:
        """Bring the first values of a buffer back."""
        array = np.empty(count, dtype)
        buffer.download(array, self.handle, offset)
        return array

    def graph(self, calls: list[Callable[[], Any]]) -> Any:
        """Capture calls in a graph."""
        self.cuda.Graph.begin_capture(self.handle)
        for call in calls:
            call()
        return self.cuda.Graph(self.handle)

    def time_us(self, calls: list[Callable[[], Any]]) -> float:
        """Give the median time of one call, all of them in one graph."""
        graph = self.graph(calls)
        begin, end = self.cuda.Event(), self.cuda.Event()
        times = []
        for i in range(self.replays + 5):
            begin.record(self.handle)
            graph.launch(self.handle)
            end.record(self.handle)
            if i >= 5:
                times.append(1e3 * end.elapsed_ms(begin) / len(calls))
        return statistics.median(times)

    def _copy_rate(self) -> float:
        """Bytes read and written a second by a copy on the device, in GB/s."""
        source, target = self.cuda.Buffer(self.copy_bytes), self.cuda.Buffer(self.copy_bytes)
        source.fill(1, self.handle)
        self.stream.synchronize()
        # A graph of one copy: the rate of a large copy is that of the memory.
        copy_us = self.time_us([lambda: source.copy_to(target, self.handle)])
        return 2e-3 * self.copy_bytes / copy_us

    def row(self, op: str, case: str, time_us: float, moved: int, **more: Any) -> Row:
        """Give one line of the report."""
        roofline_us = 1e-3 * moved / self.copy_gb_per_s
        return {
            "op": op,
            "case": case,
            "median_us": round(time_us, 2),
            "roofline_us": round(roofline_us, 2),
            "share_of_copy_rate": round(roofline_us / time_us, 3),
            "bytes_moved": moved,
            **more,
        }


def bench_letterbox(
    bench: Bench, source_px: tuple[int, int], side: int, batch: int, *, form: str, dtype: str
) -> Row:
    """Time pictures of one size, `form` is bgr, rgba or nv12."""
    width, height = source_px
    rng = np.random.default_rng(0)
    fit = Letterbox.fit(source_px, (side, side))
    shape = {"bgr": (height, width, 3), "rgba": (height, width, 4)}.get(
        form, (height * 3 // 2, width)
    )
    values = 3 * side * side
    calls, outs, first = [], [], np.empty(0, np.uint8)
    for i in range(bench.sets):
        image = rng.integers(0, 256, (batch, *shape), dtype=np.uint8)
        first = image[0] if i == 0 else first
        memory, out = bench.put(image), bench.cuda.Buffer(batch * values * np.dtype(dtype).itemsize)
        outs.append((out, memory))
        calls.append(_letterbox_call(bench, memory, out, fit, batch, form, dtype))
    calls[0]()
    if form == "bgr":
        expected = np.empty((3, side, side), np.float32)
        _native.letterbox(first, expected, fit.region_net)
        found = bench.get(outs[0][0], dtype, values).reshape(expected.shape)
        if not np.array_equal(found, expected.astype(dtype)):
            raise AssertionError("the CUDA letterbox differs from the CPU's")
    rows = min(height, 2 * fit.region_net[3])
    read = rows * shape[1] * (shape[2] if len(shape) == 3 else 1.5)
    moved = int(batch * (read + values * np.dtype(dtype).itemsize))
    case = f"{batch} x {width}x{height} {form} to {side} {dtype}"
    return bench.row("letterbox", case, bench.time_us(calls), moved)


def _letterbox_call(
    bench: Bench, memory: Any, out: Any, fit: Letterbox, batch: int, form: str, dtype: str
) -> Callable[[], None]:
    width, height = fit.source_px
    pitch = width * {"bgr": 3, "rgba": 4}.get(form, 1)
    pictures = []
    for i in range(batch):
        start = memory.pointer + i * (memory.bytes // batch)
        planes = {"chroma": start + pitch * height, "chroma_pitch": pitch} if form == "nv12" else {}
        pictures.append(bench.cuda.Picture(start, fit.source_px, pitch, **planes))
    regions = [fit.region_net] * batch

    def call() -> None:
        bench.cuda.letterbox(
            pictures, regions, out.pointer, fit.net_px, bench.handle, format=form, dtype=dtype
        )

    return call


@dataclass
class Detect:
    """decode and nms of one set of heads, with all of their memory."""

    bench: Bench
    heads: list[Array]
    specs: list[HeadSpec]
    side: int

    def __post_init__(self) -> None:
        bench, cuda = self.bench, self.bench.cuda
        native_specs = [native_spec(spec, bench.native) for spec in self.specs]
        shapes = [head.shape[-3:] for head in self.heads]
        dtype = str(self.heads[0].dtype)
        self.decoder = cuda.Decoder(shapes, native_specs, (self.side, self.side), CONF, dtype=dtype)
        most = cuda.MAX_CANDIDATES
        self.memory = [bench.put(head) for head in self.heads]
        self.parts = [cuda.Buffer(most * size) for size in (16, 4, 4)] + [cuda.Buffer(4)]
        self.candidates = cuda.Candidates(*(part.pointer for part in self.parts), most)
        needed = cuda.nms_workspace_bytes(most, ranked=True)
        self.spaces = [cuda.Buffer(self.decoder.workspace_bytes), cuda.Buffer(needed)]
        self.out = cuda.Buffer(cuda.HEADER_BYTES + MAX_DETECTIONS * cuda.DETECTION_BYTES)

    def decode(self) -> None:
        """Find the candidates."""
        heads = [buffer.pointer for buffer in self.memory]
        space = self.spaces[0]
        self.decoder.run(heads, self.candidates, (space.pointer, space.bytes), self.bench.handle)

    def nms(self) -> None:
        """Choose among them."""
        space, pointer = self.spaces[1], self.out.pointer
        self.bench.cuda.nms(
            self.candidates,
            pointer,
            (space.pointer, space.bytes),
            self.bench.handle,
            IOU,
            ranked=True,
            max_detections=MAX_DETECTIONS,
        )

    def both(self) -> None:
        """Do what a frame needs."""
        self.decode()
        self.nms()

    def check(self) -> tuple[int, int]:
        """Compare with the CPU; give the number of candidates and of boxes kept."""
        self.both()
        size = (self.side, self.side)
        heads = [head.astype(np.float32) for head in self.heads]
        boxes, scores, class_ids = _native.decode(
            heads,
            [native_spec(spec) for spec in self.specs],
            size,
            CONF,
            max_candidates=self.bench.cuda.MAX_CANDIDATES,
        )
        keep = _native.nms(boxes, scores, class_ids, IOU, max_detections=MAX_DETECTIONS)
        found = int(self.bench.get(self.out, np.uint32, 1)[0])
        words = self.bench.get(self.out, np.float32, 8 * found, self.bench.cuda.HEADER_BYTES)
        if not np.array_equal(words.reshape(-1, 8)[:, :4], boxes[keep]):
            raise AssertionError("decode and nms on CUDA differ from the CPU's")
        return len(scores), found


def bench_detect(bench: Bench, side: int, objects: int, dtype: str) -> Row:
    """Time decode and nms, alone and together."""
    heads, specs = yolov3_heads(side, 80, objects)
    heads = [head.astype(dtype) for head in heads]
    sets = [Detect(bench, heads, specs, side) for _ in range(bench.sets)]
    candidates, kept = sets[0].check()
    parts = {
        "decode_us": round(bench.time_us([one.decode for one in sets]), 2),
        "nms_us": round(bench.time_us([one.nms for one in sets]), 2),
    }
    both = bench.time_us([one.both for one in sets])
    itemsize = np.dtype(dtype).itemsize
    objectness = sum(3 * head.shape[2] * head.shape[3] * itemsize for head in heads)
    # Each number of a cell lies in another plane: a sector of 32 bytes for each.
    moved = objectness + candidates * 85 * 32
    case = f"{side} {dtype}, {candidates} candidates, {kept} kept"
    row = bench.row("decode + nms", case, both, moved, **parts)
    if (
        dtype == "float32"
        and bench.native is _native
        and importlib.util.find_spec("torchvision") is not None
    ):
        from rivals_cuda import torchvision_us

        row["torchvision_us"] = round(torchvision_us(heads, specs, side, CONF, IOU), 2)
        row["times_as_fast_as_torchvision"] = round(row["torchvision_us"] / both, 1)
    return row


def run(bench: Bench) -> dict[str, Any]:
    """Measure every case."""
    from bench_cuda_masks import bench_crop_resize

    hd = (1920, 1080)
    rows = [
        bench_letterbox(bench, hd, 416, 1, form="bgr", dtype="float32"),
        bench_letterbox(bench, hd, 608, 1, form="bgr", dtype="float32"),
        bench_letterbox(bench, hd, 416, 8, form="bgr", dtype="float32"),
        bench_letterbox(bench, hd, 608, 8, form="bgr", dtype="float32"),
        bench_letterbox(bench, hd, 608, 8, form="bgr", dtype="float16"),
        bench_letterbox(bench, hd, 608, 8, form="rgba", dtype="float16"),
        bench_letterbox(bench, hd, 608, 8, form="nv12", dtype="float16"),
        bench_detect(bench, 608, 9, "float32"),
        bench_detect(bench, 608, 9, "float16"),
        bench_detect(bench, 608, 200, "float32"),
        bench_detect(bench, 416, 9, "float32"),
        bench_crop_resize(bench, hd, (60, 500), 8, dtype="float32"),
        bench_crop_resize(bench, hd, (60, 500), 8, dtype="float16"),
        bench_crop_resize(bench, hd, (20, 60), 8, dtype="float32"),
    ]
    return {
        "date": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "device": bench.cuda.device_facts(),
        "cuda": bench.native.cuda_status(),
        "copy_gb_per_s": round(bench.copy_gb_per_s, 1),
        "results": rows,
    }


def main() -> int:
    """Run all cases on the first device and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--replays", type=int, default=50, help="of each graph (default 50)")
    parser.add_argument("--output", type=Path, help="JSON file (default: standard output)")
    options = parser.parse_args()
    status = _native.cuda_status()
    if status["devices"] == 0:
        print(f"no CUDA device: {status['error']}", file=sys.stderr)
        return 1
    report = run(Bench(_native, replays=options.replays))
    text = json.dumps(report, indent=2)
    if options.output is None:
        print(text)
        return 0
    with written_aside(options.output) as aside:
        aside.write_text(text + "\n")
    for row in report["results"]:
        print(
            f"{row['op']:14} {row['median_us']:9.2f} us, roofline {row['roofline_us']:8.2f} us, "
            f"{row['case']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
