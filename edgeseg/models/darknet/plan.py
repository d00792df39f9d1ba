"""Plan a Darknet network: shapes, parameters and costs of every layer, before any is loaded.

`plan_network` is a pure function over a parsed cfg. Everything that a hostile
cfg could blow up is bounded here, so later steps may allocate what it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from edgeseg.errors import DarknetError
from edgeseg.models.darknet.cfg import Cfg, Section
from edgeseg.models.darknet.heads import plan_region, plan_yolo, refusal
from edgeseg.models.darknet.layers import PLANNERS
from edgeseg.models.darknet.options import IMAGE, MAX_SIDE, Options, Plan, Shape
from edgeseg.models.darknet.site import ShapeError, Site
from edgeseg.types import HeadSpec, Size

MAX_PARAMETERS = 500_000_000
"""An ONNX file ends at 2 GB; yolov4 has 64 million."""
MAX_LAYER_VALUES = 1 << 28
"""One layer's output for one picture: 1 GB of fp32."""
MAX_VALUES = 1 << 32
"""All layers together; yolov4 at 608 has 0.15 thousand million."""
MAX_INPUTS = 1 << 16
"""All sources of all layers together."""

_PLANNERS = PLANNERS | {"yolo": plan_yolo, "region": plan_region}
KINDS = tuple(_PLANNERS)
"""Sections that can be imported."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One planned layer."""

    index: int
    """As Darknet counts: the section after [net] is 0."""
    section: Section
    options: Options
    inputs: tuple[int, ...]
    """Layers it reads; IMAGE is the network's input."""
    in_shapes: tuple[Shape, ...]
    shape: Shape
    """What it gives."""
    parameters: int
    """Its numbers in the weights file."""
    offset: int
    """Its place in the weights file, in bytes after the header."""
    flops: int
    """Of one picture: two for each multiply-add of a convolution, 0 for other layers."""
    used: bool
    """Whether a head depends on it."""

    @property
    def name(self) -> str:
        """Index and kind, as the ONNX graph names it: 017_convolutional."""
        return f"{self.index:03d}_{self.section.kind}"


