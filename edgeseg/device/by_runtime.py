"""Memory and streams by edgeseg's own extension: a board without pycuda needs no more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgeseg.errors import DeviceError, DeviceMemoryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeseg.device.base import Stream


class RuntimeAllocator:
    """The CUDA runtime's calls, through the extension `native`; see `Allocator`."""

    name = "edgeseg's own calls"

    def __init__(self, native: Any, index: int) -> None:
        self._cuda = native.cuda
        self._index = index

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make the device the calling thread's for a block, then what it was before."""
        before = self._cuda.current_device()
        self._cuda.use_device(self._index)
        try:
            yield
        finally:
            self._cuda.use_device(before)

    def allocate(self, nbytes: int) -> _Buffer:
        """Take memory of the device."""
        with _memory_errors():
            return _Buffer(self._cuda.Buffer(nbytes))

    def allocate_host(self, nbytes: int, *, mapped: bool) -> _HostBuffer:
        """Take pinned memory of the host."""
        with _memory_errors():
            return _HostBuffer(self._cuda.HostBuffer(nbytes, mapped=mapped))

    def stream(self) -> Stream:
        """Make a stream."""
        stream: Stream = self._cuda.Stream()
        return stream

    def event(self) -> _Event:
        """Make an event."""
        return _Event(self._cuda.Event(blocking=True))

    def free_memory(self) -> tuple[int, int]:
        """Give free and total bytes."""
        free, total = self._cuda.free_memory()
        return free, total


class _Buffer:
    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer
        self.pointer: int = buffer.pointer
        self.nbytes: int = buffer.bytes

    def free(self) -> None:
        self._buffer = None


class _HostBuffer:
    def __init__(self, buffer: Any) -> None:
        self.array: NDArray[np.uint8] = buffer.array  # holds the buffer
        self.pointer: int = buffer.pointer
        self.device_pointer: int = buffer.device_pointer

    def free(self) -> None:
        self.array = self.array[:0].copy()


class _Event:
    def __init__(self, event: Any) -> None:
        self._event = event

    def record(self, stream: Stream) -> None:
        self._event.record(stream.handle)

    def synchronize(self) -> None:
        self._event.synchronize()


@contextlib.contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except DeviceError as error:
        if "cudaErrorMemoryAllocation" in error.message:
            raise DeviceMemoryError(error.message) from error
        raise
