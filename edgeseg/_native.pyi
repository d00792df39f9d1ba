"""Pixel work of edgeseg in C++; csrc/ops/*.h say in full what each op promises.

All release the GIL, read strided and read-only arrays in place, and raise
TypeError for a wrong dtype and ValueError for a wrong shape, layout or value,
with the argument's name.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

def cuda_built() -> bool:
    """Tell whether this build holds the CUDA kernels."""

def device_count() -> int:
    """Count the CUDA devices that can be used; 0 without the kernels or a driver."""

def cuda_status() -> dict[str, Any]:
    """Tell what the CUDA runtime and the driver say.

    cuda_built; devices, how many; error, why there is none, in the runtime's words
    ("" when all is well); runtime_version and driver_version, 13000 for 13.0.
    """

def simd_levels() -> list[str]:
    """Name the instruction sets that can be forced on this machine, poorest first."""

def letterbox(
    image: NDArray[np.uint8],
    out: NDArray[np.float32],
    region: tuple[int, int, int, int],
    *,
    pad: float = 127.5,
    fill: bool = True,
    sampling: Literal["ends", "centres"] = "ends",
    simd: str = "auto",
) -> None:
    """Resize a BGR picture into a region of an RGB tensor and fill the rest.

    `image` is uint8[H, W, 3] with any strides; `out` float32[3, H', W'] with
    adjacent columns; `region` x, y, width, height inside `out`. Bilinear, two
    taps an axis; `sampling` puts the ends of both grids on each other, as Darknet,
    or the centres of their pixels, as cv2.INTER_LINEAR. Values are picture/255 and
    pad/255; `fill=False` leaves the padding as it is. `simd` is `auto`, one of
    simd_levels(), or `core`: the definition itself, pixel by pixel. All give the
    same bits.
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

def grid_fit(
    former: NDArray[np.uint8],
    present: NDArray[np.uint8],
    starts: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float]:
    """Find how one mask's grid must be laid on another for the least difference.

    A fit is scale_x, shift_x, scale_y, shift_y; a place of `present`, in shares
    of its sides, is 0.5 + scale * (place - 0.5) + shift in `former`. Begins at
    the best of `starts`.
    """

def grid_laid(
    former: NDArray[np.uint8],
    shape: tuple[int, int],
    fit: tuple[float, float, float, float],
) -> NDArray[np.uint8]:
    """Lay one mask's grid on another of `shape` by a fit: bilinear, the edge repeats."""

