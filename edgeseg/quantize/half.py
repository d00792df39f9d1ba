"""Turn a graph's arithmetic to fp16, as strongly typed networks want it: in the graph itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto, helper

from edgeseg.errors import ModelError
from edgeseg.models.darknet.onnx_graph import Array, GraphBuilder, TensorGroup, TensorSpec

MAX_HALF = 65504.0


def to_half(builder: GraphBuilder, outputs: Sequence[str], *, casts: bool) -> None:
    """Make all float32 initializers float16, and with `casts` keep float32 at both ends.

    Sizes of Resize stay float32, as ONNX wants them. Weights were folded in
    float64 before; one that fp16 cannot hold raises ModelError when it is written.
    """
    kept = {node.input[2] for node in builder.nodes if node.op_type == "Resize"}
    builder.groups = [_halved(group, kept) for group in builder.groups]
    if not casts:
        return
    for node in builder.nodes:
        for position, name in enumerate(node.input):
            if name == "images":
                node.input[position] = "images_fp16"
    builder.nodes.insert(0, _cast("images", "images_fp16", TensorProto.FLOAT16))
    for output in outputs:
        builder.rename(output, f"{output}_fp16")
        builder.nodes.append(_cast(f"{output}_fp16", output, TensorProto.FLOAT))


def _cast(source: str, result: str, dtype: int) -> object:
    return helper.make_node("Cast", [source], [result], name=f"{result}_cast", to=dtype)


def _halved(group: TensorGroup, kept: set[str]) -> TensorGroup:
    def is_cast(spec: TensorSpec) -> bool:
        return spec.dtype == "float32" and spec.name not in kept

    if not any(map(is_cast, group.specs)):
        return group
    specs = tuple(
        TensorSpec(spec.name, spec.shape, "float16") if is_cast(spec) else spec
        for spec in group.specs
    )
    return TensorGroup(specs, _cast_when_made(group.make, specs))


def _cast_when_made(
    make: Callable[[], Sequence[Array]], specs: Sequence[TensorSpec]
) -> Callable[[], Sequence[Array]]:
    def made() -> Sequence[Array]:
        return [
            half(array, spec.name) if spec.dtype == "float16" else array
            for array, spec in zip(make(), specs, strict=True)
        ]

    return made


def half(array: Array, name: str) -> Array:
    """Cast to float16, to nearest. Raises ModelError instead of making infinities."""
    largest = float(np.abs(array).max(initial=0.0))
    if largest > MAX_HALF:
        raise ModelError(
            f"{name} holds {largest:g}, which is too large for fp16",
            hint="Export this network as fp32.",
        )
    return array.astype(np.float16)
