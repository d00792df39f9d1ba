"""The CUDA ops as functions of NumPy arrays, with all that a caller does around them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.backends.cpu import native_spec
from edgeseg.types import HeadSpec

Array = NDArray[Any]
DETECTION = np.dtype(
    [("box", "f4", 4), ("score", "f4"), ("class_id", "i4"), ("index", "u4"), ("unused", "u4")]
)


class DeviceOps:
    """Uploads, calls, downloads. `native` is the product's module or the kernels on the CPU."""

    def __init__(self, native: ModuleType) -> None:
        self.native = native
        self.cuda = native.cuda
        self.stream = self.cuda.Stream()
        self.handle: int = self.stream.handle
        self.graph = False
        """Capture each op in a graph and launch that instead."""

    def put(self, array: Array) -> Any:
        packed = np.ascontiguousarray(array)
        buffer = self.cuda.Buffer(max(1, packed.nbytes))
        if packed.nbytes:
            buffer.upload(packed, self.handle)
        return buffer

    def room(self, count: int) -> Any:
        buffer = self.cuda.Buffer(max(1, count))
        buffer.fill(0xAB, self.handle)
        return buffer

    def get(self, buffer: Any, dtype: Any, count: int, offset: int = 0) -> Array:
        array = np.empty(count, dtype)
        buffer.download(array, self.handle, offset)
        return array

    def call(self, op: Any, *args: Any, **options: Any) -> None:
        if not self.graph:
            op(*args, **options)
            return
        self.cuda.Graph.begin_capture(self.handle)
        op(*args, **options)
        graph = self.cuda.Graph(self.handle)
        for _ in range(2):
            graph.launch(self.handle)
        self.stream.synchronize()

    def letterbox(
        self,
        images: list[Array],
        size: tuple[int, int],
        regions: list[tuple[int, int, int, int]],
        *,
        format: str = "bgr",  # noqa: A002 - the op's own word
        dtype: str = "float32",
        pad: float = 127.5,
        pitch: int = 0,
        shift: int = 0,
    ) -> Array:
        """Images uint8[H, W, C]; NV12 uint8[3 H / 2, W]. `pitch`: bytes more than a row has."""
        held, pictures = [], []
        for image in images:
            rows = image.reshape(image.shape[0], -1)
            padded = np.full((rows.shape[0], rows.shape[1] + pitch), 0xEE, np.uint8)
            padded[:, : rows.shape[1]] = rows
            exact = padded.reshape(-1)[: padded.size - pitch]
            memory = self.put(np.concatenate([np.full(shift, 0xEE, np.uint8), exact]))
            held.append(memory)
            pointer, step = memory.pointer + shift, padded.shape[1]
            height = image.shape[0] * 2 // 3 if format == "nv12" else image.shape[0]
            chroma = {"chroma": pointer + height * step, "chroma_pitch": step}
            pictures.append(
                self.cuda.Picture(
                    pointer,
                    (image.shape[1], height),
                    step,
                    **(chroma if format == "nv12" else {}),
                )
            )
        count = len(images) * 3 * size[0] * size[1]
        out = self.room(count * np.dtype(dtype).itemsize)
        args = (pictures, regions, out.pointer, size, self.handle)
        self.call(self.cuda.letterbox, *args, format=format, dtype=dtype, pad=pad)
        return self.get(out, dtype, count).reshape(len(images), 3, size[1], size[0])

    def spec(self, spec: HeadSpec) -> Any:
        return native_spec(spec, self.native)

    def decode(
        self,
        heads: list[Array],
        specs: list[HeadSpec],
        net_px: tuple[int, int],
        conf: float,
        labels: str = "multi",
        *,
        max_candidates: int = 4096,
        wanted: Array | None = None,
    ) -> tuple[Array, Array, Array]:
        """Boxes, scores and class ids in the strict order."""
        given = None if wanted is None else self.put(wanted.astype(np.uint8))
        decoder = self.cuda.Decoder(
            [head.shape for head in heads],
            [self.spec(spec) for spec in specs],
            net_px,
            conf,
            labels,
            max_candidates=max_candidates,
            dtype=str(heads[0].dtype),
            wanted=0 if given is None else given.pointer,
        )
        memory = [self.put(head) for head in heads]
        space = self.room(decoder.workspace_bytes)
        parts = [self.room(max_candidates * size) for size in (16, 4, 4)]
        count = self.room(4)
        out = self.cuda.Candidates(*(p.pointer for p in (*parts, count)), max_candidates)
        pointers = [buffer.pointer for buffer in memory]
        self.call(decoder.run, pointers, out, (space.pointer, space.bytes), self.handle)
        found = int(self.get(count, np.uint32, 1)[0])
        boxes = self.get(parts[0], np.float32, 4 * found).reshape(-1, 4)
        return boxes, self.get(parts[1], np.float32, found), self.get(parts[2], np.int32, found)

    def nms(
        self,
        boxes: Array,
        scores: Array,
        class_ids: Array,
        iou: float = 0.45,
        *,
        count: int | None = None,
        max_detections: int = 300,
        ranked: bool = False,
        **options: Any,
    ) -> Array:
        """Give the detections, a structured array. `count` is what the device is told."""
        capacity = len(scores)
        held = [self.put(array) for array in (boxes, scores, class_ids)]
        told = self.put(np.array([capacity if count is None else count], np.uint32))
        candidates = self.cuda.Candidates(*(b.pointer for b in (*held, told)), capacity)
        space = self.room(self.cuda.nms_workspace_bytes(capacity, ranked=ranked))
        header, each = self.cuda.HEADER_BYTES, self.cuda.DETECTION_BYTES
        assert each == DETECTION.itemsize
        out = self.room(header + max_detections * each)
        args = (candidates, out.pointer, (space.pointer, space.bytes), self.handle, iou)
        more = {"max_detections": max_detections, "ranked": ranked, **options}
        self.call(self.cuda.nms, *args, **more)
        found = int(self.get(out, np.uint32, 1)[0])
        return self.get(out, DETECTION, found, header)
