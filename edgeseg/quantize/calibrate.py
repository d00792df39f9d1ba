"""Run the fp32 network over real frames and choose the range of every tensor."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import MissingDependencyError, ModelError
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.export import build, write
from edgeseg.models.darknet.metadata import describe
from edgeseg.models.darknet.plan import plan_network
from edgeseg.models.darknet.weights import read_weights
from edgeseg.quantize.graph import Leaky, tensors_of
from edgeseg.quantize.histogram import Histogram
from edgeseg.quantize.scales import Range, Scales
from edgeseg.quantize.thresholds import before_leaky, entropy_range, percentile_range
from edgeseg.types import Frame, Model, Size

if TYPE_CHECKING:
    from edgeseg.sources import Source

Method = Literal["percentile", "entropy"]
FRAMES = 128
MIN_FRAMES = 8
"""Fewer pictures say too little about the range of a tensor."""


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """Which frames to look at, and how to read their histograms."""

    source: str
    """A folder of pictures, a clip, or anything else that ends."""
    method: Method = "percentile"
    percent: float = 99.999
    """Of the numbers of each tensor that are within its range; for `percentile`."""
    frames: int = FRAMES
    """At most; taken evenly from the whole source when its length is known."""

    @property
    def method_text(self) -> str:
        """Name the method with its number."""
        return f"percentile {self.percent:g}" if self.method == "percentile" else "entropy"


def calibrate(
    cfg: Path,
    weights: Path,
    chosen: CalibrationSet,
    *,
    size: Size | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scales:
    """Give the ranges of a Darknet network's tensors over real frames, preprocessed as in a run.

    Holds one histogram for each tensor and one frame's tensors. The same frames
    give the same scales. `progress` hears of frames (done, total). Raises
    DarknetError, ModelError, SourceError, MissingDependencyError.
    """
    network = plan_network(parse_cfg(cfg), size)
    metadata = describe(network, cfg, weights)
    heads = [f"head_{number}" for number in range(len(network.heads))]
    with read_weights(weights, network) as opened:
        tensors = tensors_of(build(network, opened), heads)
    with tempfile.TemporaryDirectory(prefix="edgeseg-") as folder:
        path = Path(folder) / "taps.onnx"
        try:
            sha256 = write(network, weights, path, metadata, taps=tuple(tensors))
        except OSError as error:
            raise ModelError(
                f"there is no room for calibrating in {folder}: {error.strerror}",
                hint="Name a folder with more room in the environment variable TMPDIR.",
            ) from error
        seen = _look(metadata.model(path, sha256), chosen, list(tensors), progress)
    return Scales(
        ranges=_ranges(seen.histograms, tensors, chosen),
        method=chosen.method_text,
        calibration={
            "source": Path(chosen.source).name,
            "frames": seen.frames,
            "sha256": seen.sha256,
        },
        sources=dict(metadata.sources),
        input_px=network.input_px,
    )


def _ranges(
    histograms: Mapping[str, Histogram],
    tensors: Mapping[str, Leaky | None],
    chosen: CalibrationSet,
) -> dict[str, Range]:
    found = {
        name: entropy_range(histogram)
        if chosen.method == "entropy"
        else percentile_range(histogram, chosen.percent)
        for name, histogram in histograms.items()
    }
    for name, leaky in tensors.items():
        if leaky is not None:
            # What counts is behind the activation, so that decides in front of it too.
            found[name] = before_leaky(histograms[name], found[leaky.result], leaky.slope)
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    histograms: dict[str, Histogram]
    frames: int
    sha256: str


def _look(
    model: Model,
    chosen: CalibrationSet,
    tensors: list[str],
    progress: Callable[[int, int], None] | None,
) -> _Seen:
    """Fill a histogram for each tensor."""
    from edgeseg.backends.cpu import CpuBackend

    session = _session(model.onnx_path)
    backend = CpuBackend(model)
    histograms = {name: Histogram() for name in tensors}
    digest = hashlib.sha256()
    count = 0
    for total, frame in _frames(chosen):
        images = backend.preprocess(frame).tensor
        digest.update(images.tobytes())
        values: list[NDArray[np.float32]] = session.run(tensors, {"images": images})
        for name, array in zip(tensors, values, strict=True):
            try:
                histograms[name].add(array)
            except ValueError as error:
                raise ModelError(f"the network gives {name} with a number that is none") from error
        count += 1
        if progress is not None:
            progress(count, max(total, count))
    if count < MIN_FRAMES:
        raise ModelError(
            f"{chosen.source} gave {count} frames, calibrating needs {MIN_FRAMES}",
            hint="Give a folder of at least 100 pictures like those of the later use, or a clip.",
        )
    return _Seen(histograms, count, digest.hexdigest())


def _session(path: Path) -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingDependencyError.of("onnxruntime", "cpu", purpose="calibrating") from error
    options = ort.SessionOptions()
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"ONNX Runtime cannot load the network: {error}") from error


def _frames(chosen: CalibrationSet) -> Iterator[tuple[int, Frame]]:
    """Give frames with how many there will be, evenly over a source of known length."""
    from edgeseg.sources import open_source

    source = open_source(chosen.source)
    try:
        yield from _some(source, chosen.frames)
    finally:
        source.close()


def _some(source: Source, count: int) -> Iterator[tuple[int, Frame]]:
    known = source.info.frame_count
    total = min(count, known) if known else count
    taken = position = 0
    while taken < total and (frame := source.read()) is not None:
        if not known or position >= taken * known // total:
            taken += 1
            yield total, frame
        position += 1