def grid_steady(
    smooth: NDArray[np.uint8],
    raw: NDArray[np.uint8],
    doubt: NDArray[np.uint8],
    trend: NDArray[np.uint8],
    present: NDArray[np.uint8],
    fit: tuple[float, float, float, float],
    flicker: float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], float]:
    """Take the flicker from a mask's grid; give its new smooth, doubt, trend and flicker.

    `smooth`, `raw`, `doubt` and `trend` are of the frame before and of one
    size; `raw` is what `present` was then. The rule stands in csrc/ops/steady.h.
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

def argmax(
    scores: NDArray[np.float32],
    *,
    axis: Literal[0, 2] = 0,
    floor: float | None = None,
    below: int = 0,
) -> NDArray[np.uint16]:
    """Give each pixel the class that scores highest there, as uint16[H, W].

    `scores` is float32[C, H, W], or [H, W, C] with `axis` 2. Of equal scores the
    first wins, NaN never. Where the best score is not above `floor`, the pixel
    gets `below`.
    """

def prototype_masks(
    prototypes: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    windows: NDArray[np.int32],
) -> list[NDArray[np.uint8]]:
    """Mix a picture's prototypes by each object's coefficients, inside its window.

    `prototypes` is float32[C, h, w] with adjacent columns, `coefficients`
    float32[N, C], `windows` int32[N, 4]: left, top, right, bottom. Gives
    uint8[rows, columns] each: 256 times the sigmoid of the sum, rounded to the
    nearest, 255 at most. 128 is one half.
    """

def crop_resize(
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    out: NDArray[np.float32],
    *,
    pad: float = 114.0,
) -> None:
    """Bring the part of a BGR picture under each box to one size, as RGB from 0 to 1.

    `image` is uint8[H, W, 3] with any strides; `boxes` float32[N, 4] in its
    pixels, which may reach outside; `out` float32[N, 3, h, w] with adjacent
    columns. An output pixel is the mean over its part of the box, at least one
    source pixel wide and high: averaging where the crop shrinks, bilinear where
    it grows. Outside of the picture, and for a box that is not finite or whose
    edges are in the wrong order, it is pad/255.
    """

def paste(
    grid: NDArray[np.uint8],
    region: tuple[float, float, float, float],
    clip: tuple[float, float, float, float],
    box: tuple[int, int, int, int],
) -> NDArray[np.uint8]:
    """Give the certainty of each pixel of `box`: uint8[h, w], 128 or more is mask.

    `grid` is uint8[R, C], stretched over `region` and read bilinearly at the
    pixels' centres, its border cells going on to the edge; 0 outside of the
    region and of the `clip`. All are left, top, right, bottom in pixels; an
    empty grid or a region that is not finite gives 0.
    """

def blend(
    image: NDArray[np.uint8],
    grids: Sequence[NDArray[np.uint8]],
    regions: NDArray[np.float32],
    clips: NDArray[np.float32],
    colors: NDArray[np.uint8],
    *,
    alpha: float = 0.45,
) -> None:
    """Lay masks over a picture in place, the first in front; none shines through another.

    `image` is uint8[H, W, 3] with adjacent pixels; grids, regions and clips are
    as in `paste`, float32[N, 4]; `colors` uint8[N, 3] in BGR. Edges are one
    pixel soft, however coarse the grid.
    """

def blend_classes(
    image: NDArray[np.uint8],
    classes: NDArray[np.uint16],
    region: tuple[float, float, float, float],
    colors: NDArray[np.uint8],
    *,
    alpha: float = 0.45,
    hidden: int = -1,
) -> None:
    """Lay the colours of a class map over a picture in place.

    `image` is uint8[H, W, 3] with adjacent pixels; `classes` uint16[R, C];
    `region` x, y, width, height of the picture in the map; `colors` uint8[K, 3]
    in BGR, of classes 0 to K - 1, then again. Class 65535 (none) and `hidden`
    are not drawn.
    """

def rle_encode(
    mask: NDArray[np.uint8] | NDArray[np.bool_],
    *,
    size: tuple[int, int] | None = None,
    corner: tuple[int, int] = (0, 0),
) -> bytes:
    """Give a mask as COCO's compressed run lengths, as pycocotools does.

    `size` (height, width) and `corner` (x, y of the mask in it) make it a part
    of a larger frame that is otherwise empty.
    """

def rle_decode(counts: bytes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read COCO's compressed run lengths: bool[h, w] for `size` (h, w).

    Raises ValueError for a text that is damaged or does not fit the size.
    """

def trace_polygons(
    mask: NDArray[np.uint8] | NDArray[np.bool_], *, tolerance_px: float = 0.0
) -> list[tuple[NDArray[np.float32], bool]]:
    """Give the outlines of a mask along the edges of its pixels: points (x, y), whether a hole.

    Each part, as far as pixels hang together by their sides, gives its outer
    ring, then its holes. Exact when `tolerance_px` is 0; above it, no corner
    that is left out lies further from its ring.
    """

