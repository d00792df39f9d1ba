"""The backend of a GPU: pixel work in CUDA, in the memory and on the stream of one slot.

    frame -> pinned host memory -> device -> letterbox -> images        (preprocess)
    heads -> decode -> nms -> device -> pinned host memory -> Detections    (detect)

Where the GPU shares its memory with the host, both copies fall away. Nothing is
allocated once the first frame of a size has been through.
"""

from __future__ import annotations

import numpy as np

from edgeseg.backends.cpu import wanted_classes
from edgeseg.backends.cuda_detector import Detector
from edgeseg.backends.options import DetectOptions
from edgeseg.device import CudaDevice
from edgeseg.device.arrays import DeviceArray, DeviceBatch, DeviceHeads, Dtype
from edgeseg.device.base import Memory
from edgeseg.device.frames import FrameStage, Pixels
from edgeseg.errors import ConfigError
from edgeseg.types import Detections, Frame, Letterbox, Model


class CudaBackend:
    """Letterbox, decode and NMS on a GPU, for the frames of one thread.

    Gives the bits of `CpuBackend`, except that of more than 4096 candidates
    only the best compete. Frames may lie in host memory, or on the GPU
    (`__cuda_array_interface__`) and are then read where they are. Raises
    ConfigError for `soft` NMS, DeviceError.
    """

    name = "cuda"

    def __init__(
        self, model: Model, device: CudaDevice, options: DetectOptions | None = None
    ) -> None:
        self.device = device
        self._options = options if options is not None else DetectOptions()
        if self._options.nms == "soft":
            raise ConfigError(
                "soft NMS runs on the CPU only", hint="Use --nms greedy, or --backend cpu."
            )
        self._input_px = model.input_px
        self._fit = model.fit
        self._specs = model.heads
        self._wanted = wanted_classes(self._options.class_ids, model.heads[0].classes)
        with device.active():
            self.stream = device.stream()
            self.event = device.event()
        self._images: tuple[DeviceArray, Memory] | None = None
        self._frames = FrameStage(device, self.stream)
        self._detector: Detector | None = None
        self._letterbox: Letterbox | None = None
        self.dtype: Dtype = "float32"
        """Of the network's input; set before the first frame."""

    @property
    def bytes_down(self) -> int:
        """Bytes that come back from the device for each frame."""
        return self._detector.bytes_down if self._detector is not None else 0

    def preprocess(self, frame: Frame) -> DeviceBatch:
        """Enqueue what brings a frame to the network's input; valid until the next call."""
        with self.device.active():
            pixels = self.stage(frame)
            self.enqueue_input(pixels)
            return self.batch(frame)

    def detect(self, heads: DeviceHeads, letterbox: Letterbox) -> Detections:
        """Turn raw heads into detections, best first: decode, NMS, source pixels."""
        with self.device.active():
            self.enqueue_detections(heads, letterbox)
            self.wait()
            return self.collect()

    def stage(self, frame: Frame) -> Pixels:
        """Put a frame's pixels where the device reads them; nothing is enqueued but a wait."""
        return self._frames.stage(frame)

    def batch(self, frame: Frame) -> DeviceBatch:
        """Describe what `enqueue_input` makes of a frame."""
        letterbox = self._letterbox
        if letterbox is None or letterbox.source_px != frame.size_px:
            letterbox = Letterbox.fit(frame.size_px, self._input_px, self._fit)
            self._letterbox = letterbox
        return DeviceBatch(self._input(), (letterbox,), self.stream.handle)

    def enqueue_input(self, pixels: Pixels) -> None:
        """Enqueue upload and letterbox."""
        self._frames.enqueue_upload(pixels)
        cuda = self.device.cuda
        letterbox = Letterbox.fit(pixels.size_px, self._input_px, self._fit)
        cuda.letterbox(
            [cuda.Picture(pixels.pointer, pixels.size_px, pixels.pitch)],
            [letterbox.region_net],
            self._input().pointer,
            self._input_px,
            self.stream.handle,
            dtype=self.dtype,
        )

    def enqueue_detections(self, heads: DeviceHeads, letterbox: Letterbox) -> None:
        """Enqueue decode, NMS and the way back."""
        self._detector_for(heads).enqueue(heads, letterbox)

    def wait(self) -> None:
        """Wait for all that was enqueued, leaving the processor to others."""
        self.event.record(self.stream)
        self.event.synchronize()

    def collect(self) -> Detections:
        """Read what came back. Boxes outside of the picture are left out."""
        assert self._detector is not None
        return self._detector.collect()

    def prepare(self, heads: DeviceHeads) -> None:
        """Take all memory that a frame needs, so that a capture takes none."""
        self._detector_for(heads)

    def close(self) -> None:
        """Release memory."""
        with self.device.active():
            self.stream.synchronize()
            self._frames.close()
            if self._images is not None:
                self._images[1].free()
            if self._detector is not None:
                self._detector.close()
        self._images = self._detector = None

    def _input(self) -> DeviceArray:
        if self._images is None:
            width, height = self._input_px
            nbytes = 3 * width * height * np.dtype(self.dtype).itemsize
            memory = self.device.allocate(nbytes, "the network's input")
            shape = (1, 3, height, width)
            self._images = DeviceArray(memory.pointer, shape, self.dtype), memory
        return self._images[0]

    def _detector_for(self, heads: DeviceHeads) -> Detector:
        described = tuple((array.shape, array.dtype) for array in heads.arrays)
        if self._detector is None or self._detector.described != described:
            self._detector = Detector(
                self.device, self.stream, heads, self._specs, self._options, self._wanted,
                self._input_px,
            )  # fmt: skip
        return self._detector
