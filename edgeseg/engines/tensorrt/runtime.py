"""Run a plan: from device memory to device memory, in the order of a stream."""

from __future__ import annotations

import threading
from pathlib import Path

from edgeseg.device import CudaDevice
from edgeseg.device.arrays import DeviceArray, DeviceBatch, DeviceHeads, Dtype
from edgeseg.device.base import Memory
from edgeseg.engines.tensorrt import bindings as b
from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.build import load_hint
from edgeseg.engines.tensorrt.watch import Messages, open_logger
from edgeseg.errors import EngineError
from edgeseg.types import HeadSpec, Model

RING = 3
"""Slots of a file's run: one is filled, one computes, one is read."""


class LoadedPlan:
    """A plan that TensorRT has accepted, and what goes in and out of it.

    Keeps all that TensorRT must not lose meanwhile. Raises EngineError with
    TensorRT's reason.
    """

    def __init__(self, api: Api, plan: Path) -> None:
        self.api = api
        self.messages = Messages()
        self._logger = open_logger(api, self.messages)
        self._runtime = api.trt.Runtime(self._logger)
        try:
            content = plan.read_bytes()
        except OSError as error:
            raise EngineError(f"{plan} cannot be read: {error.strerror}") from error
        engine = self._runtime.deserialize_cuda_engine(content)
        if engine is None:
            raise EngineError(
                f"{api.name} cannot load {plan}: {self.reason()}",
                hint=load_hint(api),
            )
        self.engine: b.ICudaEngine = engine
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            is_input = engine.get_tensor_mode(name) == api.trt.TensorIOMode.INPUT
            (self.inputs if is_input else self.outputs).append(name)

    def reason(self) -> str:
        """Give what TensorRT said last, and forget it."""
        said = self.messages.reason() or "it does not say why"
        self.messages.errors.clear()
        return said

    def dtype(self, name: str) -> Dtype:
        """Give the type of an input or output. Raises EngineError for one of no use here."""
        known: list[tuple[object, Dtype]] = [
            (self.api.trt.DataType.FLOAT, "float32"),
            (self.api.trt.DataType.HALF, "float16"),
        ]
        kind = self.engine.get_tensor_dtype(name)
        for theirs, ours in known:
            if kind == theirs:
                return ours
        raise EngineError(f"the engine's {name} is {kind}, edgeseg takes fp32 and fp16")


class TensorRtEngine:
    """Runs a model's plan on a GPU; with `throughput` several frames are under way at once.

    Raises EngineError for a plan that does not load or is not the model's.
    """

    name = "tensorrt"

    def __init__(
        self, model: Model, plan: Path, api: Api, device: CudaDevice, *, throughput: bool = False
    ) -> None:
        self.model = model
        self._device = device
        with device.active():
            self._plan = LoadedPlan(api, plan)
        _check_fits(self._plan, model)
        self._heads = model.heads
        self._contexts: dict[int, _HeadsContext] = {}
        self._opening = threading.Lock()
        self.lanes = RING if throughput else 1
        self.input_dtype: Dtype = self._plan.dtype(self._plan.inputs[0])
        self.description = f"{api.name}, {device.description}, {model.precision}" + (
            f", {self.lanes} frames under way" if self.lanes > 1 else ""
        )

    def infer(self, batch: DeviceBatch) -> DeviceHeads:
        """Enqueue the network on the batch's stream. Raises EngineError, DeviceMemoryError."""
        return self._context(batch).run(batch)

    def capture_problem(self, stream: int) -> str:
        """Say why the work of that stream cannot be captured; empty when it can."""
        context = self._contexts.get(stream)
        if not self._plan.api.rtx or context is None or context.is_capturable(stream):
            return ""
        return f"{self._plan.api.name} says that this engine cannot be captured"

    def close(self) -> None:
        """Release contexts, then the engine, then the memory under them."""
        with self._device.active():
            contexts = list(self._contexts.values())
            self._contexts.clear()
            for context in contexts:
                context.close()
            self.__dict__.pop("_plan", None)

    def _context(self, batch: DeviceBatch) -> _HeadsContext:
        found = self._contexts.get(batch.stream)
        if found is None:
            with self._opening:
                found = _HeadsContext(self._plan, self._device, batch, self._heads)
            self._contexts[batch.stream] = found
        return found


