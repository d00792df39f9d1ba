"""The nouns that travel down the pipeline.

Conventions, said once: pictures are HWC uint8 BGR as OpenCV delivers them;
boxes are left, top, right, bottom; `_px` is source pixels, `_net` is network
input pixels; sizes are (width, height); times are seconds. Pixel (x, y) covers
the square from (x, y) to (x + 1, y + 1), so a box over the whole picture is
(0, 0, width, height).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.network_spec import Family, Preprocessing, SemanticOutputs, YoloOutputs

if TYPE_CHECKING:
    import supervision

Size = tuple[int, int]
"""(width, height) in pixels."""

Fit = Literal["letterbox", "stretch"]
"""How a frame is brought to the network's size: keep the aspect ratio and pad, or not."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source."""

    image: NDArray[np.uint8]
    """uint8[H, W, 3], BGR. Given as anything with `__cuda_array_interface__` (and no array of
    NumPy), it stays on the GPU as a `DevicePicture`, which `numpy.asarray` brings to the host."""
    index: int = 0
    """0 for the first frame that the source delivered."""
    time_s: float = 0.0
    """Position in the source: presentation time in a file, time since the start when live."""
    path: str | None = None
    """The picture's file, when the source is pictures."""
    captured_s: float = 0.0
    """`time.monotonic()` when the frame arrived; a frame's age is counted from here."""

    def __post_init__(self) -> None:
        if hasattr(self.image, "__cuda_array_interface__"):
            from edgeseg.device.arrays import DevicePicture

            object.__setattr__(self, "image", DevicePicture(self.image))
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(
                f"a frame is uint8[H, W, 3], got {self.image.dtype}{list(self.image.shape)}"
            )

    @property
    def size_px(self) -> Size:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def host_image(self) -> NDArray[np.uint8]:
        """The picture in the host's memory; copied from the GPU when it lies there."""
        return np.asarray(self.image)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a frame lies inside the network's input, and the way back.

    The region is placed as Darknet does it (`letterbox_image` in image.c): the
    smaller of the two ratios, sizes cut to whole pixels, the offset halved
    downwards. Both directions use the exact region, so no box is shifted.
    """

    source_px: Size
    net_px: Size
    region_net: tuple[int, int, int, int]
    """x, y, width, height of the frame inside the network's input."""

    @classmethod
    def fit(cls, source_px: Size, net_px: Size, mode: Fit = "letterbox") -> Letterbox:
        """Place a picture of `source_px` in an input of `net_px`."""
        (width, height), (net_w, net_h) = source_px, net_px
        if min(width, height, net_w, net_h) < 1:
            raise ValueError(f"sizes must be 1 or more, got {source_px} and {net_px}")
        if mode == "stretch":
            return cls(source_px, net_px, (0, 0, net_w, net_h))
        if net_w * height < net_h * width:
            inner_w, inner_h = net_w, max(1, height * net_w // width)
        else:
            inner_w, inner_h = max(1, width * net_h // height), net_h
        return cls(
            source_px, net_px, ((net_w - inner_w) // 2, (net_h - inner_h) // 2, inner_w, inner_h)
        )

    @property
    def scale(self) -> tuple[float, float]:
        """Network pixels per source pixel, in x and in y."""
        return self.region_net[2] / self.source_px[0], self.region_net[3] / self.source_px[1]

    def to_source(self, boxes_net: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move float32[N, 4] boxes from network to source pixels, clipped to the picture."""
        x, y, _, _ = self.region_net
        scale = np.array(self.scale * 2, np.float32)
        boxes = (boxes_net - np.array((x, y, x, y), np.float32)) / scale
        limit = np.array(self.source_px * 2, np.float32)
        return np.clip(boxes, np.float32(0), limit, out=boxes)


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into the network: pictures in network pixels."""

    tensor: NDArray[np.float32]
    """float32[N, 3, H, W], RGB, from 0 to 1."""
    letterboxes: tuple[Letterbox, ...]
    """One for each picture."""


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """How the numbers of one raw head become boxes.

    A raw head is float32[N, anchors * (5 + classes), rows, columns]: for each
    anchor x, y, width, height, objectness, then the classes.
    """

    kind: Literal["yolo", "region"]
    """`yolo`: YOLOv3 and later, independent classes. `region`: YOLOv2, softmax over classes."""
    anchors_net: tuple[tuple[float, float], ...]
    """Width and height of each anchor of this head, in network pixels."""
    classes: int
    scale_x_y: float = 1.0
    """Stretch of the centre's sigmoid (YOLOv4)."""
    new_coords: bool = False
    """Scaled-YOLOv4: the head is already through its sigmoid, sizes are (2 t)^2."""
    softmax: bool = True
    """`region` only: classes compete."""

    @property
    def channels(self) -> int:
        """Channels of the raw head."""
        return len(self.anchors_net) * (5 + self.classes)


@dataclass(frozen=True, slots=True)
class Model:
    """A network ready for an engine: an ONNX file, and how to feed and read it."""

    name: str
    onnx_path: Path
    input_px: Size
    heads: tuple[HeadSpec, ...]
    """In the order of the ONNX outputs; none unless the family is darknet."""
    class_names: tuple[str, ...]
    fit: Fit = "letterbox"
    precision: str = "fp32"
    sha256: str = ""
    """Of the ONNX file."""
    batch: int | None = 1
    """Fixed batch size; None when it is dynamic."""
    family: Family = "darknet"
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    outputs: YoloOutputs | SemanticOutputs | None = None
    """What to read instead of heads; None when the family is darknet."""
    ports: tuple[int, int] | None = None
    """Inputs and outputs of the ONNX file; None: the pictures, and one for each head."""


Heads = Sequence[NDArray[np.float32]]
"""The network's raw outputs, float32[N, channels, rows, columns] each, in `Model.heads` order;
else the outputs that `Model.outputs` names, as it says."""


@dataclass(frozen=True, slots=True)
class Detections:
    """What the network saw in one frame, best first."""

    boxes_px: NDArray[np.float32]
    """float32[N, 4]: left, top, right, bottom in source pixels."""
    scores: NDArray[np.float32]
    """float32[N], objectness times class probability, falling."""
    class_ids: NDArray[np.int32]
    """int32[N], indices into the model's class names."""

    def __post_init__(self) -> None:
        count = len(self.boxes_px)
        if self.boxes_px.shape != (count, 4):
            raise ValueError(f"boxes_px is float32[N, 4], got {list(self.boxes_px.shape)}")
        if self.scores.shape != (count,) or self.class_ids.shape != (count,):
            raise ValueError(
                f"{count} boxes need as many scores and classes, "
                f"got {list(self.scores.shape)} and {list(self.class_ids.shape)}"
            )

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> Detections:
        """No object."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Detections:
        """Those that `keep` (a mask or indices) names, in its order."""
        return Detections(self.boxes_px[keep], self.scores[keep], self.class_ids[keep])


@dataclass(frozen=True, slots=True)
class Tracks:
    """Who each detection of a frame is: row i belongs to row i of the detections."""

    ids: NDArray[np.int32]
    """int32[N], from 1, never given twice in a run; 0 for what has no identity yet."""
    ages: NDArray[np.int32]
    """int32[N], frames since the object was first seen; 0 in its first frame."""
    carried: NDArray[np.bool_]
    """bool[N]: not detected in this frame; the box was carried on from earlier ones."""

    def __post_init__(self) -> None:
        if not self.ids.shape == self.ages.shape == self.carried.shape == (len(self.ids),):
            raise ValueError("ids, ages and carried have one row an object")

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Tracks:
        """Those that `keep` (a mask or indices) names, in its order."""
        return Tracks(self.ids[keep], self.ages[keep], self.carried[keep])


@dataclass(frozen=True, slots=True)
class Masks:
    """The pixels of each detection, compact: row i belongs to row i of the detections.

    A mask is a small grid of certainties stretched over a region of the frame.
    A pixel is of the object when the grid, sampled bilinearly at its centre, is
    128 or more there and the centre lies inside the region and the clip.
    """

    grids: tuple[NDArray[np.uint8], ...]
    """uint8[rows, columns] each, 0 (surely not) to 255 (surely); uint8[0, 0]: it has no mask."""
    regions_px: NDArray[np.float32]
    """float32[N, 4]: left, top, right, bottom of the whole grid in source pixels."""
    clips_px: NDArray[np.float32]
    """float32[N, 4]: left, top, right, bottom beyond which nothing is of the object."""
    frame_px: Size
    """Width and height of the frame."""

    def __post_init__(self) -> None:
        count = len(self.grids)
        if self.regions_px.shape != (count, 4) or self.clips_px.shape != (count, 4):
            raise ValueError(
                f"{count} masks need float32[{count}, 4] regions and clips, "
                f"got {list(self.regions_px.shape)} and {list(self.clips_px.shape)}"
            )

    def __len__(self) -> int:
        return len(self.grids)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Masks:
        """Those that `keep` (a mask or indices) names, in its order."""
        rows = np.arange(len(self))[keep]
        return Masks(
            tuple(self.grids[row] for row in rows),
            self.regions_px[rows],
            self.clips_px[rows],
            self.frame_px,
        )

    def box(self, row: int) -> tuple[int, int, int, int]:
        """Give the pixels that one mask may touch: left, top, right, bottom inside the frame.

        (0, 0, 0, 0) when there are none.
        """
        from edgeseg.masks.certainty import box_of

        return box_of(self, row)

    def pixels(self, row: int) -> NDArray[np.bool_]:
        """Give bool[h, w] of the box of one mask; bool[0, 0] without one."""
        from edgeseg.masks.compact import pixels

        return pixels(self, row)

    def dense(self) -> NDArray[np.bool_]:
        """Give bool[N, H, W], each mask as large as the frame."""
        from edgeseg.masks.compact import dense

        return dense(self)

    def polygons(
        self, *, tolerance_px: float = 0.0
    ) -> list[list[tuple[NDArray[np.float32], bool]]]:
        """Give for each mask its rings: float32[K, 2] points (x, y), and whether it is a hole.

        Points are in the frame, exact along pixels' edges at 0, else thinned out within the
        tolerance (`_native.trace_polygons`). Holes follow their outer ring.
        """
        from edgeseg.masks.compact import polygons

        return polygons(self, tolerance_px)

    def to_coco(self) -> list[dict[str, object]]:
        """Give for each mask COCO's {"size": [H, W], "counts": text} of the whole frame."""
        from edgeseg.masks.compact import to_coco

        return to_coco(self)


NO_CLASS = 65535
"""In a class map: the pixel is of no class of the model."""


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The class of every pixel, as a semantic network gave it or object masks composed it."""

    classes: NDArray[np.uint16]
    """uint16[rows, columns], indices into the class names or NO_CLASS; at the network's
    resolution."""
    region: tuple[float, float, float, float]
    """x, y, width, height of the frame inside the map, in its pixels."""
    background: int | None = None
    """The class that stands for no object, and is not drawn; may be NO_CLASS."""

    def dense(self, size_px: Size) -> NDArray[np.uint16]:
        """Give uint16[H, W], the class of each pixel of a frame of that size (nearest)."""
        from edgeseg.class_maps import stretched

        return stretched(self, size_px)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network that brings its own masks or classes gives for one frame."""

    detections: Detections
    masks: Masks | None = None
    class_map: ClassMap | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Everything edgeseg knows about one frame."""

    frame: Frame
    detections: Detections
    class_names: tuple[str, ...]
    stages_ms: dict[str, float] = field(default_factory=dict)
    """Wall time of each station for this frame."""
    detected: bool = True
    """False when the network was not asked (`--detect-every`): boxes are carried, if any."""
    tracks: Tracks | None = None
    """In step with the detections; None without tracking."""
    masks: Masks | None = None
    """In step with the detections; None without masks."""
    class_map: ClassMap | None = None
    """Of a semantic network."""
    foreground: NDArray[np.uint8] | None = None
    """uint8[H, W], 0 (background) to 255 (foreground), at the frame's size; None if not asked."""

    def to_dict(self) -> dict[str, object]:
        """Give the JSONL object of this frame (see README, section Results)."""
        from edgeseg.records import to_dict

        return to_dict(self)

    def class_areas(self) -> list[dict[str, object]]:
        """Give class_id, class and area, a fraction of the frame, of each class of the map.

        In the order of the classes; pixels of no class are left out.
        """
        from edgeseg.class_maps import areas

        found = {} if self.class_map is None else areas(self.class_map)
        return [
            {"class_id": class_id, "class": self.class_name(class_id), "area": round(area, 6)}
            for class_id, area in found.items()
        ]

    def class_name(self, class_id: int) -> str:
        """Name of a class; its number when the names file is too short."""
        if 0 <= class_id < len(self.class_names):
            return self.class_names[class_id]
        return str(class_id)

    def to_supervision(self) -> supervision.Detections:
        """Convert for the `supervision` package, with dense masks and identities if there are any.

        Identity 0 is of what has none yet. Raises MissingDependencyError when it
        is not installed.
        """
        from edgeseg.records import to_supervision

        return to_supervision(self)
