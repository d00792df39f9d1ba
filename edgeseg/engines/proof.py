"""Prove an engine before it is used: it must see what the fp32 network on the CPU sees."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.errors import EdgesegError, EngineRefusedError
from edgeseg.quantize.gate import LIMITS, SEEN, Perceive, Verdict, compare, perceiver
from edgeseg.types import Detections, Frame, Model

if TYPE_CHECKING:
    from edgeseg.device import CudaDevice
    from edgeseg.engines.base import DeviceEngine
    from edgeseg.engines.cache import Gate
    from edgeseg.engines.tensorrt.api import Api

log = logging.getLogger(__name__)

FRAMES = 64
"""At most, of each source of real frames."""
ENOUGH_BOXES = 200
"""Of the reference: more frames would say no more, and large networks are slow on the CPU."""
STEP = 10
"""At most so many frames of a clip from one to the next: those side by side say the same twice."""

Frames = Callable[[], Iterable[Frame]]


def reference_for(model: Model) -> Model:
    """Give the network that an engine of `model` is held against, to be run on the CPU.

    fp32 from the same weights where those are a registry's; else the model's own
    file, which says whether the engine is right but not whether the file is.
    """
    from edgeseg.models import open_model, registry
    from edgeseg.models.onnx_model import read_metadata

    if model.precision == "fp32" or not registry.is_name(model.name):
        return model
    with contextlib.suppress(EdgesegError):
        fp32 = open_model(model.name, size=model.input_px)
        ours, theirs = (
            {name: sha for name, sha in read_metadata(path).sources if name != "scales"}
            for path in (model.onnx_path, fp32.onnx_path)
        )
        if ours == theirs:
            return fp32
    return model


def gate_for(
    model: Model, api: Api, device: CudaDevice, frames: Frames, *, reference: Model | None = None
) -> Gate:
    """Give what decides whether a plan of `model` may be used.

    It raises EngineRefusedError with the figures, and what the frames'
    sources and the reference raise.
    """
    held_against = reference or reference_for(model)

    def gate(plan: Path) -> Mapping[str, float]:
        log.info("comparing the new engine with %s on the CPU", held_against.precision)
        verdict = prove(plan, model, held_against, api, device, frames())
        scores = {
            name: float(value)
            for name, value in verdict.to_dict().items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        if not verdict.passed:
            raise EngineRefusedError(
                f"the {model.precision} engine of {model.name} does not see what the reference "
                f"sees: {verdict}",
                scores=scores,
                hint="Take another precision (--precision fp32), calibrate again, or prove it on "
                "other frames: edgeseg engines build MODEL --prove FOLDER",
            )
        return scores

    return gate


def prove(
    plan: Path,
    model: Model,
    reference: Model,
    api: Api,
    device: CudaDevice,
    frames: Iterable[Frame],
) -> Verdict:
    """Compare a plan on the GPU with a model on the CPU, on real frames."""
    from edgeseg.engines.onnxruntime import OnnxRuntimeEngine
    from edgeseg.engines.tensorrt.runtime import TensorRtEngine

    with (
        contextlib.closing(OnnxRuntimeEngine(reference)) as expected,
        contextlib.closing(TensorRtEngine(model, plan, api, device)) as engine,
        device_perceiver(model, device, engine) as candidate,
    ):
        return compare(
            perceiver(expected, reference),
            candidate,
            frames,
            LIMITS[model.precision],
            enough_boxes=ENOUGH_BOXES,
        )


@contextlib.contextmanager
def device_perceiver(model: Model, device: CudaDevice, engine: DeviceEngine) -> Iterator[Perceive]:
    """Look at frames through a GPU's engine, as a run does, from `SEEN`."""
    from edgeseg.backends.chain import Chain
    from edgeseg.backends.cuda import CudaBackend
    from edgeseg.backends.options import DetectOptions

    backend = CudaBackend(model, device, DetectOptions(conf=SEEN))
    chain = Chain(backend, engine)

    def perceive(frame: Frame) -> Detections:
        batch = chain.preprocess(frame)
        return chain.detect(chain.infer(batch), batch.letterboxes[0])

    try:
        yield perceive
    finally:
        chain.close()
        backend.close()


def real_frames(uri: str | None) -> Iterator[Frame]:
    """Give frames of `uri`, unless it is live, then of the demo clip where it can be had."""
    from edgeseg.models import registry

    if uri is not None:
        yield from _some(uri)
    try:
        clip = registry.fetch_clip()
    except EdgesegError as error:
        log.info("no demo clip to compare on: %s", error.message)
        return
    yield from _some(str(clip))


def _some(uri: str) -> Iterator[Frame]:
    from edgeseg.sources import open_source

    if "://" in uri and not uri.startswith(("demo://", "file://")):
        return  # live, or made up
    with contextlib.closing(open_source(uri)) as source:
        if source.info.live:
            return
        step = max(1, min(STEP, (source.info.frame_count or 0) // FRAMES))
        every = iter(source.read, None)
        yield from itertools.islice((f for f in every if f), 0, FRAMES * step, step)
