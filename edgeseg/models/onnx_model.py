"""What edgeseg writes into its ONNX files, and how it reads that back.

One metadata property, `edgeseg`, holds JSON. It is found by walking the
top-level protobuf fields of the file, so nothing else of the model is loaded
and the onnx package is not needed.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edgeseg.errors import OnnxModelError
from edgeseg.files import sha256_of
from edgeseg.models.protobuf import fields, texts
from edgeseg.types import HeadSpec, Model, Size

FORMAT = 1
KEY = "edgeseg"
MAX_METADATA_BYTES = 1 << 22

_GRAPH = 7
_METADATA = 14


@dataclass(frozen=True, slots=True)
class Metadata:
    """Everything that turns an ONNX file into a `Model`."""

    name: str
    input_px: Size
    batch: int | None
    heads: tuple[HeadSpec, ...]
    class_names: tuple[str, ...]
    fit: str = "letterbox"
    precision: str = "fp32"
    writer: str = ""
    """Program and version of its ONNX writer, with the options that change numbers."""
    sources: tuple[tuple[str, str], ...] = ()
    """SHA-256 of each file it was made from."""

    def to_json(self) -> str:
        """Give the text of the metadata property; the same metadata give the same text."""
        fields = dataclasses.asdict(self) | {"format": FORMAT, "sources": dict(self.sources)}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Metadata:
        """Read the text of the property, every field checked. Raises OnnxModelError."""
        try:
            fields = json.loads(text)
            if fields["format"] != FORMAT:
                raise OnnxModelError(
                    f"the model's metadata have format {fields['format']!r}, not {FORMAT}",
                    hint="Another version of edgeseg wrote it: export it again.",
                )
            return _metadata(fields)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ) as error:
            raise OnnxModelError(
                f"the model's metadata are damaged ({type(error).__name__}: {error})",
                hint="Export the model again: `edgeseg models export`.",
            ) from error

    def model(self, onnx_path: Path, sha256: str) -> Model:
        """Join with the file that they describe."""
        return Model(
            name=self.name,
            onnx_path=onnx_path,
            input_px=self.input_px,
            heads=self.heads,
            class_names=self.class_names,
            fit="stretch" if self.fit == "stretch" else "letterbox",
            precision=self.precision,
            sha256=sha256,
            batch=self.batch,
        )


def is_exported(path: Path) -> bool:
    """Say whether edgeseg exported an ONNX file. Raises OnnxModelError as `read_model`."""
    return KEY in _properties(path)


def read_model(path: Path) -> Model:
    """Read an ONNX file that edgeseg exported.

    Raises OnnxModelError: not readable, not ONNX, cut off, or without edgeseg's metadata.
    """
    metadata = read_metadata(path)
    try:
        return metadata.model(path, sha256_of(path))
    except OSError as error:
        raise OnnxModelError(f"{path} cannot be read: {error.strerror}") from error


def read_metadata(path: Path) -> Metadata:
    """Read only what edgeseg wrote beside the network. Raises OnnxModelError."""
    properties = _properties(path)
    if KEY not in properties:
        raise OnnxModelError(
            f"{path} was not exported by edgeseg: nothing says how to read its outputs",
            hint="Export a Darknet model: `edgeseg models export CFG WEIGHTS --output FILE.onnx`.",
        )
    return Metadata.from_json(properties[KEY])


def _metadata(fields: dict[str, Any]) -> Metadata:
    batch = fields["batch"]
    width, height = fields["input_px"]
    heads = tuple(_head(head) for head in fields["heads"])
    names = tuple(_text(name) for name in fields["class_names"])
    if not heads or any(head.classes != len(names) for head in heads):
        raise ValueError("heads and class_names do not fit")
    if fields["fit"] not in ("letterbox", "stretch"):
        raise ValueError(f"unknown fit {fields['fit']!r}")
    return Metadata(
        name=_text(fields["name"]),
        input_px=(_count(width), _count(height)),
        batch=None if batch is None else _count(batch),
        heads=heads,
        class_names=names,
        fit=fields["fit"],
        precision=_text(fields["precision"]),
        writer=_text(fields["writer"]),
        sources=tuple(sorted((_text(k), _text(v)) for k, v in fields["sources"].items())),
    )


def _head(fields: dict[str, Any]) -> HeadSpec:
    anchors = tuple((_positive(w), _positive(h)) for w, h in fields["anchors_net"])
    if fields["kind"] not in ("yolo", "region") or not anchors:
        raise ValueError("a head without anchors, or of unknown kind")
    return HeadSpec(
        kind=fields["kind"],
        anchors_net=anchors,
        classes=_count(fields["classes"]),
        scale_x_y=_positive(fields["scale_x_y"]),
        new_coords=bool(fields["new_coords"]),
        softmax=bool(fields["softmax"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r:.40}")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or not 1 <= value <= 1 << 20:
        raise ValueError(f"expected a number from 1, got {value!r:.40}")
    return value


def _positive(value: object) -> float:
    if not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"expected a positive number, got {value!r:.40}")
    return float(value)


def _properties(path: Path) -> dict[str, str]:
    """Give the metadata properties of an ONNX file; the graph is stepped over."""
    try:
        with path.open("rb") as file:
            return _read_properties(file, path)
    except OSError as error:
        raise OnnxModelError(f"{path} cannot be read: {error.strerror}") from error


def _read_properties(file: BinaryIO, path: Path) -> dict[str, str]:
    properties: dict[str, str] = {}
    has_graph = False
    try:
        for number, size in fields(file, path.stat().st_size):
            has_graph = has_graph or number == _GRAPH
            if number == _METADATA and size <= MAX_METADATA_BYTES:
                pair = texts(file.read(size), {1: "", 2: ""})
                properties[pair[1]] = pair[2]
            else:
                file.seek(size, 1)
    except (ValueError, IndexError) as error:
        raise OnnxModelError(
            f"{path} is no ONNX model, or is damaged ({error})", hint="Export or fetch it again."
        ) from error
    if not has_graph:
        raise OnnxModelError(f"{path} is no ONNX model: it has no graph")
    return properties
