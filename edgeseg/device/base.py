"""The seam for a GPU's memory and streams: who allocates them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Memory(Protocol):
    """Memory of the device, until `free` or until nothing refers to it."""

    pointer: int
    nbytes: int

    def free(self) -> None:
        """Give it back; the device must be done with it."""


class HostMemory(Protocol):
    """Memory of the host that copies reach directly, until `free` or until nothing refers to it."""

    array: NDArray[np.uint8]
    """uint8[nbytes]: the memory itself."""
    pointer: int
    device_pointer: int
    """Where kernels find it; 0 when it is not mapped."""

    def free(self) -> None:
        """Give it back; `array` must not be used any more."""


class Stream(Protocol):
    """Work of the device, done in order; it does not wait for the default stream."""

    handle: int

    def synchronize(self) -> None:
        """Wait for all of its work."""


class Event(Protocol):
    """A moment of a stream."""

    def record(self, stream: Stream) -> None:
        """Mark this moment."""

    def synchronize(self) -> None:
        """Wait for it, leaving the processor to others."""


class Allocator(Protocol):
    """Makes memory and streams on one device, in its primary context.

    The primary context is the one that the CUDA runtime, TensorRT and ONNX
    Runtime use as well, so a pointer of one is valid for all. Every call but
    `active` must be made inside of `active()`. Raises DeviceError;
    DeviceMemoryError when there is no room.
    """

    name: str
    """For the summary, as `pycuda 2026.1`."""

    def active(self) -> AbstractContextManager[None]:
        """Make the device the calling thread's for a block, then what it was before."""

    def allocate(self, nbytes: int) -> Memory:
        """Take memory of the device, aligned to 256 bytes."""

    def allocate_host(self, nbytes: int, *, mapped: bool) -> HostMemory:
        """Take pinned memory of the host; `mapped`: kernels can use it too."""

    def stream(self) -> Stream:
        """Make a stream."""

    def event(self) -> Event:
        """Make an event."""

    def free_memory(self) -> tuple[int, int]:
        """Give free and total bytes."""
