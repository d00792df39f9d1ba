"""Pixel work of edgeseg in C++; csrc/ops/*.h say in full what each op promises.

All release the GIL, read strided and read-only arrays in place, and raise
TypeError for a wrong dtype and ValueError for a wrong shape, layout or value,
with the argument's name.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

def cuda_built() -> bool:
    """Tell whether this build holds the CUDA kernels."""

def device_count() -> int:
    """Count the CUDA devices that can be used; 0 without the kernels or a driver."""

def simd_levels() -> list[str]:
    """Name the instruction sets that can be forced on this machine, poorest first."""

def letterbox(
    image: NDArray[np.uint8],
    out: NDArray[np.float32],
    region: tuple[int, int, int, int],
    *,
    pad: float = 127.5,
    fill: bool = True,
    simd: str = "auto",
) -> None:
    """Resize a BGR picture into a region of an RGB tensor and fill the rest.

    `image` is uint8[H, W, 3] with any strides; `out` float32[3, H', W'] with
    adjacent columns; `region` x, y, width, height inside `out`. Bilinear, two
    taps an axis. Values are picture/255 and pad/255; `fill=False` leaves the
    padding as it is. `simd` is `auto`, one of simd_levels(), or `core`: the
    definition itself, pixel by pixel. All give the same bits.
    """

class YoloHead:
    """How the numbers of one raw head become boxes; fields as in `edgeseg.types.HeadSpec`."""

    def __init__(
        self,
        kind: str,
        anchors_net: Sequence[tuple[float, float]],
        classes: int,
        *,
        scale_x_y: float = 1.0,
        new_coords: bool = False,
        softmax: bool = True,
    ) -> None: ...

def decode(
    heads: Sequence[NDArray[np.float32]],
    specs: Sequence[YoloHead],
    net_px: tuple[int, int],
    conf: float,
    labels: Literal["multi", "best"] = "multi",
    *,
    max_candidates: int = 30000,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Find the boxes that score above `conf` in the raw heads of one picture.

    Heads are float32[C, rows, columns] or float32[1, C, rows, columns] with
    adjacent columns. Gives boxes_net float32[M, 4], scores float32[M] and
    class_ids int32[M] in the order head, anchor, row, column, class; with more
    than `max_candidates`, those that score highest.
    """

def nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    iou: float = 0.45,
    *,
    kind: Literal["greedy", "diou"] = "greedy",
    agnostic: bool = False,
    max_detections: int = 300,
) -> NDArray[np.int64]:
    """Choose boxes greedily, per class, and give their indices, best first.

    A box falls to an earlier kept box of its class whose overlap is above
    `iou`. Order: score descending, then index ascending. A box that is not
    finite or has no number for a score is never kept.
    """

def soft_nms(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_ids: NDArray[np.int32],
    sigma: float = 0.5,
    *,
    min_score: float = 0.001,
    agnostic: bool = False,
    max_detections: int = 300,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Choose boxes per class, softening the scores of those that overlap.

    Gives indices and softened scores, best first (Bodla et al., ICCV 2017,
    Gaussian); what falls below `min_score` is removed.
    """
