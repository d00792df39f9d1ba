"""A frame's whole way over the GPU as one CUDA graph: upload, letterbox, engine, decode, NMS, back.

The first frame of a size is enqueued step by step, which also lets TensorRT do
what it does only once. The second captures the same steps in a graph, and from
then on each frame is one launch. Where that cannot be, frames go on step by
step, and one line says why.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from typing import Any

from edgeseg.backends.cuda import CudaBackend
from edgeseg.device.arrays import DeviceBatch, DeviceHeads
from edgeseg.device.frames import Pixels
from edgeseg.engines.base import DeviceEngine
from edgeseg.errors import DeviceError, EngineError
from edgeseg.types import Detections, Frame, Letterbox

log = logging.getLogger(__name__)

GRAPHS = 4
"""Kept at most: one a picture size, or a buffer of a decoder on the GPU."""


class Chain:
    """One slot of the ring: backend and engine on one stream, for one thread."""

    def __init__(self, backend: CudaBackend, engine: DeviceEngine, *, slot: int = 0) -> None:
        self._backend = backend
        self._engine = engine
        self._slot = slot
        self._graphs: OrderedDict[Pixels, Any] = OrderedDict()
        self._seen: deque[Pixels] = deque(maxlen=2 * GRAPHS)
        self._staged: Pixels | None = None
        self._heads: DeviceHeads | None = None
        self._engine_looked_at = False
        self.graph_problem = ""
        """Why frames go step by step; empty when they need not."""
        self.launches = 0
        """Frames that were one launch of a graph."""
        backend.dtype = engine.input_dtype

    def preprocess(self, frame: Frame) -> DeviceBatch:
        """Put a frame where the device reads it."""
        with self._backend.device.active():
            self._staged = self._backend.stage(frame)
            return self._backend.batch(frame)

    def infer(self, batch: DeviceBatch) -> DeviceHeads:
        """Do all of the frame's work on the device, and wait for it."""
        pixels = self._staged
        assert pixels is not None
        with self._backend.device.active():
            graph = self._graph(pixels, batch)
            if graph is not None:
                graph.launch(batch.stream)
                self.launches += 1
            else:
                self._enqueue(pixels, batch)
            self._seen.append(pixels)
            self._backend.wait()
        assert self._heads is not None
        return self._heads

    def detect(self, heads: DeviceHeads, letterbox: Letterbox) -> Detections:
        """Read what came back."""
        del heads, letterbox
        return self._backend.collect()

    def close(self) -> None:
        """Drop the graphs."""
        with self._backend.device.active():
            self._graphs.clear()

    def _enqueue(self, pixels: Pixels, batch: DeviceBatch) -> None:
        self._backend.enqueue_input(pixels)
        self._heads = self._engine.infer(batch)
        self._backend.enqueue_detections(self._heads, batch.letterboxes[0])

    def _graph(self, pixels: Pixels, batch: DeviceBatch) -> Any:
        """Give the graph for such a frame; None when it goes step by step."""
        if pixels in self._graphs:
            self._graphs.move_to_end(pixels)
            return self._graphs[pixels]
        if not self._is_due(pixels) or not self._may_capture(batch.stream):
            return None
        try:
            graph = self._backend.device.capture(
                self._backend.stream, lambda: self._enqueue(pixels, batch)
            )
        except (DeviceError, EngineError) as error:
            self._give_up(error.message)
            return None
        self._graphs[pixels] = graph
        if len(self._graphs) > GRAPHS:
            self._graphs.popitem(last=False)
        return graph

    def _is_due(self, pixels: Pixels) -> bool:
        """Say whether a graph is worth its making: not for pictures of ever new sizes."""
        if self._seen and pixels == self._seen[-1]:
            return True
        return pixels in self._seen and len(self._graphs) < GRAPHS

    def _may_capture(self, stream: int) -> bool:
        if not self._engine_looked_at:
            self._engine_looked_at = True
            problem = self._engine.capture_problem(stream)
            if problem:
                self._give_up(problem)
        return not self.graph_problem

    def _give_up(self, reason: str) -> None:
        self.graph_problem = reason
        if self._slot == 0:
            log.warning("no CUDA graph, frames are launched step by step: %s", reason)
