"""`edgeseg run`: settings in, results at their sinks, a summary out."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import EdgesegError
from edgeseg.followers import closing_all, open_followers
from edgeseg.interrupts import answered_by
from edgeseg.overlay import Overlay, Status
from edgeseg.pictures import on_black
from edgeseg.pipeline import Pipeline
from edgeseg.progress import Progress, open_progress
from edgeseg.segmenter import Segmenter, load_model, load_source
from edgeseg.service.attend import ENGINE_S, MODEL_S, SOURCE_S, Attendance, attended
from edgeseg.service.reload import Reread
from edgeseg.settings import Settings
from edgeseg.sinks import default_sinks, make_sinks
from edgeseg.sinks.base import RunInfo, Sink, StopRequested, takes_alpha
from edgeseg.sinks.window import display_available
from edgeseg.sources import check_source
from edgeseg.timing import RateMeter
from edgeseg.types import Result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    source: str
    live: bool
    model: str
    engine: str
    backend: str
    frames: int
    seconds: float
    """From the first frame asked for to the last result delivered."""
    fps: float
    drops: dict[str, int]
    """Frames lost, by reason."""
    reconnects: int
    """How often a live source was lost and came back."""
    stages_ms: dict[str, float]
    """Median wall time of each station."""
    objects: int
    """Detections over all frames."""
    notes: dict[str, str]
    """What tracking, masks and the other followers have to say, label to text."""
    figures: dict[str, dict[str, object]]
    """The same as numbers, by follower."""
    places: list[str]
    """Where the results now lie."""
    signal: int | None = None
    """The signal that ended the run early."""


def run(
    settings: Settings, *, show_progress: bool = False, reread: Reread | None = None
) -> Summary:
    """Run a source through the network into the sinks until it ends.

    Ctrl-C, SIGTERM and SIGHUP end it in order: every sink is closed, files get
    their final names. Under a service manager SIGHUP reads the options anew
    with `reread`. Raises EdgesegError, also after closing all sinks.
    """
    check_source(settings.uri)
    sinks = make_sinks(_usable_specs(settings))
    painter = _painter(settings)
    with attended(settings) as service:
        return _run(settings, sinks, painter, service, show_progress=show_progress, reread=reread)


def _run(
    settings: Settings,
    sinks: list[Sink],
    painter: Painter | None,
    service: Attendance,
    *,
    show_progress: bool,
    reread: Reread | None,
) -> Summary:
    service.step(f"loading {settings.model}", at_most_s=MODEL_S)
    model = load_model(settings)
    service.step("opening source and engine", at_most_s=SOURCE_S + ENGINE_S)
    with (
        contextlib.closing(load_source(settings)) as source,
        Segmenter.from_settings(settings, model, source.info, bar=show_progress) as segmenter,
        closing_all(
            open_followers(settings, source.info, model, segmenter.place, bar=show_progress)
        ) as followers,
    ):
        if not sinks:
            sinks = default_sinks(
                source.info,
                settings.output,
                headless=settings.headless or settings.show,
                alpha=settings.segment == "foreground" and settings.background == "cut",
            )
        model_text, engine_text, backend_text = segmenter.description
        info = RunInfo(source.info, segmenter.class_names, model.name if model else model_text)
        pipeline = segmenter.pipeline(source, followers=followers, max_frames=settings.max_frames)
        delivery = Delivery(
            pipeline,
            [*sinks, *service.sinks],
            painter or Overlay(info.class_names),
            service.delivered,
        )
        total = _expected_frames(source.info.frame_count, settings.max_frames)
        with (
            open_progress(source.info, total, shown=show_progress) as progress,
            service.running(settings, segmenter, source, pipeline, reread),
        ):
            delivery.run(info, progress)
        return Summary(
            source=source.info.name,
            live=source.info.live,
            model=model_text,
            engine=engine_text,
            backend=backend_text,
            frames=pipeline.delivered,
            seconds=delivery.seconds,
            fps=pipeline.delivered / delivery.seconds if delivery.seconds else 0.0,
            drops=pipeline.drops(),
            reconnects=getattr(source, "reconnects", 0),
            stages_ms=pipeline.stopwatch.medians_ms(),
            objects=delivery.objects,
            notes={k: v for follower in followers for k, v in follower.summary().items()},
            figures={follower.name: follower.figures() for follower in followers},
            places=delivery.places,
            signal=delivery.signal,
        )


class Painter(Protocol):
    """Makes the picture of a result."""

    def draw(self, result: Result, status: Status | None = None) -> NDArray[np.uint8]:
        """Give a new uint8[H, W, 3], BGR, or uint8[H, W, 4] where a part of it is transparent."""


class Delivery:
    """The caller's part of the pipeline: overlay and sinks."""

    def __init__(
        self,
        pipeline: Pipeline,
        sinks: Sequence[Sink],
        overlay: Painter,
        on_delivered: Callable[[], None] = lambda: None,
    ) -> None:
        self._pipeline = pipeline
        self._on_delivered = on_delivered
        self._sinks = sinks
        self._overlay = overlay
        self._draws = any(sink.needs_picture for sink in sinks)
        self._rate = RateMeter()
        self.seconds = 0.0
        self.objects = 0
        self.places: list[str] = []
        self.signal: int | None = None
        self._writing = False

    def run(self, info: RunInfo, progress: Progress) -> None:
        """Deliver every result, then close all sinks, whatever happened."""
        start_s = time.monotonic()
        with answered_by(self._on_signal):
            try:
                for sink in self._sinks:
                    sink.open(info)
                self._deliver(info.source.name, progress)
            except StopRequested:
                log.info("stopped by the user")
            finally:
                self.seconds = time.monotonic() - start_s
                self._close_sinks()

    def _deliver(self, name: str, progress: Progress) -> None:
        watch = self._pipeline.stopwatch
        title = name if "://" in name else Path(name).name
        # Closed also after an error: no thread may be in the network when it is released.
        with contextlib.closing(self._pipeline.results()) as results:
            for result in results:
                self._rate.tick()
                picture = opaque = None
                if self._draws:
                    with watch.over("overlay"):
                        status = Status(title, self._rate.fps)
                        picture = self._overlay.draw(result, status)
                        opaque = picture if picture.shape[2] == 3 else on_black(picture)
                self._writing = True
                for sink in self._sinks:
                    with watch.over(f"sink {sink.name}"):
                        sink.write(result, picture if takes_alpha(sink) else opaque)
                self._writing = False
                self.objects += len(result.detections)
                progress.advance(self._rate.fps)
                self._on_delivered()

    def _close_sinks(self) -> None:
        failure: EdgesegError | None = None
        # The watchdog's sink is the last one: it must not wait for a film to be finished.
        for sink in reversed(self._sinks):
            try:
                place = sink.close()
            except EdgesegError as error:
                failure = error
            else:
                self.places[:0] = [place] if place else []
        if failure is not None:
            raise failure

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Let the pipeline end in order; the second Ctrl-C also leaves a sink that waits."""
        del frame
        self._pipeline.stop()
        if self.signal is not None and number == signal.SIGINT and self._writing:
            self._writing = False
            raise KeyboardInterrupt(number)
        self.signal = number


def _usable_specs(settings: Settings) -> list[str]:
    """Give the sinks asked for; a window only where there is a display."""
    specs = [*settings.sink, *(["window:"] if settings.show else [])]
    if "window:" not in specs:
        return specs
    reason = display_available()
    if reason is None:
        return specs
    log.warning("%s; going on without a window", reason)
    return [spec for spec in specs if spec != "window:"]


def _expected_frames(in_source: int | None, at_most: int | None) -> int | None:
    known = [count for count in (in_source, at_most) if count is not None]
    return min(known) if known else None


def _painter(settings: Settings) -> Painter | None:
    """Give what draws the picture where it is not the overlay. Raises ConfigError."""
    if settings.segment != "foreground":
        return None
    from edgeseg.foreground.painter import ForegroundPainter

    return ForegroundPainter(settings.background)
