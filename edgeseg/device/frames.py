"""A frame's way to where kernels read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.device.arrays import DevicePicture
from edgeseg.device.base import HostMemory, Memory, Stream
from edgeseg.device.cuda_device import CudaDevice
from edgeseg.types import Frame, Size


@dataclass(frozen=True, slots=True)
class Pixels:
    """All that decides about the work for a frame, but for what its pixels are."""

    pointer: int
    """Where the kernel reads them."""
    size_px: Size
    pitch: int
    upload_from: int = 0
    """Host memory that is copied there first; 0 for none."""
    upload_bytes: int = 0


class FrameStage:
    """Memory for one frame at a time, for the work of one stream.

    Nothing is allocated once the largest frame has been through. Every call
    must be made inside of the device's `active()`.
    """

    def __init__(self, device: CudaDevice, stream: Stream) -> None:
        self._device = device
        self._stream = stream
        self._host: HostMemory | None = None
        self._uploaded: Memory | None = None

    def stage(self, frame: Frame) -> Pixels:
        """Put a frame's pixels where the device reads them; nothing is enqueued but a wait.

        The stream must be done with the frame before. Raises DeviceMemoryError.
        """
        image: NDArray[np.uint8] | DevicePicture = frame.image
        if isinstance(image, DevicePicture):
            if image.stream:
                self._device.cuda.wait_for(self._stream.handle, image.stream)
            return Pixels(image.pointer, frame.size_px, image.pitch)
        width, height = frame.size_px
        nbytes = 3 * width * height
        host = self._host_memory(nbytes)
        np.copyto(host.array[:nbytes].reshape(height, width, 3), image)
        if host.device_pointer:
            return Pixels(host.device_pointer, frame.size_px, 3 * width)
        assert self._uploaded is not None
        return Pixels(self._uploaded.pointer, frame.size_px, 3 * width, host.pointer, nbytes)

    def enqueue_upload(self, pixels: Pixels) -> None:
        """Enqueue the copy to the device, where one is needed."""
        if pixels.upload_from:
            self._device.copy(pixels.pointer, pixels.upload_from, pixels.upload_bytes, self._stream)

    def close(self) -> None:
        """Release memory; the stream must be done."""
        for memory in (self._host, self._uploaded):
            if memory is not None:
                memory.free()
        self._host = self._uploaded = None

    def _host_memory(self, nbytes: int) -> HostMemory:
        """Give host memory for so many bytes; larger frames than before take new memory."""
        if self._host is None or len(self._host.array) < nbytes:
            self._stream.synchronize()
            self.close()
            self._host = self._device.allocate_host(nbytes, "a frame")
            if not self._device.mapped:
                self._uploaded = self._device.allocate(nbytes, "a frame")
        return self._host
