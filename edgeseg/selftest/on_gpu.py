"""The checks on a GPU: each part against the CPU, then the whole way."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.backends import Stations, stations
from edgeseg.backends.chain import Chain
from edgeseg.backends.cpu import CpuBackend
from edgeseg.backends.cuda import CudaBackend
from edgeseg.backends.options import DetectOptions
from edgeseg.device import CudaDevice
from edgeseg.device.arrays import DeviceArray, DeviceHeads, Dtype
from edgeseg.engines.base import DeviceEngine
from edgeseg.engines.onnxruntime import OnnxRuntimeEngine
from edgeseg.engines.proof import ENOUGH_BOXES, reference_for
from edgeseg.quantize.gate import LIMITS, MIN_BOXES, compare, perceiver
from edgeseg.selftest.checks import Finding, Skipped
from edgeseg.selftest.on_cpu import NET_PX, SIZES_PX, SPECS, headed
from edgeseg.selftest.scenes import crowded_heads, looped_frames, noise, small_model
from edgeseg.types import Detections, Frame, Letterbox, Model

HEAD_TOLERANCE = {"fp32": 0.01, "fp16": 0.02, "int8": 0.25}
"""Of the largest number of a head; TensorRT multiplies fp32 as TF32, with 10 bits."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine with the model it was made of."""

    model: Model
    engine: DeviceEngine


def device_found(device: CudaDevice) -> Finding:
    """Say which GPU it is."""
    facts = device.facts()
    status = device.native.cuda_status()
    figures: dict[str, object] = {
        "name": device.name, "compute_capability": device.compute_capability,
        "memory": device.description, "shared_memory": device.mapped,
        "free_bytes": facts.free_bytes, "total_bytes": facts.total_bytes,
        "runtime_version": status["runtime_version"], "driver_version": status["driver_version"],
    }  # fmt: skip
    return Finding(device.description, figures)


def letterbox_gpu(device: CudaDevice) -> Finding:
    """Hold the GPU's letterbox against the CPU's, bit for bit."""
    wrong = []
    for dtype in ("float32", "float16"):
        backend = CudaBackend(headed(SPECS), device)
        backend.dtype = dtype
        for seed, size_px in enumerate(SIZES_PX):
            frame = Frame(noise(size_px, seed))
            expected = np.empty((3, *NET_PX[::-1]), np.float32)
            _native.letterbox(frame.image, expected, Letterbox.fit(size_px, NET_PX).region_net)
            found = _downloaded(device, backend.preprocess(frame).images, backend)
            if not np.array_equal(found[0], expected.astype(dtype)):
                wrong.append(f"{dtype} at {size_px[0]}x{size_px[1]}")
        backend.close()
    return Finding(f"differs: {', '.join(wrong)}" if wrong else "the CPU's bits", ok=not wrong)


def detect_gpu(device: CudaDevice) -> Finding:
    """Hold decode and NMS against the CPU's, bit for bit, from fp32 and fp16 heads."""
    options, letterbox = DetectOptions(conf=0.3, iou=0.1), Letterbox.fit((640, 480), NET_PX)
    model, counts = headed(SPECS), []
    dtypes: tuple[Dtype, ...] = ("float32", "float16")
    for dtype in dtypes:
        heads = [head.astype(dtype) for head in crowded_heads(SPECS, NET_PX)]
        widened = [head.astype(np.float32) for head in heads]
        expected = CpuBackend(model, options).detect(widened, letterbox)
        backend = CudaBackend(model, device, options)
        with uploaded(device, backend, heads, dtype) as there:
            found = backend.detect(there, letterbox)
        backend.close()
        counts.append(len(found))
        if not _same(found, expected):
            return Finding(f"{dtype}: {len(found)} boxes differ from the CPU's", ok=False)
    return Finding(f"{counts[0]} boxes, the CPU's bits", {"boxes": counts[0]})


