"""START HERE: the data's way.

    capture thread    source.read                            Frame
                         | channel: every frame, or the newest
    perceive lanes    backend.preprocess                     Batch
                      engine.infer                           Heads
                      backend.detect                         Detections
                         | channel, in the order of the frames
    follow thread     followers: track, masks, …             Result with identities and masks
                         | channel
    caller's thread   overlay.draw                           picture
                      sink.write, for each sink

Every other module is one station of this way. A file gives every frame, in
order; of a live source the newest frame wins and the others are counted. The
results do not depend on how the threads take turns.

A lane is a thread that takes whole frames through the network. A live source
has one, and the engine uses all cores for its frame: that is the shortest way.
A file on the CPU has as many as cores, and the engine one core for each frame:
no core then waits for another, so more frames get through.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from edgeseg.channel import Channel, Closed, NotYet
from edgeseg.followers import Follower
from edgeseg.sources.base import Source
from edgeseg.timing import Stopwatch
from edgeseg.types import Detections, Frame, Letterbox, Result, Seen

QUEUE_LENGTH = 2
TICK_S = 0.2
"""How often the caller's thread looks whether it was asked to stop."""
JOIN_S = 10.0
"""How long a thread may take to end; longer means that a driver hangs, and is reported."""

log = logging.getLogger(__name__)


def _nothing() -> None:
    """Do nothing."""


class Perceiver(Protocol):
    """Looks at single frames, in one thread, whatever came before them."""

    def perceive(self, frame: Frame) -> Result:
        """Look at one frame."""

    def skip(self, frame: Frame) -> Result:
        """Give a frame that is not looked at."""

    def timed(self, stopwatch: Stopwatch) -> Perceiver:
        """Give the same with its stations timed."""


@dataclass(frozen=True)
class OpenLane:
    """No network: every frame goes on to the followers as it is."""

    class_names: tuple[str, ...]

    def perceive(self, frame: Frame) -> Result:
        """Give the frame without objects."""
        return Result(frame, Detections.empty(), self.class_names)

    def skip(self, frame: Frame) -> Result:
        """Give the frame without objects."""
        return replace(self.perceive(frame), detected=False)

    def timed(self, stopwatch: Stopwatch) -> OpenLane:
        """Give the lane itself: it has no stations."""
        del stopwatch
        return self


class AnyBatch(Protocol):
    """A `Batch`, in the host's memory or a GPU's."""

    @property
    def letterboxes(self) -> tuple[Letterbox, ...]:
        """One for each picture."""


B = TypeVar("B", bound=AnyBatch)
H = TypeVar("H")


@dataclass(frozen=True)
class Lane(Generic[B, H]):
    """The network's stations, for one thread: B goes from one to the next, then H."""

    preprocess: Callable[[Frame], B]
    infer: Callable[[B], H]
    detect: Callable[[H, Letterbox], Detections | Seen]
    class_names: tuple[str, ...]

    def perceive(self, frame: Frame) -> Result:
        """Take one frame through the network."""
        batch = self.preprocess(frame)
        heads = self.infer(batch)
        seen = self.detect(heads, batch.letterboxes[0])
        if isinstance(seen, Detections):
            seen = Seen(seen)
        return Result(
            frame,
            seen.detections,
            self.class_names,
            masks=seen.masks,
            class_map=seen.class_map,
        )

    def skip(self, frame: Frame) -> Result:
        """Give a frame that the network is not asked about."""
        return Result(frame, Detections.empty(), self.class_names, detected=False)

    def timed(self, stopwatch: Stopwatch) -> Lane[B, H]:
        """Give the same lane with its stations timed."""
        return Lane(
            stopwatch.timed("preprocess", self.preprocess),
            stopwatch.timed("engine", self.infer),
            stopwatch.timed("detect", self.detect),
            self.class_names,
        )


