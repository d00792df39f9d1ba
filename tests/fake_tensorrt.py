"""TensorRT's calls over ONNX Runtime and the stand-in's memory: a plan is the ONNX file itself.

It is as strict as the real one where that can hurt: an address or scratch
memory that was forgotten, the default stream, a context used from two streams.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import onnxruntime as ort

from edgeseg.engines.tensorrt.api import Api

SCRATCH_BYTES = 4096


class FakeLogger:
    """ILogger and IProgressMonitor: to be derived from."""

    def __init__(self) -> None:
        pass


class Dims(tuple):
    pass


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.shape: dict[str, tuple[int, ...]] = {}
        self.address: dict[str, int] = {}
        self.scratch = (0, 0)
        self.streams: set[int] = set()
        self.calls = 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        told = self.engine.shapes[name]
        fits = all(a in (-1, b) for a, b in zip(told, shape, strict=True))
        if fits:
            self.shape[name] = shape
        return fits

    def get_tensor_shape(self, name: str) -> Dims:
        batch = next(iter(self.shape.values()), (-1,))[0]
        return Dims(batch if side == -1 else side for side in self.engine.shapes[name])

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.address[name] = memory
        return name in self.engine.shapes and memory % 256 == 0

    def set_device_memory(self, memory: int, size: int) -> None:
        self.scratch = (memory, size)

    def execute_async_v3(self, stream_handle: int) -> bool:
        self.calls += 1
        self.streams.add(stream_handle)
        memory, size = self.scratch
        ready = memory and size >= SCRATCH_BYTES and set(self.address) == set(self.engine.shapes)
        ready = ready and self.shapes_agree()
        if not ready or len(self.streams) > 1 or self.engine.trt.fail:
            self.engine.logger.log(1, self.engine.trt.fail or "the context is not ready")
            return False
        address = dict(self.address)
        shapes = {name: tuple(self.get_tensor_shape(name)) for name in self.engine.inputs}
        self.engine.trt.native.enqueue(stream_handle, lambda: self.run(address, shapes))
        return True

    def shapes_agree(self) -> bool:
        """Say whether every open input has a shape, and all the same batch."""
        open_inputs = {name for name in self.engine.inputs if -1 in self.engine.shapes[name]}
        batches = {self.shape[name][0] for name in open_inputs & set(self.shape)}
        return open_inputs == set(self.shape) and len(batches) == bool(open_inputs)

    def run(self, address: dict[str, int], shapes: dict[str, tuple[int, ...]]) -> None:
        session = self.engine.session
        given = {
            name: self.engine.view(name, address[name], shapes[name]).copy()
            for name in self.engine.inputs
        }
        heads = session.run(None, given)
        for output, head in zip(session.get_outputs(), heads, strict=True):
            self.engine.view(output.name, address[output.name], head.shape)[:] = head

    def is_stream_capturable(self, stream: int) -> bool:
        return self.engine.trt.capturable


class FakeEngine:
    def __init__(self, trt: FakeTensorRt, content: bytes, logger: Any) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.x64quantprecision", "1")  # exact anywhere
        self.session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.trt = trt
        self.logger = logger
        self.contexts: list[FakeContext] = []
        self.inputs = [tensor.name for tensor in self.session.get_inputs()]
        tensors = [*self.session.get_inputs(), *self.session.get_outputs()]
        self.shapes = {
            tensor.name: Dims(side if isinstance(side, int) else -1 for side in tensor.shape)
            for tensor in tensors
        }
        self.types = {tensor.name: tensor.type for tensor in tensors}
        self.num_io_tensors = len(tensors)
        self.device_memory_size_v2 = SCRATCH_BYTES

    def view(self, name: str, address: int, shape: tuple[int, ...]) -> Any:
        half = self.types[name] == "tensor(float16)"
        count = int(np.prod(shape))
        word: Any = ctypes.c_uint16 if half else ctypes.c_float
        array = np.ctypeslib.as_array((word * count).from_address(address))
        return (array.view(np.float16) if half else array).reshape(shape)

    def get_tensor_name(self, index: int) -> str:
        return list(self.shapes)[index]

    def get_tensor_mode(self, name: str) -> str:
        return self.trt.TensorIOMode.INPUT if name in self.inputs else "output"

    def get_tensor_shape(self, name: str) -> Dims:
        return self.shapes[name]

    def get_tensor_dtype(self, name: str) -> str:
        return self.types[name]

    def create_execution_context(self, strategy: object) -> FakeContext | None:
        assert strategy == self.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self.contexts.append(FakeContext(self))
        return self.contexts[-1]


class Names:
    """An enum of TensorRT's: each name stands for itself."""

    def __init__(self, **names: Any) -> None:
        self.__dict__.update(names)