def small_engine(device: CudaDevice) -> Finding:
    """Build a small network with TensorRT, run it, and compare heads and boxes with the CPU."""
    from edgeseg.engines.tensorrt.api import load_tensorrt
    from edgeseg.engines.tensorrt.build import build_plan
    from edgeseg.engines.tensorrt.runtime import TensorRtEngine

    api = load_tensorrt()
    with tempfile.TemporaryDirectory(prefix="edgeseg-") as folder:
        model, plan = small_model(Path(folder)), Path(folder) / "selftest.plan"
        built = build_plan(model, plan, api, device=device.facts())
        with contextlib.closing(TensorRtEngine(model, plan, api, device)) as engine:
            found = engine_heads(device, Opened(model, engine))
    figures = found.figures | {"build_s": round(built.seconds, 2), "tensorrt": api.name}
    return Finding(f"{api.name}, built in {built.seconds:.1f} s, {found.says}", figures, found.ok)


def engine_heads(device: CudaDevice, opened: Opened) -> Finding:
    """Compare an engine's heads with the same network's on the CPU."""
    model = opened.model
    reference = reference_for(model)
    frame = next(looped_frames(1))
    backend = CudaBackend(model, device)
    backend.dtype = opened.engine.input_dtype
    with device.active():
        heads = opened.engine.infer(backend.preprocess(frame))
        found = [_downloaded(device, array, backend) for array in heads.arrays]
    backend.close()
    with contextlib.closing(OnnxRuntimeEngine(reference)) as engine:
        expected = engine.infer(CpuBackend(reference).preprocess(frame))
    errors = [
        float(np.abs(ours.astype(np.float32) - theirs).max() / max(np.abs(theirs).max(), 1e-6))
        for ours, theirs in zip(found, expected, strict=True)
    ]
    worst, limit = max(errors), HEAD_TOLERANCE[model.precision]
    says = f"heads differ by {worst:.1e} of their largest number, {limit:g} is allowed"
    return Finding(says, {"head_errors": errors, "allowed": limit}, ok=worst <= limit)


def engine_boxes(device: CudaDevice, opened: Opened, frames: list[Frame]) -> Finding:
    """Compare an engine's boxes with the fp32 network's on the CPU, on real frames."""
    from edgeseg.engines.proof import device_perceiver

    if not frames:
        raise Skipped("there are no real frames to compare on: no demo clip")
    reference = reference_for(opened.model)
    with (
        contextlib.closing(OnnxRuntimeEngine(reference)) as engine,
        device_perceiver(opened.model, device, opened.engine) as candidate,
    ):
        limits = LIMITS[opened.model.precision]
        verdict = compare(
            perceiver(engine, reference), candidate, frames, limits, enough_boxes=ENOUGH_BOXES
        )
    if verdict.boxes < MIN_BOXES:
        raise Skipped(f"the model sees too little in the demo clip: {verdict.boxes} boxes")
    return Finding(str(verdict), verdict.to_dict(), ok=verdict.passed)


def graph_captured(device: CudaDevice, opened: Opened) -> Finding:
    """Capture a frame's way in a graph, and compare its boxes with those step by step."""
    frames = list(looped_frames(8))
    steps = [Chain(CudaBackend(opened.model, device, _LOW), opened.engine) for _ in range(2)]
    steps[1].graph_problem = "not wanted here"
    found = [[_seen(chain, frame) for frame in frames] for chain in steps]
    problem, launches = steps[0].graph_problem, steps[0].launches
    for chain in steps:
        chain.close()
    if problem and opened.engine.name == "onnxruntime":
        raise Skipped(problem)
    if problem:
        return Finding(f"frames go step by step: {problem}", {"problem": problem}, ok=False)
    same = all(_same(a, b) for a, b in zip(*found, strict=True))
    says = f"{launches} of {len(frames)} frames by graph, " + (
        "boxes as step by step" if same else "boxes differ from those step by step"
    )
    return Finding(says, {"launches": launches}, ok=same and launches > 0)