class Pipeline:
    """One source, a network or none, a stream of results."""

    def __init__(
        self,
        source: Source,
        lanes: Sequence[Perceiver],
        *,
        followers: Sequence[Follower] = (),
        detect_every: int = 1,
        max_frames: int | None = None,
    ) -> None:
        live = source.info.live
        self.stopwatch = Stopwatch()
        self._source = source
        self._max_frames = max_frames
        self._read = self.stopwatch.timed("capture", source.read)
        self._lanes = [lane.timed(self.stopwatch) for lane in lanes]
        self._lanes_open = len(lanes)
        self._followers = [
            self.stopwatch.timed(follower.name, follower.follow) for follower in followers
        ]
        self._detect_every = detect_every
        self._taken = 0
        self._turn = threading.Lock()
        self._frames: Channel[Frame] = Channel(1 if live else QUEUE_LENGTH, newest_wins=live)
        self._results: Channel[Future[Result]] = Channel(QUEUE_LENGTH + len(lanes))
        self._followed: Channel[Result] = Channel(QUEUE_LENGTH)
        self._stopping = False
        self.delivered = 0
        """Results given so far."""
        self.on_wait: Callable[[], None] = _nothing
        """Called in the caller's thread, every TICK_S or so, while no result is there."""

    def results(self) -> Generator[Result, None, None]:
        """Start the threads and give results until the source ends or `stop` is called.

        Errors of any station arrive here, after the results that came before.
        """
        threads = [
            threading.Thread(target=self._capture, name="edgeseg-capture", daemon=True),
            *(
                threading.Thread(
                    target=self._perceive, args=(lane,), name=f"edgeseg-lane-{number}", daemon=True
                )
                for number, lane in enumerate(self._lanes)
            ),
        ]
        if self._followers:
            threads.append(
                threading.Thread(target=self._follow, name="edgeseg-follow", daemon=True)
            )
        for thread in threads:
            thread.start()
        try:
            take = self._next_followed if self._followers else self._next_result
            while (result := take(self.on_wait)) is not None:
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

    def _capture(self) -> None:
        """Thread body: frames from the source into the first channel."""
        with _closing(self._frames):
            while not self._stopping:
                frame = self._read()
                if frame is None or not self._frames.put(frame):
                    return

    def _perceive(self, lane: Perceiver) -> None:
        """Thread body: frames from the first channel, results into the second."""
        with self._lane_open():
            while not self._stopping:
                promise = Future[Result]()
                with self._turn:  # a result's place in the channel is that of its frame
                    frame = self._frames.get()
                    asked = self._taken % self._detect_every == 0
                    self._taken += 1
                    if not self._results.put(promise):
                        return
                try:
                    result = lane.perceive(frame) if asked else lane.skip(frame)
                except Exception as error:  # noqa: BLE001 - it travels to the caller
                    promise.set_exception(error)
                    return
                promise.set_result(replace(result, stages_ms=self.stopwatch.last_ms()))

    def _follow(self) -> None:
        """Thread body: results in order through the followers."""
        with _closing(self._followed):
            while (result := self._next_result()) is not None:
                for follow in self._followers:
                    result = follow(result)
                times_ms = result.stages_ms | self.stopwatch.last_ms()
                if not self._followed.put(replace(result, stages_ms=times_ms)):
                    return

    @contextmanager
    def _lane_open(self) -> Iterator[None]:
        """Count a lane's thread; the last one to end closes the results."""
        error: BaseException | None = None
        try:
            yield
        except Closed:
            pass
        except Exception as raised:  # noqa: BLE001 - the source's, through the channel
            error = raised
        finally:
            with self._turn:
                self._lanes_open -= 1
                if self._lanes_open == 0:
                    self._results.close(error)

    def _next_result(self, on_wait: Callable[[], None] = _nothing) -> Result | None:
        """Wait for the next result; None at the end and after `stop`."""
        promise: Future[Result] | None = None
        while not self._stopping:
            try:
                promise = promise or self._results.get(TICK_S)
                return promise.result(TICK_S)
            except Closed:
                return None
            except (TimeoutError, FutureTimeoutError):
                if promise is not None and promise.done():
                    raise  # a station's own
                on_wait()
            except Exception:
                if not self._stopping:  # else it is the end that was asked for
                    raise
        return None

    def _next_followed(self, on_wait: Callable[[], None]) -> Result | None:
        """Wait for the next result that went through the followers, as `_next_result`."""
        while not self._stopping:
            try:
                return self._followed.get(TICK_S)
            except Closed:
                return None
            except NotYet:
                on_wait()
            except Exception:
                if not self._stopping:  # else it is the end that was asked for
                    raise
        return None

    def _shut_down(self, threads: list[threading.Thread]) -> None:
        self._stopping = True
        self._frames.close(discard=True)
        self._results.close(discard=True)
        self._followed.close(discard=True)
        self._source.close()
        deadline = time.monotonic() + JOIN_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("thread %s does not end; it is left behind", thread.name)


@contextmanager
def _closing(channel: Channel[Frame] | Channel[Result]) -> Iterator[None]:
    """Close a channel at the end of a thread's body, with the error if there was one."""
    error: BaseException | None = None
    try:
        yield
    except Exception as raised:  # noqa: BLE001 - it travels through the channel to the caller
        error = raised
    finally:
        channel.close(error)
