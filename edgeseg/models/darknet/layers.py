"""What each Darknet layer does to a shape, and which options it has.

One function for each kind of section, after the `parse_*` and `make_*_layer`
functions of Darknet (src/parser.c and the layers' own files, both lineages:
pjreddie and AlexeyAB). Pure: sections and shapes in, a `Plan` out.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from edgeseg.models.darknet.options import (
    MAX_CHANNELS,
    MAX_SIDE,
    Convolution,
    GlobalAverage,
    Multiply,
    Pass,
    Plan,
    Pool,
    Reorg,
    Route,
    Shape,
    Shortcut,
    Upsample,
)
from edgeseg.models.darknet.site import Site

_REFUSED = (
    "antialiasing", "binary", "coordconv", "deform", "dontload", "dontloadscales", "flipped",
    "numload", "reverse", "rotate", "share_index", "stretch", "stretch_sway", "sway", "xnor",
)  # fmt: skip
"""Options of `[convolutional]` that change the kernels or where they come from."""


def plan_convolution(site: Site) -> Plan:
    """`[convolutional]`; `pad=1` means half the kernel and beats `padding`."""
    section, before = site.section, site.before
    site.refuse(*_REFUSED)
    filters = section.integer("filters", 1, low=1, high=MAX_CHANNELS)
    size = section.integer("size", 1, low=1, high=MAX_SIDE)
    groups = section.integer("groups", 1, low=1, high=MAX_CHANNELS)
    dilation = section.integer("dilation", 1, low=1, high=MAX_SIDE) if size > 1 else 1
    padding = section.integer("padding", 0, low=0, high=MAX_SIDE)
    if section.flag("pad"):
        padding = size // 2
    strides = site.strides()
    if before.channels % groups or filters % groups:
        raise section.error(
            f"{before.channels} input channels and {filters} filters do not divide "
            f"into {groups} groups",
            key="groups",
        )
    if padding * 2 * (dilation - 1) != (dilation - 1) * (size - 1):
        # Darknet computes the output size without the dilation, the pixels with it.
        raise section.error("dilation needs an odd size and pad=1", key="dilation")
    height, width = (
        _cells(site, side, 2 * padding, size, stride)
        for side, stride in zip(before[1:], strides, strict=True)
    )
    batch_normalize = section.flag("batch_normalize") or section.flag("cbn")
    weights = before.channels // groups * filters * size * size
    options = Convolution(
        filters, size, strides, padding * dilation, dilation, groups, batch_normalize,
        site.activation("logistic"),
    )  # fmt: skip
    return Plan(
        options,
        (site.previous,),
        Shape(filters, height, width),
        (Fraction(strides[0]), Fraction(strides[1])),
        parameters=weights + filters * (4 if batch_normalize else 1),
        flops=2 * weights * height * width,
    )


def plan_pool(site: Site) -> Plan:
    """`[maxpool]` and `[local_avgpool]`: padding is a total, its smaller half comes first."""
    section, before = site.section, site.before
    site.refuse("maxpool_depth", "maxpool_zero_nonmax", "antialiasing")
    strides = site.strides()
    size = section.integer("size", strides[1], low=1, high=MAX_SIDE)
    padding = section.integer("padding", size - 1, low=0, high=MAX_SIDE)
    if padding // 2 >= size:
        raise section.error(f"padding={padding} is too much for size={size}", key="padding")
    height, width = (
        _cells(site, side, padding, size, stride)
        for side, stride in zip(before[1:], strides, strict=True)
    )
    first = padding // 2
    last = [
        max(0, (cells - 1) * stride + size - first - side)
        for cells, stride, side in zip((height, width), strides, before[1:], strict=True)
    ]
    if max(last) >= size:
        raise section.error(f"padding={padding} is too much for size={size}", key="padding")
    options = Pool(
        size, strides, (first, first, last[0], last[1]), average=section.kind == "local_avgpool"
    )
    scale = (Fraction(strides[0]), Fraction(strides[1]))
    return Plan(options, (site.previous,), Shape(before.channels, height, width), scale)


def plan_global_average(site: Site) -> Plan:
    """`[avgpool]`; its output has no place in the picture, hence scale 0."""
    shape = Shape(site.before.channels, 1, 1)
    return Plan(GlobalAverage(), (site.previous,), shape, (Fraction(0), Fraction(0)))


def plan_upsample(site: Site) -> Plan:
    """`[upsample]`: each cell repeated `stride` times in both directions."""
    stride = site.section.integer("stride", 2, low=1, high=64)
    factor = site.section.number("scale", 1.0, low=-1e6, high=1e6)
    channels, height, width = site.before
    shape = Shape(channels, height * stride, width * stride)
    scale = (Fraction(1, stride), Fraction(1, stride))
    return Plan(Upsample(stride, factor), (site.previous,), shape, scale)


def plan_reorg(site: Site) -> Plan:
    """`[reorg]`: space to channels, or back with `reverse`."""
    section = site.section
    site.refuse("flatten", "extra")
    stride = section.integer("stride", 1, low=1, high=64)
    channels, height, width = site.before
    options = Reorg(stride, section.flag("reverse"))
    # Both directions go through a view with channels / stride^2 channels.
    if channels % (stride * stride):
        raise section.error(
            f"{channels} channels do not divide by stride {stride} squared", key="stride"
        )
    if options.reverse:
        shape = Shape(channels // (stride * stride), height * stride, width * stride)
        return Plan(options, (site.previous,), shape, (Fraction(1, stride), Fraction(1, stride)))
    if height % stride or width % stride:
        raise site.mismatch(f"{height}x{width} cells do not divide by stride {stride}", "stride")
    shape = Shape(channels * stride * stride, height // stride, width // stride)
    return Plan(options, (site.previous,), shape, (Fraction(stride), Fraction(stride)))


def plan_route(site: Site) -> Plan:
    """`[route]`: a group of each source, one after the other."""
    section = site.section
    inputs = site.sources("layers")
    groups = section.integer("groups", 1, low=1, high=MAX_CHANNELS)
    group_id = section.integer("group_id", 0, low=0, high=groups - 1)
    first = site.shape(inputs[0])
    for index in inputs:
        shape = site.shape(index)
        if shape[1:] != first[1:]:
            raise site.mismatch(
                f"joins layers of different size: layer {inputs[0]} gives {first}, "
                f"layer {index} gives {shape}",
                "layers",
            )
        if shape.channels % groups:
            raise section.error(
                f"{shape.channels} channels of layer {index} do not divide into {groups} groups",
                key="groups",
            )
    channels = sum(site.shape(index).channels // groups for index in inputs)
    return Plan(Route(groups, group_id), inputs, Shape(channels, *first[1:]))


def plan_shortcut(site: Site) -> Plan:
    """`[shortcut]`: the layer before, plus the channels that others share with it."""
    section, before = site.section, site.before
    if section.text("weights_type", "none") != "none":
        raise section.error("weights_type is not supported", key="weights_type")
    for key in ("alpha", "beta"):
        if section.number(key, 1.0, low=-1e9, high=1e9) != 1:
            raise section.error(f"{key} other than 1 is not supported", key=key)
    sources = site.sources("from")
    for index in sources:
        if site.shape(index)[1:] != before[1:]:
            raise site.mismatch(
                f"adds layers of different size: layer {site.previous} gives {before}, "
                f"layer {index} gives {site.shape(index)}",
                "from",
            )
    return Plan(Shortcut(site.activation("linear")), (site.previous, *sources), before)


def plan_scale_channels(site: Site) -> Plan:
    """`[scale_channels]`: one factor for each channel, or for each cell with `scale_wh`."""
    (source,) = _single(site, "from")
    shape, factors = site.shape(source), site.before
    needed = (
        Shape(1, shape.height, shape.width)
        if site.section.flag("scale_wh")
        else Shape(shape.channels, 1, 1)
    )
    if factors != needed:
        raise site.mismatch(
            f"needs factors of {needed} for layer {source} ({shape}), got {factors}", "from"
        )
    return Plan(Multiply(site.activation("linear")), (source, site.previous), shape)


def plan_sam(site: Site) -> Plan:
    """`[sam]`: two layers of one shape, multiplied."""
    (source,) = _single(site, "from")
    if site.shape(source) != site.before:
        raise site.mismatch(
            f"multiplies different shapes: {site.before} and, of layer {source}, "
            f"{site.shape(source)}",
            "from",
        )
    return Plan(Multiply(site.activation("linear")), (source, site.previous), site.before)


def plan_pass(site: Site) -> Plan:
    """`[dropout]` and `[empty]` do nothing at run time; `[activation]` does what it says."""
    activation = site.activation("linear") if site.section.kind == "activation" else "linear"
    return Plan(Pass(activation), (site.previous,), site.before)


def _single(site: Site, key: str) -> tuple[int]:
    sources = site.sources(key)
    if len(sources) != 1:
        raise site.section.error(f"{key} takes one layer, got {len(sources)}", key=key)
    return (sources[0],)


def _cells(site: Site, side: int, padding: int, size: int, stride: int) -> int:
    cells = (side + padding - size) // stride + 1
    if side + padding < size or cells < 1:
        raise site.mismatch(f"a window of {size} does not fit into {side} cells", "size")
    return cells


Planner = Callable[[Site], Plan]
PLANNERS: dict[str, Planner] = {
    "convolutional": plan_convolution,
    "maxpool": plan_pool,
    "local_avgpool": plan_pool,
    "avgpool": plan_global_average,
    "upsample": plan_upsample,
    "reorg": plan_reorg,
    "route": plan_route,
    "shortcut": plan_shortcut,
    "scale_channels": plan_scale_channels,
    "sam": plan_sam,
    "dropout": plan_pass,
    "empty": plan_pass,
    "activation": plan_pass,
}
