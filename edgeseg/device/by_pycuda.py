"""Memory and streams by pycuda, in the device's primary context.

Never by `pycuda.autoinit`: it makes a context of its own, in which neither the
CUDA runtime nor TensorRT would find these pointers.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgeseg.errors import DeviceError, DeviceMemoryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING of cuda.h, which pycuda has no name for."""


class PycudaAllocator:
    """pycuda's calls; see `Allocator`. Raises ImportError where pycuda does not load."""

    def __init__(self, index: int) -> None:
        import pycuda
        import pycuda.driver as cuda

        self.name = f"pycuda {pycuda.VERSION_TEXT}"
        self._cuda = cuda
        with _errors(cuda):
            self._context = _primary_context(index)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make the device the calling thread's for a block, then what it was before."""
        with _errors(self._cuda):
            self._context.push()
        try:
            yield
        finally:
            self._cuda.Context.pop()

    def allocate(self, nbytes: int) -> _Memory:
        """Take memory of the device."""
        with _errors(self._cuda):
            return _Memory(self._cuda.mem_alloc(nbytes), nbytes)

    def allocate_host(self, nbytes: int, *, mapped: bool) -> _HostMemory:
        """Take pinned memory of the host."""
        flags = self._cuda.host_alloc_flags
        chosen = flags.PORTABLE | (flags.DEVICEMAP if mapped else 0)
        with _errors(self._cuda):
            array = self._cuda.pagelocked_empty(nbytes, "uint8", mem_flags=chosen)
            return _HostMemory(array, array.base.get_device_pointer() if mapped else 0)

    def stream(self) -> _Stream:
        """Make a stream."""
        with _errors(self._cuda):
            return _Stream(self._cuda, self._cuda.Stream(NON_BLOCKING))

    def event(self) -> _Event:
        """Make an event."""
        with _errors(self._cuda):
            event = self._cuda.Event(self._cuda.event_flags.BLOCKING_SYNC)
            return _Event(self._cuda, event)

    def free_memory(self) -> tuple[int, int]:
        """Give free and total bytes."""
        with _errors(self._cuda):
            free, total = self._cuda.mem_get_info()
        return free, total


@functools.cache
def _primary_context(index: int) -> Any:
    """Retain a device's primary context for the life of the process.

    Memory and streams of pycuda can only be freed while it lives.
    """
    import pycuda.driver as cuda

    cuda.init()
    context = cuda.Device(index).retain_primary_context()
    # Left to its destructor, pycuda releases it by a call that is not for primary contexts.
    atexit.register(context.detach)
    return context


class _Memory:
    def __init__(self, allocation: Any, nbytes: int) -> None:
        self._allocation = allocation
        self.pointer = int(allocation)
        self.nbytes = nbytes

    def free(self) -> None:
        if self._allocation is not None:
            self._allocation.free()
        self._allocation = None


class _HostMemory:
    def __init__(self, array: NDArray[np.uint8], device_pointer: int) -> None:
        self.array = array
        self.pointer: int = array.ctypes.data
        self.device_pointer = device_pointer

    def free(self) -> None:
        self.array = self.array[:0].copy()


class _Stream:
    def __init__(self, cuda: Any, stream: Any) -> None:
        self._cuda = cuda
        self.theirs = stream
        self.handle: int = stream.handle

    def synchronize(self) -> None:
        with _errors(self._cuda):
            self.theirs.synchronize()


class _Event:
    def __init__(self, cuda: Any, event: Any) -> None:
        self._cuda = cuda
        self._event = event

    def record(self, stream: Any) -> None:
        with _errors(self._cuda):
            self._event.record(stream.theirs)

    def synchronize(self) -> None:
        with _errors(self._cuda):
            self._event.synchronize()


@contextlib.contextmanager
def _errors(cuda: Any) -> Iterator[None]:
    """Turn what pycuda raises into our errors."""
    try:
        yield
    except cuda.MemoryError as error:
        raise DeviceMemoryError(f"pycuda: {error}") from error
    except cuda.Error as error:
        raise DeviceError(f"pycuda: {error}") from error
