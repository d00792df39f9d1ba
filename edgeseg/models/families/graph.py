"""What an ONNX file says of itself: inputs, outputs, metadata. Weights are stepped over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from edgeseg.errors import OnnxModelError
from edgeseg.models.protobuf import fields, texts, values

MAX_BYTES = 1 << 22
"""Of one property, name or description of a tensor."""

_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip
_STEPS = frozenset(
    {
        "Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Resize",
        "Slice", "Squeeze", "Transpose", "Unsqueeze", "Upsample",
    }
)  # fmt: skip
"""Operations that leave a value what it is."""
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinear", "ConvInteger", "MatMulInteger")


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output."""

    name: str
    dtype: str
    """As NumPy calls it; `?` for what is no tensor of numbers."""
    shape: tuple[int | str, ...] | None
    """Names (or `?`) stand for open dimensions; None when the file says nothing."""

    def __str__(self) -> str:
        shape = "[?]" if self.shape is None else f"[{', '.join(map(str, self.shape))}]"
        return f"{self.name} {self.dtype}{shape}"


@dataclass(slots=True)
class Graph:
    """The outside of a network."""

    inputs: list[Tensor] = field(default_factory=list)
    """Without those that are weights."""
    outputs: list[Tensor] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    quantized: bool = False
    """It computes with INT8 somewhere."""
    makers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """For each tensor that a node makes: the node's operation, and its first input."""

    def activation(self, output: str) -> str:
        """Give the operation that last changed the values of an output, such as Sigmoid."""
        for _ in range(len(self.makers)):
            operation, source = self.makers.get(output, ("", ""))
            if operation not in _STEPS:
                return operation
            output = source
        return ""


def read_graph(path: Path) -> Graph:
    """Read the outside of an ONNX file. Raises OnnxModelError: not readable, or no ONNX."""
    graph = Graph()
    has_graph = False
    try:
        with path.open("rb") as file:
            for number, size in fields(file, path.stat().st_size):
                if number == 7:
                    has_graph = True
                    _read_graph(file, file.tell() + size, graph)
                elif number == 14 and size <= MAX_BYTES:
                    pair = texts(file.read(size), {1: "", 2: ""})
                    graph.properties[pair[1]] = pair[2]
                else:
                    file.seek(size, 1)
    except OSError as error:
        raise OnnxModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise OnnxModelError(
            f"{path} is no ONNX model, or is damaged ({error})", hint="Export or fetch it again."
        ) from error
    if not has_graph:
        raise OnnxModelError(f"{path} is no ONNX model: it has no graph")
    return graph


def _read_graph(file: BinaryIO, end: int, graph: Graph) -> None:
    weights: set[str] = set()
    for number, size in fields(file, end):
        if number == 1:
            _read_node(file, file.tell() + size, graph)
        elif number == 5:
            weights.add(_name_of_weights(file, file.tell() + size))
        elif number in (11, 12) and size <= MAX_BYTES:
            tensor = _tensor(file.read(size))
            (graph.inputs if number == 11 else graph.outputs).append(tensor)
        else:
            file.seek(size, 1)
    graph.inputs = [tensor for tensor in graph.inputs if tensor.name not in weights]


def _read_node(file: BinaryIO, end: int, graph: Graph) -> None:
    inputs: list[str] = []
    outputs: list[str] = []
    operation = ""
    for number, size in fields(file, end):
        if number in (1, 2, 4) and size <= MAX_BYTES:
            text = file.read(size).decode()
            if number == 4:
                operation = text
            else:
                (inputs if number == 1 else outputs).append(text)
        else:
            file.seek(size, 1)
    graph.quantized = graph.quantized or operation.startswith(_QUANTIZED)
    for output in outputs:
        graph.makers[output] = (operation, inputs[0] if inputs else "")


def _name_of_weights(file: BinaryIO, end: int) -> str:
    name = ""
    for number, size in fields(file, end):
        if number == 8 and size <= MAX_BYTES:
            name = file.read(size).decode()
        else:
            file.seek(size, 1)
    return name


def _tensor(content: bytes) -> Tensor:
    """Read a ValueInfoProto: name, type, shape."""
    name, dtype, shape = "", "?", None
    for number, value in values(content):
        if number == 1 and isinstance(value, bytes):
            name = value.decode()
        elif number == 2 and isinstance(value, bytes):
            dtype, shape = _type(value)
    return Tensor(name, dtype, shape)


def _type(content: bytes) -> tuple[str, tuple[int | str, ...] | None]:
    dtype: str = "?"
    shape: tuple[int | str, ...] | None = None
    for number, tensor in values(content):
        if number != 1 or not isinstance(tensor, bytes):
            continue
        for part, value in values(tensor):
            if part == 1 and isinstance(value, int):
                dtype = _DTYPES.get(value, "?")
            elif part == 2 and isinstance(value, bytes):
                dims = (dim for k, dim in values(value) if k == 1 and isinstance(dim, bytes))
                shape = tuple(_dimension(dim) for dim in dims)
    return dtype, shape


def _dimension(content: bytes) -> int | str:
    size: int | str = "?"
    for number, value in values(content):
        if number == 1 and isinstance(value, int) and 0 < value < 1 << 31:
            size = value
        elif number == 2 and isinstance(value, bytes):
            size = value.decode() or "?"
    return size