def speed(device: CudaDevice, opened: Opened, count: int) -> Finding:
    """Time frames, one after the other and three under way, and count the bytes that travel."""
    backends = [CudaBackend(opened.model, device) for _ in range(max(1, opened.engine.lanes))]
    lanes = [stations(backend, opened.engine, slot=n) for n, backend in enumerate(backends)]
    frames = list(looped_frames(count))
    for lane in lanes:
        for frame in frames[:5]:
            _through(lane, frame)
    times_s = []
    for frame in frames:
        start_s = time.perf_counter()
        _through(lanes[0], frame)
        times_s.append(time.perf_counter() - start_s)
    together_s = _side_by_side(lanes, frames)
    up = 3 * frames[-1].size_px[0] * frames[-1].size_px[1] if not device.mapped else 0
    down = backends[0].bytes_down
    for lane in lanes:
        lane.close()
    figures: dict[str, object] = {
        "frames": count, "frame_px": list(frames[-1].size_px),
        "one_at_a_time_fps": round(count / sum(times_s), 2),
        "under_way": len(lanes), "under_way_fps": round(count / together_s, 2),
        "p50_ms": round(float(np.median(times_s)) * 1e3, 3),
        "p99_ms": round(float(np.quantile(times_s, 0.99)) * 1e3, 3),
        "bytes_up": up, "bytes_down": down,
        "device_bytes": device.allocated_bytes,
    }  # fmt: skip
    says = (
        f"{count} frames: {figures['one_at_a_time_fps']} FPS one at a time (p50 "
        f"{figures['p50_ms']} ms, p99 {figures['p99_ms']} ms), {figures['under_way_fps']} FPS "
        f"with {len(lanes)} under way; {up:,} bytes up and {down:,} down a frame"
    )
    return Finding(says, figures)


_LOW = DetectOptions(conf=0.1)


def _seen(chain: Chain, frame: Frame) -> Detections:
    batch = chain.preprocess(frame)
    return chain.detect(chain.infer(batch), batch.letterboxes[0])


def _through(lane: Stations, frame: Frame) -> None:
    batch = lane.preprocess(frame)
    lane.detect(lane.infer(batch), batch.letterboxes[0])


def _side_by_side(lanes: list[Stations], frames: list[Frame]) -> float:
    """Give the seconds that all lanes together take for the frames."""

    def work(number: int) -> None:
        for frame in frames[number :: len(lanes)]:
            _through(lanes[number], frame)

    start_s = time.perf_counter()
    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(work, range(len(lanes))))
    return time.perf_counter() - start_s


@contextlib.contextmanager
def uploaded(
    device: CudaDevice, backend: CudaBackend, heads: list[NDArray[Any]], dtype: Dtype
) -> Iterator[DeviceHeads]:
    """Bring heads to the device for a block."""
    with device.active():
        memories, arrays = [], []
        for head in heads:
            memory = device.allocate(head.nbytes, "heads")
            staged = device.allocate_host(head.nbytes, "heads")
            staged.array[: head.nbytes] = np.ascontiguousarray(head).view(np.uint8).reshape(-1)
            device.copy(memory.pointer, staged.pointer, head.nbytes, backend.stream)
            backend.stream.synchronize()
            staged.free()
            memories.append(memory)
            arrays.append(DeviceArray(memory.pointer, head.shape, dtype))
    yield DeviceHeads(tuple(arrays), backend.stream.handle)
    with device.active():
        backend.stream.synchronize()
        for memory in memories:
            memory.free()


def _downloaded(device: CudaDevice, array: DeviceArray, backend: CudaBackend) -> NDArray[Any]:
    with device.active():
        host = device.allocate_host(array.nbytes, "a comparison")
        device.copy(host.pointer, array.pointer, array.nbytes, backend.stream)
        backend.stream.synchronize()
        found: NDArray[Any] = np.array(host.array[: array.nbytes].view(array.dtype))
        host.free()
    return found.reshape(array.shape)


def _same(found: Detections, expected: Detections) -> bool:
    return (
        np.array_equal(found.boxes_px, expected.boxes_px)
        and np.array_equal(found.scores, expected.scores)
        and np.array_equal(found.class_ids, expected.class_ids)
    )
