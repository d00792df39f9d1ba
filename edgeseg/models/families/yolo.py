"""YOLO exports of the ultralytics kind: boxes that the network itself decoded.

A family is told by its outputs' shapes (N pictures, A boxes, K classes, M mask
coefficients, with M = 0 and no prototypes when it only detects):

    yolo-v5     [N, A, 5 + K + M]   three boxes in each cell, with an objectness
    yolo-v8     [N, 4 + K + M, A]   one box in each cell; v8, v9, v11, v12 and v5u
    yolo-v10    [N, A, 6 + M]       what NMS, or a network that needs none, left over
    prototypes  [N, M, rows, columns]

A is the number of cells at strides of 8, 16 and 32 pixels (with a fourth level
of 64 or 4), so a static shape cannot be mistaken. Where A is open, the class
names in the metadata decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgeseg.models.families.graph import Graph, Tensor
from edgeseg.network_spec import YoloOutputs
from edgeseg.types import Size

YoloFamily = Literal["yolo-v5", "yolo-v8", "yolo-v10"]

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
MOST_LEFT_OVER = 2000
"""No export gives more boxes after NMS; ultralytics' own give 300."""
COCO_CLASSES = 80


@dataclass(frozen=True, slots=True)
class Found:
    """One way to read a network's outputs."""

    family: YoloFamily
    outputs: YoloOutputs
    """Of yolo-v10 the number of classes is not in the shapes: 0 unless names tell it."""


def readings(graph: Graph, size_px: Size, names: int | None) -> list[Found]:
    """Give every way in which the outputs fit, `names` being the number of class names."""
    boxes = [t for t in graph.outputs if t.shape is not None and len(t.shape) == 3]
    grids = [t for t in graph.outputs if t.shape is not None and len(t.shape) == 4]
    if len(boxes) != 1 or len(grids) > 1 or _batch(boxes[0]) not in (1, None):
        return []
    prototypes = grids[0] if grids else None
    coefficients = 0 if prototypes is None else _whole(prototypes, 1)
    if coefficients is None:
        return []
    found = _shapes(boxes[0], size_px, coefficients, names, ended=_is_ended(graph))
    return [
        Found(
            family,
            YoloOutputs(
                boxes[0].name, classes, prototypes.name if prototypes else None, coefficients
            ),
        )
        for family, classes in found
    ]


def choose(found: Sequence[Found], names: int | None) -> Found | None:
    """Give the one reading that the class names allow; None when there is none, or several."""
    fitting = [one for one in found if names is None or one.outputs.classes in (0, names)]
    return fitting[0] if len(fitting) == 1 else None


def is_yolo(graph: Graph) -> bool:
    """Say whether the metadata are those of an ultralytics export."""
    return {"names", "stride"} <= graph.properties.keys()


def _shapes(
    tensor: Tensor, size_px: Size, coefficients: int, names: int | None, *, ended: bool
) -> Iterator[tuple[YoloFamily, int]]:
    """Give family and classes of each reading of the boxes' shape."""
    _, rows, columns = (_whole(tensor, axis) for axis in range(3))
    if columns is not None and columns == 6 + coefficients:
        few = rows is not None and rows <= MOST_LEFT_OVER and not _fits_cells(rows, size_px, 3)
        if ended or few:
            yield "yolo-v10", names or 0
            return
    if columns is not None and (rows is None or _fits_cells(rows, size_px, 3)):
        classes = columns - 5 - coefficients
        if classes >= 1:
            yield "yolo-v5", classes
    if rows is not None and (columns is None or _fits_cells(columns, size_px, 1)):
        classes = rows - 4 - coefficients
        if classes >= 1:
            yield "yolo-v8", classes


def _fits_cells(count: int, size_px: Size, boxes: int) -> bool:
    width, height = size_px
    return any(
        count == boxes * sum(-(-width // s) * -(-height // s) for s in strides)
        for strides in STRIDES
    )


def _is_ended(graph: Graph) -> bool:
    """Say whether the metadata tell of boxes that need no NMS."""
    arguments = graph.properties.get("args", "").replace('"', "'")
    return graph.properties.get("end2end") == "True" or "'nms': True" in arguments


def _whole(tensor: Tensor, axis: int) -> int | None:
    size = tensor.shape[axis] if tensor.shape is not None else None
    return size if isinstance(size, int) else None


def _batch(tensor: Tensor) -> int | None:
    return _whole(tensor, 0)
