"""The health pages: /healthz and /readyz for machines that decide, /metrics for Prometheus."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from edgeseg import __version__
from edgeseg.errors import MissingDependencyError
from edgeseg.service.machine import available_bytes, resident_bytes, temperatures_c
from edgeseg.service.server import Page, Pages
from edgeseg.service.vitals import Snapshot, Vitals

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

KEPT_S = 0.5
"""A page is made at most so often: a scraper without manners costs the run nothing."""
STATES = ("starting", "running", "degraded", "stalled", "stopping")
WELL = frozenset({"starting", "running", "degraded", "stopping"})
"""States in which a restart would not help."""


def health_pages(vitals: Vitals) -> Pages:
    """Give the pages of a run. Raises MissingDependencyError without prometheus-client."""
    return {
        "/healthz": _kept(lambda: _answer(vitals.snapshot(), WELL)),
        "/readyz": _kept(lambda: _answer(vitals.snapshot(), frozenset({"running"}))),
        "/metrics": _kept(_metrics_page(vitals)),
    }


def _answer(seen: Snapshot, good: frozenset[str]) -> Page:
    facts = dataclasses.asdict(seen) | {"version": __version__}
    facts["stages_ms"] = {
        name: round(seconds / max(passes, 1) * 1e3, 3)
        for name, (passes, seconds) in facts.pop("stages_s").items()
    }
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in facts.items()}
    status = HTTPStatus.OK if seen.state in good else HTTPStatus.SERVICE_UNAVAILABLE
    body = json.dumps(rounded, indent=1, ensure_ascii=True) + "\n"
    return Page(body.encode(), status, "application/json")


def _metrics_page(vitals: Vitals) -> Callable[[], Page]:
    try:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise MissingDependencyError.of(
            "prometheus-client", "service", purpose="--health"
        ) from error

    class OfTheRun(Collector):
        def collect(self) -> Iterable[Metric]:
            return metrics(vitals.snapshot())

    registry = CollectorRegistry(auto_describe=False)
    registry.register(OfTheRun())
    return lambda: Page(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def metrics(seen: Snapshot) -> Iterator[Metric]:
    """Give a run and its machine as Prometheus metrics; names end in their unit."""
    from prometheus_client.core import (
        CounterMetricFamily as Counter,
    )
    from prometheus_client.core import (
        GaugeMetricFamily as Gauge,
    )
    from prometheus_client.core import (
        InfoMetricFamily,
        SummaryMetricFamily,
    )

    about = {
        "version": __version__,
        "source": seen.source,
        "model": seen.model,
        "engine": seen.engine,
    }
    yield InfoMetricFamily("edgeseg_run", "What runs.", about)
    state = Gauge("edgeseg_state", "1 for the state the run is in.", labels=["state"])
    for name in STATES:
        state.add_metric([name], float(name == seen.state))
    yield state
    yield Gauge("edgeseg_uptime_seconds", "Since the run began.", seen.uptime_s)
    yield Counter("edgeseg_frames", "Results delivered.", seen.frames)
    yield Counter("edgeseg_objects", "Objects in all results.", seen.objects)
    yield Gauge("edgeseg_fps", "Results a second, over some seconds.", seen.fps)
    yield Counter("edgeseg_reconnects", "How often the source came back.", seen.reconnects)
    drops = Counter("edgeseg_dropped_frames", "Frames lost.", labels=["reason"])
    for reason, count in seen.drops.items():
        drops.add_metric([reason], count)
    yield drops
    stages = SummaryMetricFamily("edgeseg_stage_seconds", "Time in a station.", labels=["stage"])
    for name, (passes, seconds) in seen.stages_s.items():
        stages.add_metric([name], passes, seconds)
    yield stages
    ages = (
        ("edgeseg_frame_age_seconds", "Since the newest result's frame was captured.", "frame_age"),
        ("edgeseg_latency_seconds", "From a frame's capture to its delivery.", "latency"),
    )
    for metric, text, name in ages:
        value = getattr(seen, f"{name}_s")
        if value is not None:
            yield Gauge(metric, text, value)
    yield from _machine_metrics()


def _machine_metrics() -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily as Gauge

    degrees = Gauge("edgeseg_temperature_celsius", "Of the machine.", labels=["zone"])
    for zone, celsius in temperatures_c().items():
        degrees.add_metric([zone], celsius)
    yield degrees
    memory = (
        ("edgeseg_resident_memory_bytes", "Held by this process.", resident_bytes()),
        ("edgeseg_available_memory_bytes", "Left on this machine.", available_bytes()),
    )
    for name, text, value in memory:
        if value is not None:
            yield Gauge(name, text, value)


def _kept(make: Callable[[], Page]) -> Callable[[], Page]:
    """Make a page anew only when the last one is older than KEPT_S."""
    lock = threading.Lock()
    last: list[tuple[float, Page]] = []

    def page() -> Page:
        with lock:
            now_s = time.monotonic()
            if not last or now_s - last[0][0] > KEPT_S:
                last[:] = [(now_s, make())]
            return last[0][1]

    return page