def fill_polygons(rings: Sequence[NDArray[np.float32]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Give the pixels whose centres lie inside of the rings, by the even-odd rule.

    Rings are float32[K, 2], points (x, y); `size` is (height, width). Raises
    ValueError for a point that is not finite.
    """

def assign(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Choose pairs of a row and a column, each at most once, of the largest sum of weights.

    Gives each row's column, or -1. Only weights above 0 are chosen; NaN is none.
    """

def shrink_grey(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Shrink a BGR picture to its brightness: the mean of each `factor` x `factor` square."""

def find_shift(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    guess: tuple[float, float] = (0.0, 0.0),
    *,
    radius: int = 8,
    factor: int = 1,
) -> tuple[float, float] | None:
    """Find how far what lies inside `box` moved between two shrunken pictures.

    `box`, `guess` and the answer are in pixels of the unshrunken picture, `radius`
    around the guess in shrunken ones. None when nothing is clearly found.
    """

def mask_iou(
    grids_a: Sequence[NDArray[np.uint8]],
    regions_a: NDArray[np.float32],
    clips_a: NDArray[np.float32],
    grids_b: Sequence[NDArray[np.uint8]],
    regions_b: NDArray[np.float32],
    clips_b: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Compare compact masks (`edgeseg.types.Masks`), each of `a` with each of `b`.

    Gives float32[A, B], intersection over union on a 32 x 32 lattice; NaN without a mask.
    """

def tracking_floor(conf: float) -> float:
    """Give the lowest score that a tracker of this `conf` can use."""

Tracked = tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.bool_],
    NDArray[np.int64],
]
"""Boxes float32[N, 4], scores, class_ids, ids, ages, carried, and the detection's row or -1."""

class Tracker:
    """Gives objects identities, frame after frame; csrc/ops/tracker.h says in full how."""

    def __init__(
        self, *, conf: float = 0.25, lost_s: float = 2.0, period_s: float = 0.04
    ) -> None: ...
    def retune(self, conf: float) -> None:
        """Have another `conf` from the next frame on; identities go on."""

    def update(
        self,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        class_ids: NDArray[np.int32],
        time_s: float,
        size_px: tuple[int, int],
        *,
        image: NDArray[np.uint8] | None = None,
        mask_ids: NDArray[np.int32] | None = None,
        mask_overlaps: NDArray[np.float32] | None = None,
    ) -> Tracked:
        """Take the detections of a frame; give its objects, best first.

        `image` is only wanted before a `carry`. `mask_overlaps` is float32[K, N]:
        how alike the masks of identities `mask_ids` and of the detections are.
        """

    def carry(
        self, time_s: float, size_px: tuple[int, int], *, image: NDArray[np.uint8] | None = None
    ) -> Tracked:
        """Take a frame that no network has seen; give its objects, best first."""

    def predicted(self, time_s: float) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Tell the ids and boxes of every identity at a time; changes nothing."""

class cuda:  # noqa: N801 - a module of the extension
    """The ops on a CUDA device; only where `cuda_built()`.

    They take device pointers and a stream's handle as int, allocate nothing,
    read every count on the device and can be captured in a graph. The default
    stream (0) is refused. A failed call raises `edgeseg.errors.DeviceError`.
    csrc/cuda/*.h say in full what each promises.
    """

    MAX_BATCH: int
    """Pictures of one letterbox call."""
    MAX_CANDIDATES: int
    """Candidates that can compete; of more, the best stay."""
    HEADER_BYTES: int
    """Before the detections that nms writes; the first four are their number, uint32."""
    DETECTION_BYTES: int
    """box float32[4], score float32, class_id int32, index uint32, four unused."""

    @staticmethod
    def device_facts(device: int = 0) -> dict[str, Any]:
        """Tell name, compute capability, memory and kind of a device."""

    @staticmethod
    def use_device(device: int) -> None:
        """Make a device the one of this thread."""

    class Buffer:
        """Memory of the current device, freed with this object."""

        pointer: int
        bytes: int
        def __init__(self, bytes: int) -> None: ...  # noqa: A002 - what it is
        def upload(self, array: NDArray[Any], stream: int, offset: int = 0) -> None:
            """Copy a C-contiguous array to the device."""

        def download(self, array: NDArray[Any], stream: int, offset: int = 0) -> None:
            """Copy from the device into a C-contiguous array, and wait for it."""

        def copy_to(self, target: cuda.Buffer, stream: int) -> None:
            """Copy all of it to another buffer of the device."""

        def fill(self, value: int, stream: int) -> None:
            """Set every byte."""

    class HostBuffer:
        """Memory of the host that the device's copies reach directly, freed with this object."""

        pointer: int
        device_pointer: int
        """Where kernels find it; 0 when it is not mapped."""
        bytes: int
        array: NDArray[np.uint8]
        """uint8[bytes]: the memory itself."""
        def __init__(self, bytes: int, *, mapped: bool = False) -> None:  # noqa: A002
            """Take memory; `mapped`: kernels can use it too, where the device maps host memory."""

    @staticmethod
    def copy(target: int, source: int, bytes: int, stream: int) -> None:  # noqa: A002
        """Enqueue a copy between device memory and host buffers; does not wait."""

    @staticmethod
    def free_memory() -> tuple[int, int]:
        """Tell free and total bytes of the current device."""

    @staticmethod
    def current_device() -> int:
        """Tell the device of this thread."""

    @staticmethod
    def wait_for(stream: int, other: int) -> None:
        """Let what `stream` is given from here on wait for all that `other` has been given."""

    class Stream:
        """A stream that does not wait for the default stream."""

        handle: int
        def synchronize(self) -> None:
            """Wait for all of its work."""

    class Event:
        """A moment of a stream; `blocking`: who waits for it leaves the processor to others."""

        def __init__(self, *, blocking: bool = False) -> None: ...
        def synchronize(self) -> None:
            """Wait for this moment."""

        def record(self, stream: int) -> None:
            """Mark this moment."""

        def elapsed_ms(self, begin: cuda.Event) -> float:
            """Wait for this event; give the milliseconds since `begin`."""

    class Graph:
        """Work that a stream was given, to be given again."""

        @staticmethod
        def begin_capture(stream: int) -> None:
            """From here on the stream's work is kept instead of done."""

        @staticmethod
        def abandon_capture(stream: int) -> None:
            """End a capture, if there is one, and forget what it holds."""

        def __init__(self, stream: int) -> None: ...
        def launch(self, stream: int) -> None:
            """Give the work to a stream."""

    class Picture:
        """One picture in device memory; pitches are bytes from row to row."""

        def __init__(
            self,
            pixels: int,
            size_px: tuple[int, int],
            pitch: int,
            *,
            chroma: int = 0,
            chroma_pitch: int = 0,
        ) -> None: ...

    @staticmethod
    def letterbox(
        pictures: Sequence[cuda.Picture],
        regions: Sequence[tuple[int, int, int, int]],
        out: int,
        net_px: tuple[int, int],
        stream: int,
        *,
        format: Literal["bgr", "rgb", "bgra", "rgba", "nv12"] = "bgr",  # noqa: A002
        dtype: Literal["float32", "float16"] = "float32",
        pad: float = 127.5,
    ) -> None:
        """Resize each picture into its region of `out`, [pictures, 3, H, W], and fill the rest.

        The bits of the CPU's `letterbox`; float16 is that, rounded to nearest.
        NV12 is converted first as OpenCV does. The network's width must be a
        multiple of 8.
        """

    class Candidates:
        """Candidates in device memory: float32[M, 4], float32[M], int32[M], and uint32, how many.

        `capacity` is M. For nms, a `count` of 0 means that there are M.
        """

        def __init__(
            self, boxes: int, scores: int, class_ids: int, count: int, capacity: int
        ) -> None: ...

    class Decoder:
        """`decode` for heads of one shape."""

        workspace_bytes: int
        def __init__(
            self,
            shapes: Sequence[tuple[int, int, int]],
            specs: Sequence[YoloHead],
            net_px: tuple[int, int],
            conf: float,
            labels: Literal["multi", "best"] = "multi",
            *,
            max_candidates: int = 4096,
            dtype: Literal["float32", "float16"] = "float32",
            wanted: int = 0,
        ) -> None:
            """Prepare for heads of (channels, rows, columns) each.

            `wanted` is device memory, uint8[classes]: classes that are 0 in it are
            left out before the best `max_candidates` are taken.
            """

        def run(
            self,
            heads: Sequence[int],
            out: cuda.Candidates,
            workspace: tuple[int, int],
            stream: int,
        ) -> None:
            """Find the candidates of one picture, best first; `workspace` is pointer and bytes.

            The bits of the CPU's `decode`, in the strict order.
            """

    @staticmethod
    def nms_workspace_bytes(capacity: int, *, ranked: bool = False) -> int:
        """Tell what nms needs for so many candidates."""

    @staticmethod
    def nms(
        candidates: cuda.Candidates,
        out: int,
        workspace: tuple[int, int],
        stream: int,
        iou: float = 0.45,
        *,
        kind: Literal["greedy", "diou"] = "greedy",
        agnostic: bool = False,
        max_detections: int = 300,
        max_candidates: int = 4096,
        ranked: bool = False,
        to_source: tuple[float, float, float, float, float, float] | None = None,
    ) -> None:
        """Choose boxes greedily, per class; write header and detections, best first, to `out`.

        The boxes of the CPU's `nms` among the best `max_candidates`. `ranked`:
        the candidates are in the strict order and finite, as a Decoder gives
        them. `to_source` maps the boxes: region's x and y, scale in x and y (as
        in `edgeseg.types.Letterbox`), the picture's width and height.
        """

    MAX_CROPS: int
    """Boxes of one crop_resize call."""
    MASK_RECORD_BYTES: int
    """region float32[4], clip float32[4], offset uint32, rows and columns uint16, color uint8[3]
    (BGR), five unused."""

    @staticmethod
    def crop_resize(
        picture: cuda.Picture,
        boxes: int,
        count: int,
        out: int,
        crop_px: tuple[int, int],
        stream: int,
        *,
        format: Literal["bgr", "rgb", "bgra", "rgba", "nv12"] = "bgr",  # noqa: A002
        dtype: Literal["float32", "float16"] = "float32",
        pad: float = 114.0,
    ) -> None:
        """Crop `count` boxes, float32[count, 4], to `out`, [count, 3, H, W].

        The bits of the CPU's `crop_resize`; float16 is that, rounded to nearest.
        """

    @staticmethod
    def blend(
        pixels: int,
        size_px: tuple[int, int],
        pitch: int,
        records: int,
        count: int,
        grids: tuple[int, int],
        stream: int,
        *,
        alpha: float = 0.45,
    ) -> None:
        """Lay masks over a BGR picture in place, the first in front, as the CPU's `blend` does.

        `records` are `count` times MASK_RECORD_BYTES; `grids` is pointer and bytes
        of the packed grids, into which their offsets point. A mask whose grid is
        empty or does not lie in there is not drawn.
        """
