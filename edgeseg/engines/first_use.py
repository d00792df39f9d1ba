"""Open a TensorRT engine, and build it when this machine has none yet."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from edgeseg.device import device_facts
from edgeseg.engines.bar import build_bar
from edgeseg.engines.cache import CachedEngine, cached_engine
from edgeseg.engines.proof import Frames, gate_for, real_frames
from edgeseg.engines.tensorrt.api import load_tensorrt
from edgeseg.engines.tensorrt.build import BuildOptions, Watch
from edgeseg.engines.tensorrt.runtime import LoadedPlan, TensorRtEngine
from edgeseg.errors import EngineError, EngineRefusedError, MissingDependencyError
from edgeseg.types import Model

if TYPE_CHECKING:
    from edgeseg.device import CudaDevice
    from edgeseg.engines.cache import Gate
    from edgeseg.engines.tensorrt.api import Api

log = logging.getLogger(__name__)

Loaded = TypeVar("Loaded")

Variant = Callable[[str], "Model | None"]
"""Gives the model in a precision; None when it has no such form."""


def _no_variant(precision: str) -> Model | None:
    del precision
    return None


@dataclass(frozen=True, slots=True)
class FirstUse:
    """What an engine's first use may draw on."""

    variant: Variant = _no_variant
    frames: Frames = lambda: real_frames(None)
    """Real frames to prove a reduced precision on; the demo clip's unless given."""
    bar: bool = False
    """Show on the terminal how far the build is."""


@dataclass(frozen=True, slots=True)
class _Choice:
    model: Model
    gated: bool
    last: bool


def open_tensorrt(
    model: Model,
    device: CudaDevice,
    *,
    precision: str = "auto",
    throughput: bool = False,
    first_use: FirstUse | None = None,
) -> TensorRtEngine:
    """Open the engine of `model`; built and proven on its first use, then from the cache.

    `auto` is fp16 where that sees what fp32 sees on the CPU, else fp32; one line
    says which, and why. A reduced precision that was asked for and refused
    raises EngineRefusedError. An engine that does not load is built again, once.
    Raises EngineError, BuildCancelledError, DeviceError, MissingDependencyError.
    """
    helper = first_use or FirstUse()
    api = load_tensorrt()
    for choice in _choices(model, precision, helper.variant):
        try:
            return _open(choice, api, device, throughput=throughput, helper=helper)
        except (EngineRefusedError, MissingDependencyError) as error:
            if choice.last:
                raise
            log.warning("no %s engine, fp32 is used: %s", choice.model.precision, error.message)
    raise AssertionError("the last choice returns or raises")


def _choices(model: Model, precision: str, variant: Variant) -> Iterator[_Choice]:
    """Give the forms of the model to try, best first."""
    if precision in ("auto", "fp16") and model.precision == "fp32":
        half = variant("fp16")
        if half is not None:
            yield _Choice(half, gated=True, last=precision == "fp16")
        if precision == "fp16":
            if half is None:
                raise _no_such_form(model, precision)
            return
    if precision not in ("auto", "fp16", model.precision):
        raise _no_such_form(model, precision)
    yield _Choice(model, gated=model.precision != "fp32", last=True)


def _no_such_form(model: Model, precision: str) -> EngineError:
    return EngineError(
        f"{model.name} is an {model.precision} model, {precision} was asked for",
        hint=(
            f"Export it so first: edgeseg models export {model.name} --precision {precision} "
            "--for tensorrt … --output FILE.onnx, and run that with --model FILE.onnx."
        ),
    )


def _open(
    choice: _Choice, api: Api, device: CudaDevice, *, throughput: bool, helper: FirstUse
) -> TensorRtEngine:
    model = choice.model
    gate = gate_for(model, api, device, helper.frames) if choice.gated else None

    def cached(*, rebuild: bool) -> Path:
        return _cached(model, api, device, gate, bar=helper.bar, rebuild=rebuild).plan

    return _loaded(
        cached,
        lambda plan: TensorRtEngine(model, plan, api, device, throughput=throughput),
    )


def open_plan(
    model: Model,
    api: Api,
    device: CudaDevice,
    options: BuildOptions,
    *,
    gate: Gate | None = None,
    bar: bool = False,
) -> LoadedPlan:
    """Load the plan of a network that is no detector.

    Built on its first use and held against `gate`, then from the cache; built
    again, once, when it does not load. Raises EngineError, EngineRefusedError,
    BuildCancelledError, DeviceError.
    """

    def cached(*, rebuild: bool) -> Path:
        return _cached(model, api, device, gate, options, bar=bar, rebuild=rebuild).plan

    def load(plan: Path) -> LoadedPlan:
        with device.active():
            return LoadedPlan(api, plan)

    return _loaded(cached, load)


class _CachedPlan(Protocol):
    def __call__(self, *, rebuild: bool) -> Path:
        """Give the plan of the cache, or a new one."""


def _loaded(cached: _CachedPlan, load: Callable[[Path], Loaded]) -> Loaded:
    plan = cached(rebuild=False)
    try:
        return load(plan)
    except EngineError as error:
        # The receipt fits, but a driver may have changed under it.
        log.warning("engine %s: %s; it is built again", plan.stem, error.message)
    return load(cached(rebuild=True))


def _cached(
    model: Model,
    api: Api,
    device: CudaDevice,
    gate: Gate | None,
    options: BuildOptions = BuildOptions(),  # noqa: B008 - frozen
    *,
    bar: bool,
    rebuild: bool,
) -> CachedEngine:
    shown = build_bar(f"{model.name} {model.precision}") if bar else None
    with shown or contextlib.nullcontext() as progress:
        return cached_engine(
            model,
            api,
            device_facts(device.index),
            options=options,
            rebuild=rebuild,
            gate=gate,
            watch=Watch(progress),
        )