class PlanContext:
    """An execution context with its scratch memory; for one stream.

    Its methods raise EngineError with TensorRT's reason when it refuses a call.
    """

    def __init__(self, plan: LoadedPlan, device: CudaDevice) -> None:
        self._plan = plan
        strategy = plan.api.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = plan.engine.create_execution_context(strategy)
        if context is None:
            raise EngineError(f"{plan.api.name} cannot make a context: {plan.reason()}")
        self._context: b.IExecutionContext = context
        self._scratch: Memory | None = None
        nbytes = plan.engine.device_memory_size_v2
        if nbytes > 0:
            self._scratch = device.allocate(nbytes, "the engine's scratch memory")
            self._context.set_device_memory(self._scratch.pointer, nbytes)

    def shape_input(self, name: str, shape: tuple[int, ...]) -> None:
        """Say how large an open input is."""
        self._told(self._context.set_input_shape(name, shape))

    def shape(self, name: str) -> tuple[int, ...]:
        """Give a shape, -1 where it is still open."""
        return tuple(self._context.get_tensor_shape(name))

    def set_address(self, name: str, pointer: int) -> None:
        """Say where an input or output lies."""
        self._told(self._context.set_tensor_address(name, pointer))

    def enqueue(self, stream: int) -> None:
        """Enqueue the network."""
        self._told(self._context.execute_async_v3(stream))

    def is_capturable(self, stream: int) -> bool:
        """Ask TensorRT-RTX; the other has no such question."""
        return self._context.is_stream_capturable(stream)

    def close(self) -> None:
        """Release the context, then its memory."""
        del self._context
        if self._scratch is not None:
            self._scratch.free()

    def _told(self, done: bool) -> None:
        """Raise EngineError when TensorRT refused a call."""
        if not done:
            raise EngineError(f"{self._plan.api.name} failed: {self._plan.reason()}")


class _HeadsContext:
    """A context with a model's heads; for one stream."""

    def __init__(
        self,
        plan: LoadedPlan,
        device: CudaDevice,
        batch: DeviceBatch,
        specs: tuple[HeadSpec, ...],
    ) -> None:
        self._plan = plan
        self._context = PlanContext(plan, device)
        self._memory: list[Memory] = []
        self._input = plan.inputs[0]
        self._images = 0
        self._open_input(batch.images)
        self._heads = tuple(
            self._open_output(name, spec, device)
            for name, spec in zip(plan.outputs, specs, strict=True)
        )

    def run(self, batch: DeviceBatch) -> DeviceHeads:
        """Enqueue the network."""
        if batch.images.pointer != self._images:
            self._context.set_address(self._input, batch.images.pointer)
            self._images = batch.images.pointer
        self._context.enqueue(batch.stream)
        return DeviceHeads(self._heads, batch.stream)

    def is_capturable(self, stream: int) -> bool:
        """Ask TensorRT-RTX; the other has no such question."""
        return self._context.is_capturable(stream)

    def close(self) -> None:
        """Release the context, then its memory."""
        self._context.close()
        for memory in self._memory:
            memory.free()

    def _open_input(self, images: DeviceArray) -> None:
        shape = self._plan.engine.get_tensor_shape(self._input)
        if -1 in tuple(shape):
            self._context.shape_input(self._input, images.shape)
        elif tuple(shape) != images.shape:
            raise EngineError(f"the engine takes {list(shape)}, the frames are {images.shape}")

    def _open_output(self, name: str, spec: HeadSpec, device: CudaDevice) -> DeviceArray:
        shape = self._context.shape(name)
        if len(shape) != 4 or shape[1] != spec.channels or min(shape) < 1:
            raise EngineError(
                f"the engine's {name} is {list(shape)}, the model's head has {spec.channels} "
                "channels",
                hint="Build it again: edgeseg engines build MODEL --rebuild",
            )
        empty = DeviceArray(0, shape, self._plan.dtype(name))
        memory = device.allocate(empty.nbytes, "the network's heads")
        self._memory.append(memory)
        self._context.set_address(name, memory.pointer)
        return DeviceArray(memory.pointer, shape, empty.dtype)


def _check_fits(plan: LoadedPlan, model: Model) -> None:
    if len(plan.inputs) != 1 or len(plan.outputs) != len(model.heads):
        raise EngineError(
            f"the engine has {len(plan.inputs)} inputs and {len(plan.outputs)} outputs, "
            f"{model.name} has 1 and {len(model.heads)}",
            hint="Build it again: edgeseg engines build MODEL --rebuild",
        )
    if model.batch not in (1, None):
        raise EngineError(
            f"{model.name} takes {model.batch} pictures at a time, a run gives one",
            hint="Export it with a batch of 1, or an open one.",
        )
    types = {plan.dtype(name) for name in plan.outputs}
    if len(types) > 1:
        raise EngineError("the engine's heads are of several types")