class FakeHostMemory(bytes):
    @property
    def nbytes(self) -> int:
        return len(self)


class FakeTensorRt:
    """The module."""

    __version__ = "11.4.0"
    ILogger = IProgressMonitor = FakeLogger
    DataType = Names(FLOAT="tensor(float)", HALF="tensor(float16)")
    TensorIOMode = Names(INPUT="input")
    ExecutionContextAllocationStrategy = Names(USER_MANAGED="user")
    MemoryPoolType = Names(WORKSPACE="workspace")
    DeviceType = Names(DLA="dla")
    BuilderFlag = Names(GPU_FALLBACK=1, REQUIRE_USER_ALLOCATION=2)
    NetworkDefinitionCreationFlag = Names(STRONGLY_TYPED=1)
    built: ClassVar[int] = 0

    def __init__(self, native: ModuleType) -> None:
        self.native = native
        self.fail = ""
        """What the engine says when it fails; empty when it does not."""
        self.capturable = True
        self.broken_plans = False
        self.spoil: Any = None
        """Changes the ONNX bytes on the way to the plan: a bad engine."""
        self.engines: list[FakeEngine] = []
        self.builds = 0
        self.profile: dict[str, tuple[tuple[int, ...], ...]] = {}
        """The shapes that the last build was for: smallest, usual and largest of each input."""
        trt = self

        class Runtime:
            def __init__(self, logger: Any) -> None:
                self.logger = logger

            def deserialize_cuda_engine(self, content: bytes) -> FakeEngine | None:
                try:
                    if trt.broken_plans:
                        raise ValueError
                    engine = FakeEngine(trt, content, self.logger)
                except Exception:  # noqa: BLE001 - whatever ONNX Runtime says
                    self.logger.log(1, "Serialization assertion failed: wrong version")
                    return None
                trt.engines.append(engine)
                return engine

        class OnnxParser:
            num_errors = 0

            def __init__(self, network: Any, logger: Any) -> None:
                self.network = network

            def parse_from_file(self, path: str) -> bool:
                self.network.path = Path(path)
                session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
                inputs, outputs = session.get_inputs(), session.get_outputs()
                self.network.num_inputs, self.network.num_outputs = len(inputs), len(outputs)
                self.network.num_layers = 7
                self.network.get_input = lambda index: Names(
                    name=inputs[index].name,
                    shape=[side if isinstance(side, int) else -1 for side in inputs[index].shape],
                )
                return True

        class Builder:
            num_DLA_cores = 0  # noqa: N815
            max_DLA_batch_size = 16  # noqa: N815

            def __init__(self, logger: Any) -> None:
                pass

            def create_network(self, flags: int) -> Any:
                return Names()

            def create_builder_config(self) -> Any:
                nothing = lambda *_: None  # noqa: E731
                return Names(
                    set_memory_pool_limit=nothing,
                    set_flag=nothing,
                    add_optimization_profile=lambda _: 0,
                    create_timing_cache=nothing,
                    get_timing_cache=nothing,
                )

            def create_optimization_profile(self) -> Any:
                trt.profile = {}

                def set_shape(name: str, *shapes: tuple[int, ...]) -> None:
                    trt.profile[name] = shapes

                return Names(set_shape=set_shape)

            def build_serialized_network(self, network: Any, config: Any) -> FakeHostMemory | None:
                trt.builds += 1
                monitor = config.progress_monitor
                monitor.phase_start("Building engine", None, 2)
                for step in range(2):
                    if not monitor.step_complete("Building engine", step):
                        return None
                monitor.phase_finish("Building engine")
                content = network.path.read_bytes()
                return FakeHostMemory(trt.spoil(content) if trt.spoil else content)

        self.Runtime, self.OnnxParser, self.Builder = Runtime, OnnxParser, Builder


def fake_api(native: ModuleType, *, rtx: bool = False) -> Api:
    """Give TensorRT, or TensorRT-RTX, over the stand-in `native`."""
    return Api(FakeTensorRt(native), rtx)  # type: ignore[arg-type]
