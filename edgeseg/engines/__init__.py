"""Engines by name: what runs the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeseg.engines.base import DeviceEngine, Engine
from edgeseg.errors import EngineError
from edgeseg.types import Model

if TYPE_CHECKING:
    from edgeseg.device import CudaDevice
    from edgeseg.engines.first_use import FirstUse

__all__ = ["DeviceEngine", "Engine", "open_engine"]


def open_engine(
    name: str,
    model: Model,
    *,
    backend: str,
    device: CudaDevice | None = None,
    precision: str = "auto",
    threads: int = 0,
    throughput: bool = False,
    first_use: FirstUse | None = None,
) -> Engine | DeviceEngine:
    """Open the engine `name` (auto, onnxruntime, tensorrt) for `model`.

    With `throughput` it may take several frames at once, each a little slower,
    where that brings more frames through; without, one frame, as fast as can be.

    `backend` is the opened backend's name, `device` its GPU: engine and backend
    must agree on them; an engine of the backend `cuda` is a DeviceEngine.
    TensorRT builds its engine when there is none yet: see `FirstUse`. Raises
    EngineError, DeviceError, MissingDependencyError.
    """
    from edgeseg.placement import place_for

    if name == "auto" or (name, backend) == ("tensorrt", "cpu"):
        name = place_for(backend, name).engine
    if name == "tensorrt":
        from edgeseg.device import open_device
        from edgeseg.engines.first_use import open_tensorrt

        return open_tensorrt(
            model,
            device or open_device(),
            precision=precision,
            throughput=throughput,
            first_use=first_use,
        )
    if precision not in ("auto", model.precision):
        raise EngineError(
            f"{model.name} is an {model.precision} model, {precision} was asked for",
            hint=(
                f"Export it so first: edgeseg models export {model.name} --precision {precision} "
                "--for onnxruntime … --output FILE.onnx, and run that with --model FILE.onnx."
            ),
        )
    if backend == "cuda":
        from edgeseg.device import open_device
        from edgeseg.engines.onnxruntime_cuda import OnnxRuntimeCudaEngine

        return OnnxRuntimeCudaEngine(model, device or open_device())
    from edgeseg.engines.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(model, threads=threads, throughput=throughput)
