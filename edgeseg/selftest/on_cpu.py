"""The checks that every machine can do: the CPU's pixel work, and the network on the CPU."""

from __future__ import annotations

import contextlib
import time

import numpy as np

from edgeseg import _native
from edgeseg.backends.cpu import CpuBackend
from edgeseg.backends.options import DetectOptions
from edgeseg.selftest.checks import Finding
from edgeseg.selftest.plain import decoded, suppressed
from edgeseg.selftest.scenes import crowded_heads, looped_frames, noise
from edgeseg.types import HeadSpec, Letterbox, Model

SIZES_PX = ((640, 480), (1920, 1080), (33, 17))
NET_PX = (416, 416)
SPECS = tuple(
    HeadSpec("yolo", anchors, 80)
    for anchors in (
        ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
        ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
        ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    )
)


def letterbox_cpu() -> Finding:
    """Hold each instruction set's letterbox against the one that works pixel by pixel."""
    levels = _native.simd_levels()
    wrong = []
    for seed, size_px in enumerate(SIZES_PX):
        image, region = noise(size_px, seed), Letterbox.fit(size_px, NET_PX).region_net
        expected, out = (np.empty((3, *NET_PX[::-1]), np.float32) for _ in range(2))
        _native.letterbox(image, expected, region, simd="core")
        for level in levels:
            _native.letterbox(image, out, region, simd=level)
            if not np.array_equal(out, expected):
                wrong.append(f"{level} at {size_px[0]}x{size_px[1]}")
    says = f"differs: {', '.join(wrong)}" if wrong else f"{', '.join(levels)}: the same bits"
    return Finding(says, {"levels": levels}, ok=not wrong)


def detect_cpu() -> Finding:
    """Hold decode and NMS against plain NumPy."""
    heads, options = (
        crowded_heads(SPECS, NET_PX),
        DetectOptions(conf=0.3, iou=0.1, max_detections=4096),
    )
    model = headed(SPECS)
    found = CpuBackend(model, options).detect(heads, Letterbox.fit(NET_PX, NET_PX))
    pairs = zip(heads, SPECS, strict=True)
    boxes = np.concatenate([decoded(head, spec, NET_PX, options.conf) for head, spec in pairs])
    expected = suppressed(boxes, options.iou)
    np.clip(expected[:, :4], 0, NET_PX[0], out=expected[:, :4])
    figures: dict[str, object] = {"candidates": len(boxes), "boxes": len(found)}
    if len(found) != len(expected):
        return Finding(f"{len(found)} boxes, not {len(expected)}", figures, ok=False)
    table = np.column_stack([found.boxes_px, found.scores, found.class_ids])
    error = float(np.abs(_sorted(table) - _sorted(expected)).max())
    figures["largest_difference"] = error
    says = f"{len(found)} of {len(boxes)} boxes stay, at most {error:.1e} from NumPy's"
    return Finding(says, figures, ok=error < 1e-2)


def network_cpu(model: Model, frames: int) -> Finding:
    """Take frames through the whole way on the CPU."""
    from edgeseg.engines.onnxruntime import OnnxRuntimeEngine

    backend = CpuBackend(model)
    objects, times_s = 0, []
    with contextlib.closing(OnnxRuntimeEngine(model)) as engine:
        engine.infer(backend.preprocess(next(looped_frames(1))))  # takes its memory
        for frame in looped_frames(frames):
            start_s = time.perf_counter()
            batch = backend.preprocess(frame)
            objects += len(backend.detect(engine.infer(batch), batch.letterboxes[0]))
            times_s.append(time.perf_counter() - start_s)
        described = engine.description
    fps = len(times_s) / sum(times_s)
    figures: dict[str, object] = {
        "engine": described, "frames": len(times_s), "objects": objects, "fps": round(fps, 2),
        "p50_ms": round(float(np.median(times_s)) * 1e3, 3),
        "p99_ms": round(float(np.quantile(times_s, 0.99)) * 1e3, 3),
    }  # fmt: skip
    return Finding(f"{len(times_s)} frames, {fps:.1f} FPS, {described}", figures)


def headed(specs: tuple[HeadSpec, ...]) -> Model:
    """Give a model of which only the heads matter."""
    from pathlib import Path

    names = tuple(str(number) for number in range(specs[0].classes))
    return Model("heads", Path("heads.onnx"), NET_PX, specs, names)


def _sorted(
    table: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Order by class, then box: scores that are nearly equal have no order here."""
    keys = np.round(table[:, [3, 2, 1, 0, 5]], 1)
    return table[np.lexsort(keys.T)]
