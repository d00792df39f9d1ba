"""Networks that give each pixel a class: FCN, DeepLab, U-Net and the like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgeseg.errors import ConfigError
from edgeseg.models.families.config import NetConfig
from edgeseg.models.families.graph import Graph, Tensor
from edgeseg.network_spec import Layout, Preprocessing, SemanticOutputs
from edgeseg.types import NO_CLASS, Size

COARSEST = 16
"""A map has at least one row for so many of the input, or a raw detection head looks like one."""

_BACKGROUNDS = ("background", "__background__", "_background_", "bg")


@dataclass(frozen=True, slots=True)
class Found:
    """The output to read, as its shape shows it."""

    tensor: Tensor
    channels: int
    layout: Layout
    is_index: bool = False


def find_output(
    graph: Graph, size_px: Size, config: NetConfig, input_layout: Layout
) -> Found | None:
    """Give the output that holds scores or classes of pixels; None when there is none.

    Of several: the one the side TOML names, else `out` (torchvision's), else the first if
    all have one size; grids of several sizes look like the raw heads of a detector. Raises
    ConfigError when the one that is named is none of the network's.
    """
    outputs = graph.outputs
    if config.output is not None:
        outputs = [tensor for tensor in outputs if tensor.name == config.output]
        if not outputs:
            raise ConfigError(
                f"{config.origin}: the network has no output {config.output!r}",
                hint=f"It has: {', '.join(str(tensor) for tensor in graph.outputs)}.",
            )
    sure = config.output is not None or config.family == "semantic"
    outputs = sorted(outputs, key=lambda tensor: tensor.name != "out")
    if not sure and len(outputs) > 1 and outputs[0].name != "out":
        outputs = outputs if len({(t.shape or ())[1:] for t in outputs}) == 1 else []
    wanted = config.output_layout
    layouts: list[Layout] = [input_layout, "nhwc" if input_layout == "nchw" else "nchw"]
    layouts = layouts if wanted is None else [wanted]
    found = (_fit(tensor, size_px, layouts, sure=sure) for tensor in outputs)
    return next((one for one in found if one is not None), None)


def outputs_of(
    found: Found, graph: Graph, config: NetConfig, names: tuple[str, ...]
) -> SemanticOutputs:
    """Say how the output is read. Raises ConfigError where the side TOML does not fit it."""
    scores = config.scores
    if found.is_index or scores == "index":
        return SemanticOutputs(
            found.tensor.name, found.channels, found.layout, "index",
            background=_background(names, config, None),
        )  # fmt: skip
    if found.channels == 1:
        logits = scores == "logits" or (
            scores is None and graph.activation(found.tensor.name) not in _PROBABILITIES
        )
        return SemanticOutputs(
            found.tensor.name, 1, found.layout, "foreground",
            floor=_logit(config.threshold) if logits else config.threshold, background=0,
        )  # fmt: skip
    if scores in ("sigmoid", "logits"):
        floor = _logit(config.threshold) if scores == "logits" else config.threshold
        background = _background(names, config, NO_CLASS)
        return SemanticOutputs(
            found.tensor.name, found.channels, found.layout, "any", floor, background
        )
    background = _background(names, config, None)
    return SemanticOutputs(found.tensor.name, found.channels, found.layout, background=background)


def preprocessing_of(config: NetConfig, layout: Layout) -> Preprocessing:
    """Say how a frame becomes the input: (picture * scale - mean) / std."""
    return Preprocessing(
        pad=config.pad,
        sampling="centres",
        rounding="nearest",
        layout=layout,
        color=config.color,
        gain=tuple(255 * config.scale / std for std in config.std),  # type: ignore[arg-type]
        offset=tuple(-m / std for m, std in zip(config.mean, config.std, strict=True)),  # type: ignore[arg-type]
    )


_PROBABILITIES = ("Sigmoid", "HardSigmoid", "Softmax")


def _fit(tensor: Tensor, size_px: Size, layouts: Sequence[Layout], *, sure: bool) -> Found | None:
    """Read a shape as scores of pixels, or as classes; None when it is neither."""
    shape = tensor.shape
    if shape is None or len(shape) not in (3, 4) or shape[0] not in (1, *_open(shape[0])):
        return None
    whole_numbers = tensor.dtype.removeprefix("u").startswith("int")
    if len(shape) == 3:
        fits = whole_numbers and _is_fine(shape[1:], size_px, sure=sure)
        return Found(tensor, 1, "nchw", is_index=True) if fits else None
    for layout in layouts:
        channels, places = (shape[1], shape[2:]) if layout == "nchw" else (shape[3], shape[1:3])
        if not isinstance(channels, int) or channels >= NO_CLASS:
            continue
        if len(layouts) > 1 and not _has_shape_of(places, size_px):
            continue
        if _is_fine(places, size_px, sure=sure):
            return Found(tensor, channels, layout, is_index=whole_numbers and channels == 1)
    return None


def _has_shape_of(places: tuple[int | str, ...], size_px: Size) -> bool:
    """Say whether rows and columns are in the input's proportion, to a pixel; open ones are."""
    rows, columns = places
    if isinstance(rows, str) or isinstance(columns, str):
        return True
    return abs(rows - columns * size_px[1] / size_px[0]) <= 1


def _open(size: int | str) -> tuple[str, ...]:
    return (size,) if isinstance(size, str) else ()


def _is_fine(places: tuple[int | str, ...], size_px: Size, *, sure: bool) -> bool:
    """Say whether rows and columns are fine enough for a map of the input; open ones are."""
    return sure or all(
        isinstance(places[axis], str) or int(places[axis]) * COARSEST >= size_px[1 - axis]
        for axis in (0, 1)
    )


def _background(names: tuple[str, ...], config: NetConfig, default: int | None) -> int | None:
    wanted = config.background
    if wanted is None:
        return next((i for i, name in enumerate(names) if name.lower() in _BACKGROUNDS), default)
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return wanted
    raise ConfigError(
        f"{config.origin}: background: the network has no class {wanted!r}",
        hint=f"It has {len(names)}: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}.",
    )


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
