"""What is known about a built engine: for what it was built, and how that went."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeseg.files import written_aside
from edgeseg.sizes import format_size

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """All that decides whether an engine fits: the model, the software and the machine."""

    model: str
    model_sha256: str
    """Of the ONNX file."""
    precision: str
    input_px: tuple[int, int]
    batches: tuple[int, int, int]
    """Smallest, usual and largest."""
    dla: int | None
    tensorrt: str
    """Product and version, as `TensorRT 10.3.0`."""
    gpu: str
    """Empty where it was built without one."""
    compute_capability: str
    l4t: str
    """Jetson Linux; empty elsewhere."""

    @property
    def slot(self) -> str:
        """Name what was asked for, whatever the machine: yolov3-416-fp16-b1."""
        smallest, _, largest = self.batches
        batch = str(smallest) if smallest == largest else f"{smallest}to{largest}"
        dla = "" if self.dla is None else f"-dla{self.dla}"
        model = re.sub(r"[^\w.-]+", "_", self.model)[:80].strip(".") or "model"
        return f"{model}-{format_size(self.input_px)}-{self.precision}-b{batch}{dla}"

    @property
    def stem(self) -> str:
        """Name the engine's files: the slot, and a hash over everything."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return f"{self.slot}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def difference(self, other: Identity) -> str:
        """Say in what `other`, found here, differs from this one, which is wanted."""
        if other.model_sha256 != self.model_sha256:
            return "it was built from another model file"
        if other.tensorrt != self.tensorrt:
            return f"it was built with {other.tensorrt}, here is {self.tensorrt}"
        if (other.gpu, other.compute_capability) != (self.gpu, self.compute_capability):
            return f"it was built for {other.gpu or 'no GPU'}, here is {self.gpu or 'none'}"
        if other.l4t != self.l4t:
            return f"it was built on Jetson Linux {other.l4t or '(none)'}, here is {self.l4t}"
        return "it was built with other options"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One built engine."""

    identity: Identity
    size_bytes: int
    sha256: str
    """Of the plan file."""
    built: str
    """When, as 2026-01-31T12:00:00Z."""
    build_s: float
    peak_rss_bytes: int
    workspace_bytes: int
    layers: int
    dla_layers: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    """How it compared with the fp32 reference on the CPU; empty when nobody compared."""
    refused: str = ""
    """Why it was not taken into use; there is no plan then."""
    edgeseg: str = ""

    def write(self, path: Path) -> None:
        """Write it as JSON. Raises OSError."""
        with written_aside(path) as aside:
            fields = dataclasses.asdict(self) | {"format": FORMAT}
            aside.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def read_receipt(path: Path) -> Receipt:
    """Read a receipt, every field checked. Raises ValueError with the reason, and OSError."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields.pop("format") != FORMAT:
            raise ValueError("it comes from another version of edgeseg")
        identity = fields["identity"]
        for name in ("input_px", "batches"):
            identity[name] = tuple(identity[name])
        fields["identity"] = Identity(**identity)
        receipt = Receipt(**fields)
        _check_types(receipt.identity)
        _check_types(receipt)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from error
    return receipt


_KINDS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int),
    "float": lambda value: isinstance(value, (int, float)),
    "int | None": lambda value: value is None or isinstance(value, int),
    "tuple[int, int]": lambda value: len(value) == 2 and _are_whole(value),
    "tuple[int, int, int]": lambda value: len(value) == 3 and _are_whole(value),
    "dict[str, float]": lambda value: all(isinstance(n, (int, float)) for n in value.values()),
    "Identity": lambda value: isinstance(value, Identity),
}
"""For each type of a field, whether a value read from JSON has it."""


def _are_whole(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int) for value in values)


def _check_types(record: Identity | Receipt) -> None:
    for one in dataclasses.fields(record):
        value = getattr(record, one.name)
        if not _KINDS[str(one.type)](value):
            raise TypeError(f"{one.name} is {value!r:.40}")
