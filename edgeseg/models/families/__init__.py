"""Networks that other programs exported, told apart by what their ONNX files show."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from edgeseg.errors import OnnxModelError
from edgeseg.files import sha256_of
from edgeseg.models.families import semantic, yolo
from edgeseg.models.families.config import NetConfig, find_config
from edgeseg.models.families.graph import Graph, Tensor, read_graph
from edgeseg.models.families.names import names_in
from edgeseg.network_spec import Layout, Preprocessing
from edgeseg.sizes import format_size
from edgeseg.types import Model, Size

__all__ = ["open_foreign"]

log = logging.getLogger(__name__)

USUAL_PX: Size = (512, 512)
"""Of a semantic network whose input is open and of which nothing else is known."""
USUAL_YOLO_PX: Size = (640, 640)
YOLO_PAD = 114.0
YOLO_STRIDE_PX = 32

WHAT_FITS = (
    "YOLO: [1, boxes, 5 + classes] (v5), [1, 4 + classes, boxes] (v8, v11) or [1, boxes, 6] "
    "(after NMS); with masks, coefficients behind and prototypes [1, coefficients, rows, columns]. "
    "Semantic: [1, classes, rows, columns], [1, rows, columns, classes] or whole numbers "
    "[1, rows, columns]. What the file does not say stands in a side TOML: docs/MODELS.md."
)


@dataclass(frozen=True, slots=True)
class Input:
    """The one picture that a network takes."""

    tensor: Tensor
    layout: Layout
    size_px: tuple[int | None, int | None]
    """Width and height; None where open."""


def open_foreign(
    path: Path,
    *,
    names: tuple[str, ...] | None = None,
    size: Size | None = None,
    net_config: Path | None = None,
) -> Model:
    """Give the model of an ONNX file that edgeseg did not export.

    `names` are its classes' where the user gives them, `size` the input's (width, height),
    `net_config` a side TOML, else the one beside the file. Raises OnnxModelError when the
    outputs fit no family, and says what they are; ConfigError for a wrong side TOML.
    """
    graph = read_graph(path)
    config = find_config(path, net_config, graph.properties)
    picture = _input(path, graph, config)
    known = names or config.classes or names_in(graph.properties)
    if config.family != "semantic":
        px = _size(path, picture, size or config.size_px, _yolo_px(graph))
        count = len(known) or None
        found = yolo.readings(graph, px, count)
        if config.family is not None:
            found = [one for one in found if one.family == config.family]
        chosen = yolo.choose(found, count)
        if chosen is not None:
            _check_stride(path, px, graph)
            return _yolo_model(path, graph, chosen, px, known, picture)
        if found:
            _refuse_count(path, found, count)
        if config.family is not None or (yolo.is_yolo(graph) and config.output is None):
            _refuse(path, graph)
    px = _size(path, picture, size or config.size_px, None)
    output = semantic.find_output(graph, px, config, picture.layout)
    if output is None:
        _refuse(path, graph)
    return _semantic_model(path, graph, output, config, px, known, picture)


def _yolo_model(
    path: Path, graph: Graph, found: yolo.Found, px: Size, names: tuple[str, ...], picture: Input
) -> Model:
    from edgeseg.models.class_names import COCO_CLASSES, COCO_NAMES, read_names

    count = found.outputs.classes
    if not names and count == COCO_CLASSES:
        names = read_names(COCO_NAMES)
    if not names and not count:
        raise OnnxModelError(
            f"{path} does not say how many classes it has", hint="Name them: --names FILE."
        )
    return Model(
        name=path.stem,
        onnx_path=path,
        input_px=px,
        heads=(),
        class_names=names or _numbered(path, count),
        precision=_precision(graph, picture),
        sha256=sha256_of(path),
        family=found.family,
        preprocessing=Preprocessing(
            pad=YOLO_PAD, sampling="centres", rounding="nearest", layout=picture.layout
        ),
        outputs=found.outputs,
    )


def _semantic_model(
    path: Path,
    graph: Graph,
    found: semantic.Found,
    config: NetConfig,
    px: Size,
    names: tuple[str, ...],
    picture: Input,
) -> Model:
    if found.channels == 1 and not found.is_index and config.scores != "index":
        names = ("background", *names) if len(names) == 1 else names
        names = names or ("background", "foreground")
        count = 2
    else:
        count = len(names) if found.is_index or config.scores == "index" else found.channels
    if not count:
        raise OnnxModelError(
            f"{path} gives classes as numbers and names none of them",
            hint="Name them: --names FILE, or classes in a side TOML.",
        )
    if names and len(names) != count:
        raise OnnxModelError(
            f"{path} has {count} classes in its output {found.tensor}, {len(names)} are named",
            hint="Give a name for each: --names FILE, or classes in a side TOML.",
        )
    names = names or _numbered(path, count)
    return Model(
        name=path.stem,
        onnx_path=path,
        input_px=px,
        heads=(),
        class_names=names,
        fit=config.resize,
        precision=_precision(graph, picture),
        sha256=sha256_of(path),
        family="semantic",
        preprocessing=semantic.preprocessing_of(config, picture.layout),
        outputs=semantic.outputs_of(found, graph, config, names),
    )


def _numbered(path: Path, count: int) -> tuple[str, ...]:
    log.warning(
        "%s names none of its %d classes: they are numbered; name them with --names FILE",
        path,
        count,
    )
    return tuple(str(number) for number in range(count))


def _precision(graph: Graph, picture: Input) -> str:
    if graph.quantized:
        return "int8"
    return "fp16" if picture.tensor.dtype == "float16" else "fp32"


def _input(path: Path, graph: Graph, config: NetConfig) -> Input:
    """Find the picture among the inputs: the only one, with three channels."""
    tensor = graph.inputs[0] if len(graph.inputs) == 1 else None
    if (
        tensor is None
        or tensor.shape is None
        or len(tensor.shape) != 4
        or tensor.dtype not in ("float32", "float16", "uint8")
    ):
        _refuse(path, graph)
    shape = tensor.shape
    if isinstance(shape[0], int) and shape[0] != 1:
        raise OnnxModelError(
            f"{path} takes {shape[0]} pictures at a time",
            hint="Export it for one, or with an open batch.",
        )
    layout = config.layout or ("nhwc" if shape[3] == 3 and shape[1] != 3 else "nchw")
    height, width = shape[2:] if layout == "nchw" else shape[1:3]
    if _whole(shape[1 if layout == "nchw" else 3]) not in (3, None):
        _refuse(path, graph)
    return Input(tensor, layout, (_whole(width), _whole(height)))


def _whole(size: int | str) -> int | None:
    return size if isinstance(size, int) else None


def _size(path: Path, picture: Input, wanted: Size | None, usual: Size | None) -> Size:
    """Choose the input's size: the file's own where it is fixed, else what is asked for."""
    width, height = picture.size_px
    if wanted is not None:
        if (width or wanted[0], height or wanted[1]) != wanted:
            raise OnnxModelError(
                f"{path} was exported at {width or 'any'}x{height or 'any'} and cannot run at "
                f"{wanted[0]}x{wanted[1]}",
                hint="Leave out --size, or export the network at that size or with an open one.",
            )
        return wanted
    chosen = usual or USUAL_PX
    return width or chosen[0], height or chosen[1]


def _yolo_px(graph: Graph) -> Size:
    """Give the size that an ultralytics export tells: imgsz is [height, width]."""
    import re

    found = re.fullmatch(r"\[(\d{1,5}), (\d{1,5})\]", graph.properties.get("imgsz", ""), re.ASCII)
    if found and int(found[1]) and int(found[2]):
        return int(found[2]), int(found[1])
    return USUAL_YOLO_PX


def _check_stride(path: Path, px: Size, graph: Graph) -> None:
    text = graph.properties.get("stride", "")
    stride = int(text) if text.isdecimal() and 0 < int(text[:6]) <= 1024 else YOLO_STRIDE_PX
    if px[0] % stride or px[1] % stride:
        near = tuple(max(stride, round(edge / stride) * stride) for edge in px)
        raise OnnxModelError(
            f"{path} cannot run at {px[0]}x{px[1]}: both must be multiples of {stride}",
            hint=f"Try --size {format_size((near[0], near[1]))}.",
        )


def _refuse_count(path: Path, found: list[yolo.Found], names: int | None) -> NoReturn:
    counts = " or ".join(f"{one.outputs.classes} ({one.family})" for one in found)
    if names is None:
        raise OnnxModelError(
            f"{path} can be read in more than one way: as {counts} classes",
            hint='Say which: --names FILE, or family = "yolo-v8" in a side TOML.',
        )
    raise OnnxModelError(
        f"{path} has {counts} classes, {names} are named",
        hint="Give the names of this network's classes: --names FILE.",
    )


def _refuse(path: Path, graph: Graph) -> NoReturn:
    """Say what the file holds and what would fit."""
    task = graph.properties.get("task", "")
    seen = [
        f"{path} fits no family of networks that edgeseg can read.",
        *(f"  input   {tensor}" for tensor in graph.inputs[:8]),
        *(f"  output  {tensor}" for tensor in graph.outputs[:16]),
    ]
    if task and task not in ("detect", "segment"):
        seen.append(f"  task    {task[:40]}")
    raise OnnxModelError("\n".join(seen), hint=WHAT_FITS)
