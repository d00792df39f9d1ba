"""START HERE: the data's way.

    capture thread    source.read                            Frame
                         | channel: every frame, or the newest
    perceive thread   backend.preprocess                     Batch
                      engine.infer                           Heads
                      backend.detect                         Detections
                         | channel
    caller's thread   overlay.draw                           picture
                      sink.write, for each sink

Every other module is one station of this way. A file gives every frame, in
order; of a live source the newest frame wins and the others are counted. The
results do not depend on how the threads take turns.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator

from edgeseg.backends.base import Backend
from edgeseg.channel import Channel, Closed
from edgeseg.engines.base import Engine
from edgeseg.sources.base import Source
from edgeseg.timing import Stopwatch
from edgeseg.types import Frame, Result

QUEUE_LENGTH = 2
TICK_S = 0.2
"""How often the caller's thread looks whether it was asked to stop."""
JOIN_S = 10.0
"""How long a thread may take to end; longer means that a driver hangs, and is reported."""

log = logging.getLogger(__name__)


class Pipeline:
    """One source, one network, a stream of results."""

    def __init__(
        self,
        source: Source,
        backend: Backend,
        engine: Engine,
        *,
        class_names: tuple[str, ...],
        max_frames: int | None = None,
    ) -> None:
        live = source.info.live
        self.stopwatch = Stopwatch()
        self._source = source
        self._class_names = class_names
        self._max_frames = max_frames
        self._read = self.stopwatch.timed("capture", source.read)
        self._preprocess = self.stopwatch.timed("preprocess", backend.preprocess)
        self._infer = self.stopwatch.timed("engine", engine.infer)
        self._detect = self.stopwatch.timed("detect", backend.detect)
        self._frames: Channel[Frame] = Channel(1 if live else QUEUE_LENGTH, newest_wins=live)
        self._results: Channel[Result] = Channel(QUEUE_LENGTH)
        self._stopping = False
        self.delivered = 0
        """Results given so far."""

    def results(self) -> Iterator[Result]:
        """Start the threads and give results until the source ends or `stop` is called.

        Errors of any station arrive here, after the results that came before.
        """
        threads = [
            threading.Thread(target=self._capture, name="edgeseg-capture", daemon=True),
            threading.Thread(target=self._perceive, name="edgeseg-perceive", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            while not self._stopping:
                try:
                    result = self._results.get(TICK_S)
                except TimeoutError:
                    continue
                except Closed:
                    return
                yield result
                self.delivered += 1
                if self.delivered == self._max_frames:
                    return
        finally:
            self._shut_down(threads)

    def stop(self) -> None:
        """Ask for the end; safe in a signal handler: it takes no lock."""
        self._stopping = True

    def drops(self) -> dict[str, int]:
        """Give the frames that were lost, by reason."""
        lost = Counter(dict(self._source.drops()))
        lost["newer frame arrived"] += self._frames.dropped
        return {reason: count for reason, count in lost.items() if count}

    def perceive(self, frame: Frame) -> Result:
        """Take one frame through the network."""
        batch = self._preprocess(frame)
        heads = self._infer(batch)
        detections = self._detect(heads, batch.letterboxes[0])
        return Result(frame, detections, self._class_names, self._stages_ms())

    def _capture(self) -> None:
        """Thread body: frames from the source into the first channel."""
        with _closing(self._frames):
            while not self._stopping:
                frame = self._read()
                if frame is None or not self._frames.put(frame):
                    return

    def _perceive(self) -> None:
        """Thread body: frames from the first channel, results into the second."""
        with _closing(self._results):
            while not self._stopping:
                try:
                    frame = self._frames.get()
                except Closed:
                    return
                if not self._results.put(self.perceive(frame)):
                    return

    def _stages_ms(self) -> dict[str, float]:
        stations = ("preprocess", "engine", "detect")
        return {name: self.stopwatch.last_ms(name) for name in stations}

    def _shut_down(self, threads: list[threading.Thread]) -> None:
        self._stopping = True
        self._frames.close(discard=True)
        self._results.close(discard=True)
        self._source.close()
        deadline = time.monotonic() + JOIN_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("thread %s does not end; it is left behind", thread.name)


class _closing:  # noqa: N801 - reads like contextlib.closing
    """Close a channel at the end of a thread's body, with the error if there was one."""

    def __init__(self, channel: Channel[Frame] | Channel[Result]) -> None:
        self._channel = channel

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._channel.close(error)
        return True  # the error travels through the channel to the caller