@dataclass(frozen=True, slots=True)
class Network:
    """A planned network."""

    cfg: Cfg
    input_px: Size
    layers: tuple[Layer, ...]
    stride_px: Size
    """What width and height must be multiples of."""

    @property
    def heads(self) -> tuple[Layer, ...]:
        """The head layers, in cfg order."""
        return tuple(layer for layer in self.layers if isinstance(layer.options, HeadSpec))

    @property
    def head_specs(self) -> tuple[HeadSpec, ...]:
        """How to read each head, in cfg order."""
        options = (layer.options for layer in self.layers)
        return tuple(spec for spec in options if isinstance(spec, HeadSpec))

    @property
    def classes(self) -> int:
        """Number of classes; every head has the same."""
        return self.head_specs[0].classes

    @property
    def parameters(self) -> int:
        """Numbers in the weights file."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def weights_bytes(self) -> int:
        """Size of the weights file without its header."""
        return 4 * self.parameters

    @property
    def flops(self) -> int:
        """Floating-point operations of all convolutions for one picture."""
        return sum(layer.flops for layer in self.layers if layer.used)


def plan_network(cfg: Cfg, input_px: Size | None = None) -> Network:
    """Work out every layer's shape, parameters and place in the weights file.

    `input_px` (width, height) replaces the size of [net]; it must be a multiple
    of the network's stride. Raises DarknetError with the line, ValueError for a
    size below 1.
    """
    if input_px is not None and min(input_px) < 1:
        raise ValueError(f"input_px must be 1 or more, got {input_px}")
    image = _image(cfg.net, input_px)
    plans: list[Plan] = []
    scales: list[tuple[Fraction, Fraction]] = []
    try:
        _plan_layers(cfg, image, plans, scales)
    except ShapeError as error:
        _check_size(cfg, image, _whole_stride(cfg, image, _stride(scales)), error)
        raise
    heads = _heads(cfg, plans)
    used = _used(plans, heads)
    stride = _stride(scales)
    _check_size(cfg, image, stride, None)
    return Network(cfg, (image.width, image.height), _layers(cfg, image, plans, used), stride)


def _image(net: Section, input_px: Size | None) -> Shape:
    channels = net.integer("channels", 3, low=1, high=1 << 16)
    if channels != 3:
        raise net.error(
            f"channels={channels}: only networks for colour pictures are supported",
            key="channels",
            hint="A network for edgeseg has channels=3.",
        )
    if input_px is None:
        width = net.integer("width", low=1, high=MAX_SIDE)
        return Shape(3, net.integer("height", low=1, high=MAX_SIDE), width)
    if max(input_px) > MAX_SIDE:
        raise net.error(f"an input of {_text(input_px)} is larger than {MAX_SIDE}")
    return Shape(3, input_px[1], input_px[0])


def _plan_layers(
    cfg: Cfg, image: Shape, plans: list[Plan], scales: list[tuple[Fraction, Fraction]]
) -> None:
    """Append a plan for each layer, and its pixels of input for one cell."""
    shapes: list[Shape] = []
    heads: set[int] = set()
    parameters = values = inputs = 0
    for index, section in enumerate(cfg.layers):
        if section.kind not in _PLANNERS:
            raise refusal(section)
        plan = _PLANNERS[section.kind](Site(section, index, image, shapes, heads))
        parameters += plan.parameters
        values += plan.shape.values
        inputs += len(plan.inputs)
        _check_limits(section, plan.shape, parameters, values, inputs)
        if isinstance(plan.options, HeadSpec):
            heads.add(index)
        source = plan.inputs[0]
        before = (Fraction(1), Fraction(1)) if source == IMAGE else scales[source]
        scale = (before[0] * plan.scale[0], before[1] * plan.scale[1])
        if max(scale) > MAX_SIDE:
            raise section.error(f"brings the strides to more than {MAX_SIDE}", key="stride")
        scales.append(scale)
        shapes.append(plan.shape)
        plans.append(plan)


def _check_limits(
    section: Section, shape: Shape, parameters: int, values: int, inputs: int
) -> None:
    if shape.values > MAX_LAYER_VALUES or values > MAX_VALUES:
        raise section.error(
            f"gives {shape}, too much to run", hint="Lower width and height, or filters."
        )
    if parameters > MAX_PARAMETERS:
        raise section.error(
            f"brings the network to {parameters} parameters; an ONNX file ends at {MAX_PARAMETERS}"
        )
    if inputs > MAX_INPUTS:
        raise section.error(f"brings the network to {inputs} connections, too many")


def _heads(cfg: Cfg, plans: list[Plan]) -> list[int]:
    heads = [index for index, plan in enumerate(plans) if isinstance(plan.options, HeadSpec)]
    if not heads:
        raise cfg.layers[-1].error(
            "ends a network without a head", hint="A detector has [yolo] or [region] sections."
        )
    classes = [plan.options.classes for plan in plans if isinstance(plan.options, HeadSpec)]
    for index, count in zip(heads, classes, strict=True):
        if count != classes[0]:
            raise cfg.layers[index].error(
                f"has classes={count}, but the first head has {classes[0]}", key="classes"
            )
    return heads


def _used(plans: list[Plan], heads: list[int]) -> set[int]:
    used: set[int] = set()
    waiting = list(heads)
    while waiting:
        index = waiting.pop()
        if index not in used and index != IMAGE:
            used.add(index)
            waiting.extend(plans[index].inputs)
    return used


def _layers(cfg: Cfg, image: Shape, plans: list[Plan], used: set[int]) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    offset = 0
    for index, plan in enumerate(plans):
        in_shapes = tuple(image if i == IMAGE else plans[i].shape for i in plan.inputs)
        layer = Layer(
            index=index,
            section=cfg.layers[index],
            options=plan.options,
            inputs=plan.inputs,
            in_shapes=in_shapes,
            shape=plan.shape,
            parameters=plan.parameters,
            offset=offset,
            flops=plan.flops,
            used=index in used,
        )
        layers.append(layer)
        offset += 4 * plan.parameters
    return tuple(layers)


def _stride(scales: Iterable[tuple[Fraction, Fraction]]) -> Size:
    """Give the pixels, across and down, that the input must be a multiple of."""
    down, across = 1, 1
    for y, x in scales:
        down, across = math.lcm(down, y.numerator or 1), math.lcm(across, x.numerator or 1)
    return across, down


def _whole_stride(cfg: Cfg, image: Shape, known: Size) -> Size:
    """Give the stride of the network, of which only `known` was met before shapes disagreed."""
    larger = (-(-image.width // known[0]) * known[0], -(-image.height // known[1]) * known[1])
    if larger == (image.width, image.height) or max(larger) > MAX_SIDE:
        return known
    larger_image = Shape(3, larger[1], larger[0])
    scales: list[tuple[Fraction, Fraction]] = []
    try:
        _plan_layers(cfg, larger_image, [], scales)
    except ShapeError:
        return _whole_stride(cfg, larger_image, _stride(scales))
    except DarknetError:
        return known
    return _stride(scales)


def _check_size(cfg: Cfg, image: Shape, stride: Size, cause: ShapeError | None) -> None:
    size = (image.width, image.height)
    if all(side % step == 0 for side, step in zip(size, stride, strict=True)):
        return
    if max(stride) > MAX_SIDE:
        raise cfg.net.error("is followed by strides that no input size can meet") from cause
    smaller = tuple(max(1, side // step) * step for side, step in zip(size, stride, strict=True))
    larger = tuple(-(-side // step) * step for side, step in zip(size, stride, strict=True))
    choices = " or ".join(dict.fromkeys(_text((w, h)) for w, h in (smaller, larger)))
    steps = f"{stride[0]}" if stride[0] == stride[1] else f"{_text(stride)} (width x height)"
    raise DarknetError(
        f"[net] an input of {_text(size)} does not fit: this network needs multiples of {steps}",
        file=cfg.file,
        line=cfg.net.line_of("width"),
        hint=f"Nearest sizes: {choices}.",
    ) from cause


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
