"""How the numbers of an exported network are to be held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeseg.quantize.scales import Scales

Precision = Literal["fp32", "fp16", "int8"]
Io = Literal["fp32", "fp16"]
"""Type of the network's input and heads."""
Target = Literal["tensorrt", "onnxruntime"]
"""Who will run the INT8 network: what makes one fast is not what makes the other fast."""
Keep = Literal["ends", "heads", "none"]
"""Convolutions that stay floating point: the first and those of the heads, or fewer."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Precision of an export; `scales` are needed for int8, `target` and `keep` only used by it."""

    precision: Precision = "fp32"
    io: Io = "fp32"
    target: Target = "onnxruntime"
    keep: Keep | None = None
    """None: `ends` for TensorRT, `heads` for ONNX Runtime, whose first layer gains most."""
    scales: Scales | None = None

    def __post_init__(self) -> None:
        if self.precision == "int8" and self.scales is None:
            raise ValueError("int8 needs scales")
        if self.io == "fp16" and not self.half:
            raise ValueError(f"io fp16 needs a half-precision network, not {self}")

    @property
    def half(self) -> bool:
        """Whether what is not INT8 is fp16: the CPU has no fast fp16, so only for TensorRT."""
        return self.precision == "fp16" or (self.precision == "int8" and self.target == "tensorrt")

    @property
    def kept(self) -> Keep:
        """Which convolutions stay floating point."""
        return self.keep or ("ends" if self.target == "tensorrt" else "heads")

    def __str__(self) -> str:
        if self.precision == "fp32":
            return "fp32"
        if self.precision == "fp16":
            return f"fp16, {self.io} in and out"
        return f"int8 for {self.target}, {self.kept} kept, {self.io} in and out"


FP32 = Recipe()
