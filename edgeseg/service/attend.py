"""What a run has to do with its service: readiness, watchdog, reload, health page, flight record.

Without a service manager, `--health` or `--flight-record` nothing of it is there.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edgeseg.pipeline import Pipeline
from edgeseg.segmenter import Segmenter
from edgeseg.service.address import parse_address
from edgeseg.service.flight import recording
from edgeseg.service.notify import managed, starting
from edgeseg.service.reload import Reloader, Reread
from edgeseg.service.sinks import HealthSink
from edgeseg.service.vitals import Vitals
from edgeseg.settings import Settings
from edgeseg.sinks.base import Sink
from edgeseg.sources.base import Source
from edgeseg.sources.uri import shown

MODEL_S = 1800.0
"""How long fetching and converting a model may take until the start counts as hung."""
SOURCE_S = 60.0
ENGINE_S = 300.0
FIRST_RESULT_S = 60.0

log = logging.getLogger(__name__)


class Attendance:
    """What the run calls at its turning points."""

    def __init__(self, sinks: Sequence[Sink], vitals: Vitals, health: HealthSink | None) -> None:
        self.sinks = sinks
        """To be written to after all others, and closed before them."""
        self._vitals = vitals
        self._health = health
        self._reloader: Reloader | None = None

    def step(self, text: str, *, at_most_s: float) -> None:
        """Say what the start is busy with, and how long it may take."""
        self._vitals.step(text)
        starting(text, at_most_s=at_most_s)

    @contextlib.contextmanager
    def running(
        self,
        settings: Settings,
        segmenter: Segmenter,
        source: Source,
        pipeline: Pipeline,
        reread: Reread | None,
    ) -> Iterator[None]:
        """Watch the pipeline inside the block, and heed a reload."""
        model, engine, _ = segmenter.description
        self._vitals.begin(source, pipeline, model=model, engine=engine)
        self.step("waiting for the first result", at_most_s=FIRST_RESULT_S)
        pipeline.on_wait = self._tick
        if self._health is None or reread is None:
            yield
            return
        self._reloader = Reloader(settings, reread, _taking_over(segmenter), self._health.remark)
        with self._reloader.listening():
            yield

    def delivered(self) -> None:
        """Do what is due after a result was delivered."""
        if self._reloader is not None:
            self._reloader.tick()

    def _tick(self) -> None:
        if self._health is not None:
            self._health.waiting()
        self.delivered()


@contextlib.contextmanager
def attended(settings: Settings) -> Iterator[Attendance]:
    """Open what the settings and the environment ask for, and close it at the end.

    Raises ConfigError, SinkError, MissingDependencyError.
    """
    with contextlib.ExitStack() as stack:
        vitals = Vitals()
        sinks: list[Sink] = []
        health = None
        folder = records_dir(settings)
        if folder is not None:
            about = {"source": shown(_source_of(settings)), "model": settings.model}
            sinks.append(stack.enter_context(recording(_ring_dir(folder), folder, about)))
        if settings.health is not None:
            _serve(settings.health, vitals, stack)
        if managed() or settings.health is not None:
            health = HealthSink(vitals)
            sinks.append(health)
        yield Attendance(sinks, vitals, health)


def records_dir(settings: Settings) -> Path | None:
    """Give the folder of flight records: the one named, else a service's own; None: off."""
    if settings.flight_record is not None:
        return None if settings.flight_record == "off" else Path(settings.flight_record)
    state = _first_of("STATE_DIRECTORY")
    return state / "flight" if state is not None and managed() else None


def _ring_dir(records: Path) -> Path:
    # systemd's runtime folder is in memory: nothing wears a flash card out.
    runtime = _first_of("RUNTIME_DIRECTORY") if managed() else None
    return runtime / "flight" if runtime is not None else records / "ring"


def _first_of(variable: str) -> Path | None:
    """Give a folder that systemd made for the service; it may name several."""
    value = os.environ.get(variable, "").partition(":")[0]
    return Path(value) if value else None


def _serve(text: str, vitals: Vitals, stack: contextlib.ExitStack) -> None:
    from edgeseg.service.pages import health_pages
    from edgeseg.service.server import Server

    server = Server(parse_address(text, "health"), health_pages(vitals))
    stack.callback(server.close)
    if not server.address.loopback:
        log.warning("the health page %s can be read from other machines", server.address)
    else:
        log.info("health page: %s", server.address)


def _source_of(settings: Settings) -> str:
    return settings.uri if settings.source or settings.camera else ""


def _taking_over(segmenter: Segmenter) -> Callable[[Settings], bool]:
    def take(settings: Settings) -> bool:
        if not segmenter.retune(settings):
            return False
        level = logging.DEBUG if settings.verbose else logging.INFO
        logging.getLogger("edgeseg").setLevel(level)
        return True

    return take
