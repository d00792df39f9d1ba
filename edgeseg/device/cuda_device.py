"""One GPU: its facts, its memory and streams, and the ops that run on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgeseg.device.base import Allocator, Event, HostMemory, Memory, Stream
from edgeseg.errors import DeviceMemoryError

if TYPE_CHECKING:
    from edgeseg.engines.tensorrt.device import Device


class CudaDevice:
    """A GPU that is ready for use; made by `open_device`."""

    def __init__(self, native: Any, index: int, allocator: Allocator) -> None:
        facts = native.cuda.device_facts(index)
        self.native = native
        self.cuda = native.cuda
        self.index = index
        self.name: str = facts["name"]
        self.compute_capability = "{}.{}".format(*facts["compute_capability"])
        self.mapped: bool = facts["integrated"] and facts["maps_host_memory"]
        """Host and device share one memory, so that kernels use the host's without a copy."""
        self.allocated_bytes = 0
        self._allocator = allocator

    @property
    def description(self) -> str:
        """Say for people which device this is, and how its memory is had."""
        shared = ", shared memory" if self.mapped else ""
        return (
            f"CUDA {self.index}: {self.name} ({self.compute_capability}){shared}, "
            f"by {self._allocator.name}"
        )

    def facts(self) -> Device:
        """Tell what an engine's receipt holds of it."""
        from edgeseg.engines.tensorrt.device import Device

        with self.active():
            free, total = self._allocator.free_memory()
        return Device(self.name, self.compute_capability, self.mapped, free, total)

    def active(self) -> contextlib.AbstractContextManager[None]:
        """Make the device the calling thread's for a block, then what it was before."""
        return self._allocator.active()

    def allocate(self, nbytes: int, purpose: str) -> Memory:
        """Take device memory. Raises DeviceMemoryError with the figures."""
        with self._explained(nbytes, purpose):
            memory = self._allocator.allocate(nbytes)
        self.allocated_bytes += nbytes
        return memory

    def allocate_host(self, nbytes: int, purpose: str) -> HostMemory:
        """Take host memory that copies reach directly; mapped where memory is shared."""
        with self._explained(nbytes, purpose):
            return self._allocator.allocate_host(nbytes, mapped=self.mapped)

    def stream(self) -> Stream:
        """Make a stream."""
        return self._allocator.stream()

    def event(self) -> Event:
        """Make an event."""
        return self._allocator.event()

    def copy(self, target: int, source: int, nbytes: int, stream: Stream) -> None:
        """Enqueue a copy between device memory and host memory of `allocate_host`."""
        self.cuda.copy(target, source, nbytes, stream.handle)

    def capture(self, stream: Stream, work: Callable[[], None]) -> Any:
        """Give the graph of what `work` enqueues on the stream; nothing runs yet.

        Raises what `work` raises, and DeviceError when it cannot be captured;
        the stream is as before then.
        """
        graph = self.cuda.Graph
        graph.begin_capture(stream.handle)
        try:
            work()
            return graph(stream.handle)
        except BaseException:
            graph.abandon_capture(stream.handle)
            raise

    @contextlib.contextmanager
    def _explained(self, nbytes: int, purpose: str) -> Iterator[None]:
        """Say what there was no room for, and how much there is."""
        try:
            yield
        except DeviceMemoryError as error:
            free, total = self._allocator.free_memory()
            raise DeviceMemoryError(
                f"{self.name} has no room for {purpose}: {nbytes / 1e6:.1f} MB were asked for, "
                f"{free / 1e6:.0f} of {total / 1e6:.0f} MB are free ({error.message})",
                hint="Close programs that use the GPU (on a Jetson also the desktop), or take a "
                "smaller --size, or run on the CPU: --backend cpu",
            ) from error
