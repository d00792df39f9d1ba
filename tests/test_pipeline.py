"""Promises of edgeseg.pipeline, with a fake at each seam."""

import threading
import time

import pytest
from fakes import FakeBackend, FakeEngine, FakeSource

from edgeseg.errors import EngineError, SourceLostError
from edgeseg.pipeline import Lane, OpenLane, Pipeline


def make(
    source: FakeSource,
    engine: FakeEngine | None = None,
    lanes: int = 1,
    max_frames: int | None = None,
) -> Pipeline:
    engine = engine or FakeEngine()
    backends = [FakeBackend() for _ in range(lanes)]
    stations = [Lane(b.preprocess, engine.infer, b.detect, ("a", "b", "c")) for b in backends]
    return Pipeline(source, stations, max_frames=max_frames)


def threads_of_ours() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("edgeseg-")]


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_a_file_gives_every_frame_in_order(lanes: int) -> None:
    results = list(make(FakeSource(200), FakeEngine(jitter_s=0.002), lanes=lanes).results())
    assert [r.frame.index for r in results] == list(range(200))
    assert [int(r.detections.class_ids[0]) for r in results] == list(range(200))


def test_a_slow_reader_loses_no_frame_of_a_file() -> None:
    pipeline = make(FakeSource(20))
    indices = []
    for result in pipeline.results():
        time.sleep(0.005)
        indices.append(result.frame.index)
    assert indices == list(range(20))
    assert pipeline.drops() == {}


def test_of_a_live_source_the_newest_frame_wins_and_drops_are_counted() -> None:
    source = FakeSource(100, live=True, period_s=0.001)
    pipeline = make(source, FakeEngine(delay_s=0.02))
    indices = [r.frame.index for r in pipeline.results()]
    assert indices == sorted(set(indices))
    assert indices[-1] == 99, "the last frame is the newest of all"
    assert pipeline.drops()["newer frame arrived"] == 100 - len(indices) > 0


def test_max_frames_ends_the_run() -> None:
    pipeline = make(FakeSource(None), max_frames=7)
    assert len(list(pipeline.results())) == 7
    assert threads_of_ours() == []


@pytest.mark.parametrize("lanes", [1, 3])
def test_an_engine_error_arrives_after_the_results_before_it(lanes: int) -> None:
    source = FakeSource(None)
    got = []
    with pytest.raises(EngineError, match="fails here"):
        for result in make(source, FakeEngine(fail_at=3), lanes=lanes).results():
            got.append(result.frame.index)  # noqa: PERF401 - the loop raises
    assert got == [0, 1, 2]
    assert source.closed.is_set()
    assert threads_of_ours() == []


def test_a_time_out_inside_a_station_is_an_error_too() -> None:
    engine = FakeEngine(fail_at=1, error=TimeoutError("the device hangs"))
    with pytest.raises(TimeoutError, match="the device hangs"):
        list(make(FakeSource(None), engine).results())


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_source_error_arrives_after_the_results_before_it(lanes: int) -> None:
    got = []
    with pytest.raises(SourceLostError, match="gone"):
        for result in make(FakeSource(4, error=SourceLostError("gone")), lanes=lanes).results():
            got.append(result.frame.index)  # noqa: PERF401
    assert got == [0, 1, 2, 3]


def test_leaving_the_loop_ends_all_threads() -> None:
    source = FakeSource(None)
    results = make(source).results()
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert source.closed.is_set()
    assert threads_of_ours() == []


def test_stop_ends_a_source_that_gives_nothing() -> None:
    source = FakeSource(None, live=True, period_s=3600)
    pipeline = make(source)
    threading.Timer(0.1, pipeline.stop).start()
    start_s = time.monotonic()
    assert list(pipeline.results()) == []
    assert time.monotonic() - start_s < 5


def test_each_station_is_timed() -> None:
    pipeline = make(FakeSource(5), FakeEngine(delay_s=0.01))
    results = list(pipeline.results())
    medians = pipeline.stopwatch.medians_ms()
    assert list(medians) == ["capture", "preprocess", "engine", "detect"]
    assert medians["engine"] >= 10
    assert results[0].stages_ms["engine"] >= 10


def test_without_a_network_every_frame_goes_on_as_it_is() -> None:
    pipeline = Pipeline(FakeSource(10), [OpenLane(("moving",))], detect_every=2)
    results = list(pipeline.results())
    assert [r.frame.index for r in results] == list(range(10))
    assert [r.detected for r in results] == [True, False] * 5
    assert all(len(r.detections) == 0 and r.class_names == ("moving",) for r in results)
    assert list(pipeline.stopwatch.medians_ms()) == ["capture"]
