"""Promises of the sink that counts results and feeds the watchdog, and of the vitals."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from fakes import FakeBackend, FakeEngine, FakeSource, picture
from service_manager import Manager

from edgeseg.pipeline import Lane, Pipeline
from edgeseg.service import sinks as sinks_module
from edgeseg.service import vitals as vitals_module
from edgeseg.service.sinks import HealthSink, status_line
from edgeseg.service.vitals import Vitals
from edgeseg.sinks.base import RunInfo
from edgeseg.sources.base import Condition, SourceInfo
from edgeseg.types import Detections, Frame, Result

INFO = RunInfo(SourceInfo("fake", live=True), (), "model")


def result(index: int = 0) -> Result:
    frame = Frame(picture(), index, captured_s=time.monotonic())
    return Result(frame, Detections.empty(), ())


class Source(FakeSource):
    """A source that says how it is."""

    said = Condition("running")
    reconnects = 3

    def condition(self) -> Condition:
        return self.said


def pipeline_of(source: FakeSource) -> Pipeline:
    backend = FakeBackend()
    return Pipeline(source, [Lane(backend.preprocess, FakeEngine().infer, backend.detect, ())])


def begun(source: FakeSource) -> Vitals:
    vitals = Vitals()
    vitals.begin(source, pipeline_of(source), model="m", engine="e")
    return vitals


def test_ready_is_said_at_the_first_result_and_not_before(manager: Manager) -> None:
    sink = HealthSink(Vitals())
    sink.open(INFO)
    sink.waiting()
    assert manager.all() == []
    sink.write(result(), None)
    sink.write(result(1), None)
    said = manager.all()
    assert said.count("READY=1") == 1
    assert any(line.startswith("STATUS=running") for line in said)
    sink.close()
    assert "STOPPING=1" in manager.all()


def test_results_feed_the_watchdog_four_times_in_its_time(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    sink = HealthSink(Vitals())
    start_s = time.monotonic()
    while (elapsed_s := time.monotonic() - start_s) < 0.5:
        sink.write(result(), None)
        time.sleep(0.002)
    meals = manager.all().count("WATCHDOG=1")
    assert 5 <= meals <= elapsed_s / 0.05 + 1


@pytest.mark.parametrize(
    ("state", "fed"), [("degraded", True), ("running", False), ("stuck", False)]
)
def test_while_waiting_only_a_source_that_knows_what_it_does_feeds(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, state: str, fed: bool
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    source = Source()
    source.said = Condition(state, "cable")  # type: ignore[arg-type]
    sink = HealthSink(begun(source))
    sink.waiting()
    assert ("WATCHDOG=1" in manager.all()) is fed


def test_the_status_says_why_no_result_comes(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks_module, "STATUS_EVERY_S", 0.0)
    source = Source()
    sink = HealthSink(begun(source))
    sink.write(result(), None)
    source.said = Condition("degraded", "camera: nothing came for 7 s")
    manager.all()
    sink.waiting()
    assert any("degraded: camera: nothing came for 7 s" in line for line in manager.all())
    sink.remark("after a restart: size")
    sink.write(result(), None)
    assert any("after a restart: size" in line for line in manager.all())


def test_the_states_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    vitals = Vitals()
    vitals.step("loading tiny")
    assert (vitals.snapshot().state, vitals.snapshot().reason) == ("starting", "loading tiny")
    source = Source()
    vitals.begin(source, pipeline_of(source), model="m", engine="e")
    assert vitals.snapshot().state == "starting"
    vitals.note(result())
    assert vitals.snapshot().state == "running"
    source.said = Condition("degraded", "gone")
    assert (vitals.snapshot().state, vitals.snapshot().reason) == ("degraded", "gone")
    source.said = Condition("running")
    monkeypatch.setattr(vitals_module, "STALLED_S", 0.0)
    assert vitals.snapshot().state == "stalled"
    assert "no result" in vitals.snapshot().reason
    vitals.end()
    assert vitals.snapshot().state == "stopping"


def test_the_figures_of_a_run() -> None:
    vitals = begun(Source())
    for index in range(5):
        vitals.note(result(index))
        time.sleep(0.02)
    seen = vitals.snapshot()
    assert (seen.frames, seen.reconnects, seen.model, seen.engine) == (5, 3, "m", "e")
    assert 5 < seen.fps < 60
    assert seen.frame_age_s is not None
    assert 0.015 < seen.frame_age_s < 2
    assert seen.latency_s is not None
    assert seen.latency_s < 0.1
    assert status_line(seen).startswith("running: ")


def test_the_rate_falls_when_frames_are_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    vitals = begun(Source())
    now = [100.0]
    monkeypatch.setattr(vitals_module.time, "monotonic", lambda: now[0])
    for _ in range(10):
        now[0] += 0.1
        vitals.note(result())
    assert vitals.snapshot().fps == pytest.approx(10)
    now[0] += 4
    assert vitals.snapshot().fps == pytest.approx(0.5)


def test_the_pipeline_calls_while_it_waits_in_the_callers_thread() -> None:
    import threading

    source = FakeSource(2, period_s=0.5)
    pipeline = pipeline_of(source)
    calls: list[str] = []
    pipeline.on_wait = lambda: calls.append(threading.current_thread().name)
    assert len(list(pipeline.results())) == 2
    assert calls
    assert set(calls) == {threading.current_thread().name}


def test_it_does_so_with_followers_too() -> None:
    class Follower:
        name = "follower"

        def follow(self, result: Result) -> Result:
            return result

    backend = FakeBackend()
    lane = Lane(backend.preprocess, FakeEngine().infer, backend.detect, ())
    follower = Follower()
    pipeline = Pipeline(FakeSource(2, period_s=0.5), [lane], followers=[follower])  # type: ignore[list-item]
    calls: list[Callable[[], None]] = []
    pipeline.on_wait = lambda: calls.append(test_it_does_so_with_followers_too)
    assert len(list(pipeline.results())) == 2
    assert calls
