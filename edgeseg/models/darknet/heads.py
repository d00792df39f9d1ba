"""The heads: `[yolo]` and `[region]` sections, and the sections that are refused."""

from __future__ import annotations

from edgeseg.errors import DarknetError
from edgeseg.models.darknet.cfg import Section
from edgeseg.models.darknet.options import Plan
from edgeseg.models.darknet.site import Site
from edgeseg.types import HeadSpec

MAX_CLASSES = 10_000
MAX_ANCHORS = 1000

_NOT_A_DETECTOR = "edgeseg runs detectors that end in [yolo] or [region]."
_YOLO_INSTEAD = "Use a net that ends in [yolo] or [region], such as yolov3-tiny."
REFUSED = {
    "detection": f"YOLOv1 is not supported. {_YOLO_INSTEAD}",
    "gaussian_yolo": f"Gaussian YOLOv3 is not supported. {_YOLO_INSTEAD}",
    "iseg": f"Darknet's [iseg] is not supported. {_YOLO_INSTEAD}",
    "connected": f"Fully connected layers are not supported. {_YOLO_INSTEAD}",
    "local": f"Locally connected layers belong to YOLOv1. {_YOLO_INSTEAD}",
    "softmax": _NOT_A_DETECTOR,
    "cost": _NOT_A_DETECTOR,
    "logistic": _NOT_A_DETECTOR,
    "contrastive": _NOT_A_DETECTOR,
    "crop": "Remove [crop]: edgeseg brings pictures to the size of [net] itself.",
    "rnn": _NOT_A_DETECTOR,
    "gru": _NOT_A_DETECTOR,
    "lstm": _NOT_A_DETECTOR,
    "crnn": _NOT_A_DETECTOR,
    "conv_lstm": _NOT_A_DETECTOR,
    "history": _NOT_A_DETECTOR,
    "deconvolutional": "Use [upsample] and [convolutional].",
    "normalization": "Use batch_normalize=1 in [convolutional].",
    "batchnorm": "Use batch_normalize=1 in [convolutional].",
    "l2norm": "Use batch_normalize=1 in [convolutional].",
    "reorg3d": "Use [reorg].",
    "implicit": "YOLOR and YOLOv7 cfgs are not supported; export them to ONNX with their own tool.",
}


def refusal(section: Section) -> DarknetError:
    """Make the error for a section that cannot be imported."""
    hint = REFUSED.get(section.kind)
    if hint is not None:
        return section.error("is not supported", hint=hint)
    return section.error("is unknown", hint="Is the name misspelt? A layer is [convolutional].")


def plan_yolo(site: Site) -> Plan:
    """`[yolo]`, YOLOv3 and later: anchors in network pixels, chosen by `mask`."""
    section = site.section
    classes = section.integer("classes", 20, low=1, high=MAX_CLASSES)
    anchors = _anchors(section)
    num = section.integer("num", 1, low=1, high=MAX_ANCHORS)
    mask = section.integers("mask", low=0, high=MAX_ANCHORS) or tuple(range(num))
    for number in mask:
        if number >= len(anchors):
            raise section.error(
                f"mask names anchor {number}, but there are {len(anchors)} (from 0)",
                key="mask" if section.entry("mask") else "num",
            )
    spec = HeadSpec(
        "yolo",
        tuple(anchors[number] for number in mask),
        classes,
        scale_x_y=section.number("scale_x_y", 1.0, low=0.5, high=10.0),
        new_coords=section.flag("new_coords"),
    )
    return _head(site, spec, f"{len(mask)} masks")


def plan_region(site: Site) -> Plan:
    """`[region]`, YOLOv2: anchors in cells, all of them used."""
    section = site.section
    for key in ("tree", "map"):
        if section.entry(key) is not None:
            raise section.error(
                f"{key}= (YOLO9000's hierarchy of classes) is not supported",
                key=key,
                hint="Use a net whose classes are a flat list.",
            )
    site.refuse("background")
    section.integer("coords", 4, low=4, high=4)
    classes = section.integer("classes", 20, low=1, high=MAX_CLASSES)
    num = section.integer("num", 1, low=1, high=MAX_ANCHORS)
    anchors = _anchors(section)
    if len(anchors) < num:
        raise section.error(f"num={num} needs {2 * num} values in anchors", key="anchors")
    _, rows, columns = site.before
    cell_w, cell_h = site.image.width / columns, site.image.height / rows
    spec = HeadSpec(
        "region",
        tuple((width * cell_w, height * cell_h) for width, height in anchors[:num]),
        classes,
        softmax=section.flag("softmax"),
    )
    return _head(site, spec, f"{num} anchors")


def _anchors(section: Section) -> tuple[tuple[float, float], ...]:
    values = section.numbers("anchors", low=0.0, high=1e6)
    if not values or len(values) % 2 or len(values) > 2 * MAX_ANCHORS:
        raise section.error(
            f"anchors= must be pairs of width and height, got {len(values)} values", key="anchors"
        )
    if min(values) <= 0:
        raise section.error("anchors must be larger than 0", key="anchors")
    return tuple(zip(values[::2], values[1::2], strict=True))


def _head(site: Site, spec: HeadSpec, anchors: str) -> Plan:
    if site.before.channels != spec.channels:
        raise site.section.error(
            f"needs {spec.channels} channels, (5 + {spec.classes} classes) * {anchors}; "
            f"layer {site.previous} gives {site.before.channels}",
            key="classes",
            hint=f"Set filters={spec.channels} in the [convolutional] before it, "
            "or correct classes and mask.",
        )
    return Plan(spec, (site.previous,), site.before)
