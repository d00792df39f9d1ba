"""Every call edgeseg makes into TensorRT, as types.

The real packages have no usable types. Each class here carries the name that
TensorRT gives it, and only what edgeseg uses; a test holds all of it against
the real bindings of TensorRT 10.3 to 11.4 and of TensorRT-RTX. So nothing
that one of them lacks can be called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

RTX_ONLY = frozenset(
    {
        ("BuilderFlag", "REQUIRE_USER_ALLOCATION"),
        ("IExecutionContext", "is_stream_capturable"),
    }
)
"""What full TensorRT lacks: used only where `Api.rtx` says so."""


class ILogger(Protocol):
    """Hears what TensorRT has to say; edgeseg derives from it."""


class IProgressMonitor(Protocol):
    """Hears how far a build is; edgeseg derives from it."""


class ITensor(Protocol):
    """An input or output of the network."""

    name: str
    shape: Sequence[int]
    """-1 where it is open."""


class ILayer(Protocol):
    """One layer of the network."""

    name: str
    type: object


class INetworkDefinition(Protocol):
    """A network before it is built."""

    num_inputs: int
    num_outputs: int
    num_layers: int

    def get_input(self, index: int) -> ITensor:
        """Give one input."""

    def get_layer(self, index: int) -> ILayer:
        """Give one layer."""


class ParserError(Protocol):
    """Why the ONNX parser refused a node."""

    def desc(self) -> str:
        """Give the reason."""

    def node_name(self) -> str:
        """Give the node's name; empty where it has none."""

    def node_operator(self) -> str:
        """Give the ONNX operator."""


class OnnxParser(Protocol):
    """Fills a network from an ONNX file."""

    num_errors: int

    def parse_from_file(self, model: str, /) -> bool:
        """Read the file; False after errors."""

    def get_error(self, index: int) -> ParserError:
        """Give one error."""


class IHostMemory(Protocol):
    """Bytes that TensorRT owns; supports Python's buffer protocol."""

    nbytes: int


class ITimingCache(Protocol):
    """What earlier builds measured."""

    def serialize(self) -> IHostMemory:
        """Give its bytes."""


class IOptimizationProfile(Protocol):
    """The shapes an engine must take."""

    def set_shape(
        self,
        input_name: str,
        smallest: Sequence[int],
        usual: Sequence[int],
        largest: Sequence[int],
        /,
    ) -> None:
        """Bound one input."""


class IBuilderConfig(Protocol):
    """How to build."""

    progress_monitor: Any
    default_device_type: object
    DLA_core: int

    def set_memory_pool_limit(self, pool: object, pool_size: int) -> None:
        """Bound one kind of memory."""

    def set_flag(self, flag: object) -> None:
        """Switch something on."""

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Add the shapes to build for; -1 when they are refused."""

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        """Make a timing cache of bytes; empty bytes make an empty one."""

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """Use it; False when it comes from another device."""

    def get_timing_cache(self) -> ITimingCache | None:
        """Give the one in use."""

    def can_run_on_DLA(self, layer: ILayer) -> bool:  # noqa: N802
        """Say whether the DLA takes a layer."""


class Builder(Protocol):
    """Turns a network into a plan."""

    num_DLA_cores: int  # noqa: N815
    max_DLA_batch_size: int  # noqa: N815

    def create_network(self, flags: int) -> INetworkDefinition:
        """Give an empty network."""

    def create_builder_config(self) -> IBuilderConfig:
        """Give default settings."""

    def create_optimization_profile(self) -> IOptimizationProfile:
        """Give an empty profile."""

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> IHostMemory | None:
        """Build; None after errors."""


class IExecutionContext(Protocol):
    """One use of a loaded plan at a time."""

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """Say how large an open input is; False when the engine cannot take it."""

    def get_tensor_shape(self, name: str) -> Sequence[int]:
        """Give a shape, -1 where it is still open."""

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Say where an input or output lies."""

    def set_device_memory(self, memory: int, size: int) -> None:
        """Give it scratch memory, aligned to 256 bytes."""

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Enqueue the network; False after errors."""

    def is_stream_capturable(self, stream: int) -> bool:
        """Say whether a capture of that stream works. TensorRT-RTX only."""


class ICudaEngine(Protocol):
    """A loaded plan."""

    num_io_tensors: int
    device_memory_size_v2: int

    def get_tensor_name(self, index: int) -> str:
        """Give the name of an input or output."""

    def get_tensor_mode(self, name: str) -> object:
        """Say which of both it is."""

    def get_tensor_shape(self, name: str) -> Sequence[int]:
        """Give its shape, -1 where it is open."""

    def get_tensor_dtype(self, name: str) -> object:
        """Give the type of its numbers."""

    def create_execution_context(self, strategy: object) -> IExecutionContext | None:
        """Make a context; None after errors."""


class DataType(Protocol):
    """Types of numbers."""

    FLOAT: object
    HALF: object


class TensorIOMode(Protocol):
    """Kinds of tensors."""

    INPUT: object


class ExecutionContextAllocationStrategy(Protocol):
    """Who allocates a context's scratch memory."""

    USER_MANAGED: object


class Runtime(Protocol):
    """Loads plans."""

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        """Load a plan; None after errors."""


class BuilderFlag(Protocol):
    """Switches of a build."""

    GPU_FALLBACK: object
    REQUIRE_USER_ALLOCATION: object
    """TensorRT-RTX only."""


class DeviceType(Protocol):
    """Where a layer runs."""

    DLA: object


class MemoryPoolType(Protocol):
    """Kinds of memory."""

    WORKSPACE: object


class NetworkDefinitionCreationFlag(Protocol):
    """Kinds of network."""

    STRONGLY_TYPED: int
