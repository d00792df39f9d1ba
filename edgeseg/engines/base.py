"""The seam for the network: what runs the ONNX model."""

from __future__ import annotations

from typing import Protocol

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
