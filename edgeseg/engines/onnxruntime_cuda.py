"""ONNX Runtime on a GPU, bound to the memory of the pipeline: for GPUs without TensorRT."""

from __future__ import annotations

import importlib.util
import os
import threading
from typing import Any

import numpy as np

from edgeseg.device import CudaDevice
from edgeseg.device.arrays import DeviceArray, DeviceBatch, DeviceHeads, Dtype
from edgeseg.device.base import Memory
from edgeseg.engines.onnxruntime import first_line
from edgeseg.errors import EngineError, MissingDependencyError
from edgeseg.types import Model

PROVIDER = "CUDAExecutionProvider"
_TYPES: dict[str, Dtype] = {"tensor(float)": "float32", "tensor(float16)": "float16"}


def has_cuda_provider() -> bool:
    """Say whether the ONNX Runtime that is installed knows CUDA."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    if importlib.util.find_spec("onnxruntime") is None:
        return False
    try:
        import onnxruntime as ort
    except Exception:  # noqa: BLE001 - one that does not load has none
        return False
    return PROVIDER in ort.get_available_providers()


def no_cuda_provider() -> MissingDependencyError:
    """Say what is missing for running networks on a GPU."""
    return MissingDependencyError(
        "ONNX Runtime has no CUDA provider here, so it cannot run the network on the GPU",
        hint="Install TensorRT (pip install 'edgeseg[tensorrt]'; on a Jetson JetPack brings it), "
        "TensorRT-RTX ('edgeseg[rtx]'), or onnxruntime-gpu in place of onnxruntime. "
        "Or use the CPU: --backend cpu",
    )


class OnnxRuntimeCudaEngine:
    """Runs a model through ONNX Runtime's CUDA provider, without a copy to the host.

    One frame at a time: ONNX Runtime's streams are those of its session. Raises
    EngineError when the model does not load there, MissingDependencyError
    without the package onnxruntime-gpu.
    """

    name = "onnxruntime"
    lanes = 1

    def __init__(self, model: Model, device: CudaDevice, *, provider: str = PROVIDER) -> None:
        if provider == PROVIDER and not has_cuda_provider():
            raise no_cuda_provider()
        import onnxruntime as ort

        self._ort = ort
        self._model = model
        self._device = device
        self._provider = provider
        self._place = ("cuda", device.index) if provider == PROVIDER else ("cpu", 0)
        self._sessions: dict[int, _Bound] = {}
        self._opening = threading.Lock()
        self.input_dtype = self._input_dtype()
        self.description = (
            f"ONNX Runtime {ort.__version__}, {device.description}, {model.precision}"
        )

    def infer(self, batch: DeviceBatch) -> DeviceHeads:
        """Run the network in the order of the batch's stream. Raises EngineError."""
        with self._opening:
            bound = self._sessions.get(batch.stream)
            if bound is None:
                bound = _Bound(self._session(batch.stream), self._device, batch, self._place)
                self._sessions[batch.stream] = bound
        return bound.run(batch)

    def capture_problem(self, stream: int) -> str:
        """Say why this cannot be captured: ONNX Runtime allocates and waits as it likes."""
        del stream
        return "ONNX Runtime's work cannot be captured"

    def close(self) -> None:
        """Release the network."""
        with self._device.active():
            for bound in self._sessions.values():
                bound.close()
            self._sessions.clear()

    def _session(self, stream: int) -> Any:
        options = self._ort.SessionOptions()
        options.log_severity_level = 3
        chosen: list[Any] = [self._provider]
        if self._provider == PROVIDER:
            given = {"device_id": self._device.index, "user_compute_stream": str(stream)}
            chosen = [(PROVIDER, given)]
        try:
            session = self._ort.InferenceSession(
                str(self._model.onnx_path), options, providers=chosen
            )
        except Exception as error:
            raise EngineError(
                f"ONNX Runtime cannot load {self._model.onnx_path} on {self._device.name}: "
                f"{first_line(error)}",
                hint="Export it again: edgeseg models export",
            ) from error
        if session.get_providers()[0] != self._provider:
            raise EngineError(
                f"ONNX Runtime cannot use {self._device.name} and would run on the CPU",
                hint="Its CUDA and cuDNN libraries must be those it was built for; see its "
                "log with --verbose.",
            )
        return session

    def _input_dtype(self) -> Dtype:
        import onnx

        graph = onnx.load(str(self._model.onnx_path), load_external_data=False).graph
        half = graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
        return "float16" if half else "float32"


class _Bound:
    """A session whose inputs and outputs lie in device memory."""

    def __init__(
        self, session: Any, device: CudaDevice, batch: DeviceBatch, place: tuple[str, int]
    ) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._place = place
        self._memory: list[Memory] = []
        self._images = 0
        heads = []
        for output in session.get_outputs():
            dtype = _TYPES[output.type]
            shape = _shape(output.shape, batch)
            empty = DeviceArray(0, shape, dtype)
            memory = device.allocate(empty.nbytes, "the network's heads")
            self._memory.append(memory)
            heads.append(DeviceArray(memory.pointer, shape, dtype))
            self._binding.bind_output(
                output.name, *place, np.dtype(dtype).type, shape, memory.pointer
            )
        self._heads = tuple(heads)

    def run(self, batch: DeviceBatch) -> DeviceHeads:
        """Run the network."""
        images = batch.images
        if images.pointer != self._images:
            name = self._session.get_inputs()[0].name
            dtype = np.dtype(images.dtype).type
            self._binding.bind_input(name, *self._place, dtype, images.shape, images.pointer)
            self._images = images.pointer
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise EngineError(f"ONNX Runtime failed: {first_line(error)}") from error
        return DeviceHeads(self._heads, batch.stream)

    def close(self) -> None:
        """Release the session, then its memory."""
        del self._binding, self._session
        for memory in self._memory:
            memory.free()


def _shape(told: list[int | str], batch: DeviceBatch) -> tuple[int, ...]:
    """Give an output's shape; an open batch is that of the images."""
    count, *rest = told
    if not all(isinstance(side, int) for side in rest):
        raise EngineError(f"the network's head has an open shape: {told}")
    return (count if isinstance(count, int) else batch.images.shape[0], *map(int, rest))
