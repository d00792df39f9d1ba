"""Engines by name: what runs the network."""

from __future__ import annotations

from edgeseg.engines.base import Engine
from edgeseg.errors import EngineError
from edgeseg.types import Model

__all__ = ["Engine", "open_engine"]


def open_engine(
    name: str,
    model: Model,
    *,
    backend: str,
    precision: str = "auto",
    threads: int = 0,
    throughput: bool = False,
) -> Engine:
    """Open the engine `name` (auto, onnxruntime, tensorrt) for `model`.

    With `throughput` it may take several frames at once, each a little slower,
    where that brings more frames through; without, one frame, as fast as can be.

    `backend` is the opened backend's name: engine and backend must agree on
    the device. Raises EngineError, MissingDependencyError.
    """
    if name == "tensorrt":
        raise EngineError(
            "this version of edgeseg builds TensorRT engines but cannot run them yet",
            hint="Run with --engine onnxruntime, on the CPU. Build with: edgeseg engines build",
        )
    if backend != "cpu":
        raise EngineError(
            f"engine onnxruntime runs on the CPU, the backend is {backend}",
            hint="Use --backend cpu.",
        )
    if precision not in ("auto", model.precision):
        raise EngineError(
            f"{model.name} is an {model.precision} model, {precision} was asked for",
            hint=(
                f"Export it so first: edgeseg models export {model.name} --precision {precision} "
                "--for onnxruntime … --output FILE.onnx, and run that with --model FILE.onnx."
            ),
        )
    from edgeseg.engines.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(model, threads=threads, throughput=throughput)
