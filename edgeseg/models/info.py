"""What a model is made of: layers, cost, heads and classes, for people and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseg.files import sha256_of
from edgeseg.models.class_names import class_names_for
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.options import Convolution, Pool, Route, Shortcut, Upsample
from edgeseg.models.darknet.plan import Layer, Network, plan_network
from edgeseg.models.darknet.weights import read_weights
from edgeseg.models.zoo import MODELS
from edgeseg.network_spec import Family, Preprocessing, SemanticOutputs, YoloOutputs
from edgeseg.sizes import format_size
from edgeseg.types import HeadSpec, Size


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One row of the table of layers."""

    index: int
    type: str
    filters: int | None
    """Of a convolution."""
    size: str
    """Kernel and stride, as 3x3/2; what a layer reads, as <- 12, 8."""
    output: str
    """Channels x rows x columns."""
    parameters: int
    gflops: float
    """For one picture; a multiply-add counts as two."""
    line: int
    """In the cfg."""


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """A weights file that fits the network."""

    path: str
    size_bytes: int
    sha256: str
    official: str | None
    """Registry name of the model whose official weights these are."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """All that `edgeseg models info` shows."""

    name: str
    file: str
    input_px: Size
    stride_px: Size | None
    """What width and height must be multiples of; None for an ONNX file, whose size is fixed."""
    batch: int | None
    """None when it is open."""
    heads: tuple[HeadSpec, ...]
    class_names: tuple[str, ...]
    layers: tuple[LayerInfo, ...] = ()
    """Empty for an ONNX file."""
    weights: WeightsInfo | None = None
    family: Family = "darknet"
    outputs: YoloOutputs | SemanticOutputs | None = None
    """How a network of another family than Darknet's is read."""
    preprocessing: Preprocessing | None = None
    """How it is fed."""
    tensors: tuple[str, ...] = ()
    """Its inputs and outputs as the file has them."""

    @property
    def parameters(self) -> int:
        """Numbers in the weights file."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def gflops(self) -> float:
        """For one picture."""
        return sum(layer.gflops for layer in self.layers)

    def to_dict(self) -> dict[str, object]:
        """Give everything as JSON takes it."""
        totals = {"parameters": self.parameters, "gflops": round(self.gflops, 9)}
        return dataclasses.asdict(self) | (totals if self.layers else {})


def darknet_info(
    cfg: Path,
    *,
    weights: Path | None = None,
    names: Path | None = None,
    size: Size | None = None,
    name: str | None = None,
) -> ModelInfo:
    """Describe a cfg at its own size or another; with `weights`, check that they fit.

    Raises DarknetError.
    """
    network = plan_network(parse_cfg(cfg), size)
    return ModelInfo(
        name=name or cfg.stem,
        file=str(cfg),
        input_px=network.input_px,
        stride_px=network.stride_px,
        batch=1,
        heads=network.head_specs,
        class_names=class_names_for(cfg, network.classes, names),
        layers=tuple(_layer_info(layer) for layer in network.layers),
        weights=None if weights is None else _weights_info(weights, network),
    )


def onnx_info(
    path: Path,
    *,
    names: Path | None = None,
    size: Size | None = None,
    net_config: Path | None = None,
) -> ModelInfo:
    """Describe an ONNX file, as `open_model` would open it. Raises ModelError, ConfigError."""
    from edgeseg.models import open_model
    from edgeseg.models.families.graph import read_graph

    model = open_model(path, names=names, size=size, net_config=net_config)
    foreign = model.family != "darknet"
    graph = read_graph(path)
    return ModelInfo(
        name=model.name,
        file=str(path),
        input_px=model.input_px,
        stride_px=None,
        batch=model.batch,
        heads=model.heads,
        class_names=model.class_names,
        family=model.family,
        outputs=model.outputs,
        preprocessing=model.preprocessing if foreign else None,
        tensors=(
            *(f"input    {tensor}" for tensor in graph.inputs),
            *(f"output   {tensor}" for tensor in graph.outputs),
        )
        if foreign
        else (),
    )


def _weights_info(path: Path, network: Network) -> WeightsInfo:
    read_weights(path, network).close()
    digest = sha256_of(path)
    official = (model.name for model in MODELS.values() if model.weights.sha256 == digest)
    return WeightsInfo(str(path), path.stat().st_size, digest, next(official, None))


def _layer_info(layer: Layer) -> LayerInfo:
    options = layer.options
    return LayerInfo(
        index=layer.index,
        type=layer.section.kind,
        filters=options.filters if isinstance(options, Convolution) else None,
        size=_size(layer),
        output=str(layer.shape),
        parameters=layer.parameters,
        gflops=layer.flops / 1e9,
        line=layer.section.line,
    )


def _size(layer: Layer) -> str:
    options = layer.options
    if isinstance(options, (Convolution, Pool)):
        groups = getattr(options, "groups", 1)
        y, x = options.stride
        stride = str(y) if y == x else f"{y}x{x}"
        return f"{options.size}x{options.size}/{stride}" + (f" g{groups}" if groups > 1 else "")
    if isinstance(options, Upsample):
        return f"x{options.stride}"
    if isinstance(options, Shortcut):
        return "<- " + ", ".join(map(str, layer.inputs[1:]))
    if isinstance(options, Route):
        part = f" {options.group_id + 1}/{options.groups}" if options.groups > 1 else ""
        return "<- " + ", ".join(map(str, layer.inputs)) + part
    return ""


def info_lines(info: ModelInfo) -> list[str]:
    """Give the description for people."""
    stride = "" if info.stride_px is None else f", any multiple of {format_size(info.stride_px)}"
    lines = [
        f"{info.name}  ({info.file})",
        f"input    {format_size(info.input_px)}{stride}"
        + ("" if info.batch == 1 else f", batch {info.batch or 'open'}"),
        f"classes  {len(info.class_names)}: {', '.join(info.class_names[:6])}"
        + (", ..." if len(info.class_names) > 6 else ""),
    ]
    if info.weights is not None:
        official = f", official {info.weights.official}" if info.weights.official else ""
        lines.append(
            f"weights  {info.weights.path}: {info.weights.size_bytes:,} bytes{official}"
            f"\n         sha256 {info.weights.sha256}"
        )
    lines += [_head_line(number, head) for number, head in enumerate(info.heads)]
    if info.outputs is not None and info.preprocessing is not None:
        from edgeseg.models.families.words import feeding, reading

        lines.insert(1, f"family   {info.family}")
        lines += [*info.tensors, f"read     {reading(info.outputs)}"]
        lines.append(f"fed      {feeding(info.preprocessing)}")
    if info.layers:
        lines += ["", *_layer_lines(info)]
    return lines


def _head_line(number: int, head: HeadSpec) -> str:
    anchors = "  ".join(f"{width:g}x{height:g}" for width, height in head.anchors_net)
    extra = f", scale_x_y {head.scale_x_y:g}" if head.scale_x_y != 1 else ""
    extra += ", new_coords" if head.new_coords else ""
    return f"head {number}   [{head.kind}] {head.channels} channels, anchors {anchors}{extra}"


def _layer_lines(info: ModelInfo) -> list[str]:
    header = ("layer", "type", "filters", "size", "output", "parameters", "GFLOPs", "line")
    rows = [
        (
            str(layer.index),
            layer.type,
            "" if layer.filters is None else str(layer.filters),
            layer.size,
            layer.output,
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.gflops:.3f}" if layer.gflops else "",
            str(layer.line),
        )
        for layer in info.layers
    ]
    total = ("total", "", "", "", "", f"{info.parameters:,}", f"{info.gflops:.3f}", "")
    return aligned([header, *rows, total], right=(0, 2, 5, 6, 7))


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Lay out rows as columns; those numbered in `right` stand flush right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
