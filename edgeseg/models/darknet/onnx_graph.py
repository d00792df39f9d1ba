"""Build an ONNX graph node by node, and stream it to a file.

Initializers are not held: each is made when its turn comes to be written, so a
model of 250 MB costs no more memory than its largest layer. The bytes follow
the protobuf encoding of onnx.proto: ModelProto.graph is field 7,
GraphProto.initializer field 5, TensorProto.raw_data field 9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

Array = NDArray[Any]
"""Of one of the types in `_DTYPES`."""

OPSET = 17
IR_VERSIONS = {17: 8, 19: 9}
"""What ONNX 1.12 wrote with opset 17, which every runtime of the last years reads; and ONNX 1.14
with opset 19, which is the first where quantized tensors may have float16 scales."""

_DTYPES = {
    "float16": onnx.TensorProto.FLOAT16,
    "float32": onnx.TensorProto.FLOAT,
    "int8": onnx.TensorProto.INT8,
    "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64,
    "uint8": onnx.TensorProto.UINT8,
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An initializer before its numbers are there."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"

    def header(self) -> bytes:
        """Give the encoded TensorProto without its numbers."""
        proto = onnx.TensorProto(dims=self.shape, data_type=_DTYPES[self.dtype], name=self.name)
        encoded: bytes = proto.SerializeToString(deterministic=True)
        return encoded

    @property
    def size_bytes(self) -> int:
        """Size of the numbers."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class TensorGroup:
    """Initializers that are made together."""

    specs: tuple[TensorSpec, ...]
    make: Callable[[], Sequence[Array]]


class GraphBuilder:
    """Collects nodes and initializers; every name is given once."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.groups: list[TensorGroup] = []
        self.opset = OPSET
        self._constants: dict[str, str] = {}

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: object) -> str:
        """Add a node with one output; node and output are called `name`."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: Sequence[float] | Sequence[int], *, scalar: bool = False) -> str:
        """Give the name of a small constant: int64 when all values are int, else float32."""
        whole = all(isinstance(value, int) for value in values)
        dtype = np.int64 if whole else np.float32
        array = np.array(values[0] if scalar else values, dtype)
        key = f"{array.dtype}{list(array.shape)}{values}"
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            spec = TensorSpec(name, array.shape, str(array.dtype))
            self.groups.append(TensorGroup((spec,), lambda: (array,)))
            self._constants[key] = name
        return self._constants[key]

    def initializers(
        self, specs: Sequence[TensorSpec], make: Callable[[], Sequence[Array]]
    ) -> None:
        """Add initializers whose numbers `make` gives when they are written."""
        self.groups.append(TensorGroup(tuple(specs), make))

    def rename(self, old: str, new: str) -> None:
        """Give a tensor another name wherever it is used."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for position, name in enumerate(names):
                    if name == old:
                        names[position] = new


def tensor_info(name: str, shape: Sequence[int | str] | None, dtype: str = "float32") -> Any:
    """Describe an input or output; a text is a symbolic dimension, None leaves all open."""
    return helper.make_tensor_value_info(name, _DTYPES[dtype], shape)


def write_model(
    file: BinaryIO,
    builder: GraphBuilder,
    *,
    name: str,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    producer: tuple[str, str],
    metadata: dict[str, str],
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write the model and give the SHA-256 of its bytes.

    The same graph gives the same bytes. `progress` hears of each group of
    initializers (done, total). Raises OSError, and whatever a `make` raises.
    """
    model = helper.make_model(
        helper.make_graph([], name, [], []),
        opset_imports=[helper.make_opsetid("", builder.opset)],
        ir_version=IR_VERSIONS[builder.opset],
        producer_name=producer[0],
        producer_version=producer[1],
    )
    helper.set_model_props(model, metadata)
    model.ClearField("graph")
    graph = helper.make_graph(builder.nodes, name, inputs, outputs)
    graph_start = graph.SerializeToString(deterministic=True)
    digest = hashlib.sha256()

    def put(piece: bytes | memoryview) -> None:
        file.write(piece)
        digest.update(piece)

    tensors = sum(
        len(_field(5, _tensor_size(spec))) + _tensor_size(spec)
        for group in builder.groups
        for spec in group.specs
    )
    put(model.SerializeToString(deterministic=True))
    put(_field(7, len(graph_start) + tensors) + graph_start)
    for done, group in enumerate(builder.groups, 1):
        for spec, array in zip(group.specs, group.make(), strict=True):
            _put_tensor(put, spec, array)
        if progress is not None:
            progress(done, len(builder.groups))
    return digest.hexdigest()


def _put_tensor(put: Callable[[bytes | memoryview], None], spec: TensorSpec, array: Array) -> None:
    if array.shape != spec.shape or str(array.dtype) != spec.dtype:
        raise ValueError(f"{spec} was promised, {array.dtype}{array.shape} came")
    put(_field(5, _tensor_size(spec)) + spec.header() + _field(9, spec.size_bytes))
    put(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _tensor_size(spec: TensorSpec) -> int:
    return len(spec.header()) + len(_field(9, spec.size_bytes)) + spec.size_bytes


def _field(number: int, length: int) -> bytes:
    """Encode the tag and length of a length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(length)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
