"""The seam for the network: what runs the ONNX model."""

from __future__ import annotations

from typing import Protocol

from edgeseg.device.arrays import DeviceBatch, DeviceHeads, Dtype
from edgeseg.types import Batch, Heads


class Engine(Protocol):
    """Runs one network."""

    name: str
    """`onnxruntime` or `tensorrt`."""
    description: str
    """For the summary: version, provider, precision, threads."""

    lanes: int
    """How many threads may be in `infer` at once."""

    def infer(self, batch: Batch) -> Heads:
        """Run the network. Raises EngineError."""

    def close(self) -> None:
        """Release the network."""


class DeviceEngine(Protocol):
    """Runs one network on a GPU: in and out of its memory, and in the order of a stream."""

    name: str
    description: str
    lanes: int
    input_dtype: Dtype
    """Of the images it takes."""

    def infer(self, batch: DeviceBatch) -> DeviceHeads:
        """Enqueue the network on the batch's stream.

        Each stream has heads of its own, valid until its next call. The first
        call of a stream may allocate and wait; those after it may be captured,
        unless `capture_problem` says otherwise. Raises EngineError, DeviceError.
        """

    def capture_problem(self, stream: int) -> str:
        """Say why the work of that stream cannot be captured in a graph; empty when it can."""

    def close(self) -> None:
        """Release the network; the device must be done."""
