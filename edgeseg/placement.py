"""Where a run's work is done: pixels and network together on a GPU, or both on the CPU."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeseg.errors import (
    ConfigError,
    DeviceError,
    EdgesegError,
    EngineError,
    MissingDependencyError,
)

if TYPE_CHECKING:
    from edgeseg.device import CudaDevice

log = logging.getLogger(__name__)

BACKENDS = ("auto", "cpu", "cuda")
ENGINES = ("auto", "onnxruntime", "tensorrt")


@dataclass(frozen=True, slots=True)
class Place:
    """A backend and an engine that agree on the device."""

    backend: str
    """`cpu` or `cuda`."""
    engine: str
    """`onnxruntime` or `tensorrt`."""
    device: CudaDevice | None = None
    """For `cuda`."""


def place_for(
    backend: str = "auto",
    engine: str = "auto",
    *,
    nms: str = "greedy",
    index: int = 0,
    family: str = "darknet",
) -> Place:
    """Choose where to work. `auto` is a GPU where everything for it is there, else the CPU.

    `index` is the GPU's, `family` the model's: only Darknet's heads are read on
    a GPU. Where `auto` passes over a GPU, one line says why.
    Raises ValueError for unknown names; ConfigError, EngineError, DeviceError
    or MissingDependencyError when what was asked for does not go together or
    cannot be had.
    """
    if backend not in BACKENDS:
        raise ValueError(f"a backend is one of {', '.join(BACKENDS)}, got {backend!r}")
    if engine not in ENGINES:
        raise ValueError(f"an engine is one of {', '.join(ENGINES)}, got {engine!r}")
    if backend == "cpu":
        return _on_the_cpu(engine)
    if backend == "cuda" or engine == "tensorrt":
        if family != "darknet":
            raise DeviceError(
                f"networks of the family {family} are read on the CPU only",
                hint="Leave out --backend and --engine, or use --backend cpu.",
            )
        return _on_a_gpu(engine, nms, index)
    if family != "darknet":
        return _on_the_cpu(engine)
    return _on_the_best(engine, nms, index)


def _on_the_cpu(engine: str) -> Place:
    if engine == "tensorrt":
        raise EngineError(
            "engine tensorrt runs on a GPU, the backend is cpu",
            hint="Use --backend cuda, or --engine onnxruntime.",
        )
    return Place("cpu", "onnxruntime")


def _on_a_gpu(engine: str, nms: str, index: int) -> Place:
    from edgeseg.device import open_device

    device = open_device(index)
    if nms == "soft":
        raise ConfigError(
            "soft NMS runs on the CPU only", hint="Use --nms greedy, or --backend cpu."
        )
    return Place("cuda", _gpu_engine(engine), device)


def _on_the_best(engine: str, nms: str, index: int) -> Place:
    from edgeseg.device import native, no_device

    reason = no_device(index)
    if reason is not None:
        if index != 0 or (native().cuda_built() and native().device_count() > 0):
            raise reason  # a GPU was asked for by its number
        log.debug("on the CPU: %s", reason.message)
        return _on_the_cpu(engine)
    try:
        return _on_a_gpu(engine, nms, index)
    except EdgesegError as error:
        if not (engine == "onnxruntime" and isinstance(error, MissingDependencyError)):
            log.warning("there is a GPU, but the CPU is used: %s", error.message)
        return _on_the_cpu(engine)


def _gpu_engine(engine: str) -> str:
    """Name what runs networks on the GPU here; raises MissingDependencyError, EngineError."""
    from edgeseg.engines.onnxruntime_cuda import has_cuda_provider, no_cuda_provider
    from edgeseg.engines.tensorrt.api import load_tensorrt

    if engine == "onnxruntime":
        if has_cuda_provider():
            return engine
        raise no_cuda_provider()
    try:
        load_tensorrt()
    except MissingDependencyError as error:
        if engine == "auto" and has_cuda_provider():
            log.info("%s; ONNX Runtime's CUDA provider is used", error.message)
            return "onnxruntime"
        raise
    return "tensorrt"
