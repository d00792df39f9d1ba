"""Decode and NMS of one slot, with all the memory they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeseg.backends.cpu import native_spec
from edgeseg.device.arrays import DeviceHeads
from edgeseg.device.base import HostMemory, Memory, Stream
from edgeseg.types import Detections, HeadSpec, Letterbox, Size

if TYPE_CHECKING:
    from edgeseg.backends.options import DetectOptions
    from edgeseg.device.cuda_device import CudaDevice

DETECTION = np.dtype(
    [("box", "f4", 4), ("score", "f4"), ("class_id", "i4"), ("index", "u4"), ("unused", "u4")]
)
"""As csrc/cuda/detect.h has it."""


class Detector:
    """Turns heads of one shape into detections, on one stream."""

    def __init__(
        self,
        device: CudaDevice,
        stream: Stream,
        heads: DeviceHeads,
        specs: tuple[HeadSpec, ...],
        options: DetectOptions,
        wanted: NDArray[np.bool_] | None,
        net_px: Size,
    ) -> None:
        cuda = device.cuda
        self.described = tuple((array.shape, array.dtype) for array in heads.arrays)
        self._device = device
        self._stream = stream
        self._options = options
        self._memory: list[Memory] = []
        self._wanted = self._uploaded(wanted)
        self._decoder = cuda.Decoder(
            [array.shape[-3:] for array in heads.arrays],
            [native_spec(spec, device.native) for spec in specs],
            net_px,
            options.conf,
            options.labels,
            dtype=heads.arrays[0].dtype,
            wanted=self._wanted,
        )
        most = cuda.MAX_CANDIDATES
        boxes, scores, class_ids, count = map(self._take, (16 * most, 4 * most, 4 * most, 4))
        self._candidates = cuda.Candidates(boxes, scores, class_ids, count, most)
        self._spaces = [
            (self._take(nbytes), nbytes)
            for nbytes in (
                self._decoder.workspace_bytes,
                cuda.nms_workspace_bytes(most, ranked=True),
            )
        ]
        nbytes = cuda.HEADER_BYTES + options.max_detections * DETECTION.itemsize
        self._host: HostMemory = device.allocate_host(nbytes, "detections")
        self._out = self._host.device_pointer or self._take(nbytes)
        self.bytes_down = 0 if self._host.device_pointer else nbytes
        self._header: int = cuda.HEADER_BYTES

    def enqueue(self, heads: DeviceHeads, letterbox: Letterbox) -> None:
        """Enqueue decode, NMS and the way back to the host."""
        options, stream = self._options, self._stream.handle
        pointers = [array.pointer for array in heads.arrays]
        self._decoder.run(pointers, self._candidates, self._spaces[0], stream)
        x, y, _, _ = letterbox.region_net
        self._device.cuda.nms(
            self._candidates,
            self._out,
            self._spaces[1],
            stream,
            options.iou,
            kind=options.nms,
            agnostic=options.agnostic,
            max_detections=options.max_detections,
            ranked=True,
            to_source=(x, y, *letterbox.scale, *letterbox.source_px),
        )
        if self.bytes_down:
            self._device.copy(self._host.pointer, self._out, self.bytes_down, self._stream)

    def collect(self) -> Detections:
        """Read what came back, when it has. Boxes outside of the picture are left out."""
        array = self._host.array
        count = int(array[:4].view(np.uint32)[0])
        found = array[self._header : self._header + count * DETECTION.itemsize].view(DETECTION)
        boxes = found["box"]
        visible = np.all(boxes[:, :2] < boxes[:, 2:], axis=1)
        found = found[visible]  # a copy: the memory is the next frame's
        return Detections(*(np.ascontiguousarray(found[n]) for n in ("box", "score", "class_id")))

    def close(self) -> None:
        """Release memory; the stream must be done."""
        for memory in self._memory:
            memory.free()
        self._host.free()

    def _take(self, nbytes: int) -> int:
        memory = self._device.allocate(nbytes, "detections")
        self._memory.append(memory)
        return memory.pointer

    def _uploaded(self, wanted: NDArray[np.bool_] | None) -> int:
        """Give the address of the classes to keep; 0 for all."""
        if wanted is None:
            return 0
        staged = self._device.allocate_host(len(wanted), "classes")
        staged.array[: len(wanted)] = wanted
        pointer = self._take(len(wanted))
        self._device.copy(pointer, staged.pointer, len(wanted), self._stream)
        self._stream.synchronize()
        staged.free()
        return pointer
