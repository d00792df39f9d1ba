"""The sink of MOTChallenge rows."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.errors import ConfigError, SinkError
from edgeseg.sinks import RunInfo, make_sink
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Detections, Frame, Result, Tracks

RUN = RunInfo(SourceInfo("clip.mp4", live=False), ("person",), "tiny")


def result(index, tracks=True):
    found = Detections(
        np.array([[10, 20, 40.5, 80], [1, 2, 3, 4], [5, 5, 9, 9]], np.float32),
        np.array([0.9, 0.8, 0.7], np.float32),
        np.zeros(3, np.int32),
    )
    ids = Tracks(np.array([7, 0, 2], np.int32), np.zeros(3, np.int32), np.array([0, 0, 1], bool))
    frame = Frame(np.zeros((100, 100, 3), np.uint8), index)
    return Result(frame, found, ("person",), tracks=ids if tracks else None)


def test_rows_are_those_of_the_benchmark(tmp_path):
    sink = make_sink(f"mot:{tmp_path / 'out.txt'}")
    sink.open(RUN)
    sink.write(result(0), None)
    sink.write(result(4), None)
    assert sink.close() == str(tmp_path / "out.txt")
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert lines == [
        "1,2,5.00,5.00,4.00,4.00,0.700000,-1,-1,-1",
        "1,7,10.00,20.00,30.50,60.00,0.900000,-1,-1,-1",
        "5,2,5.00,5.00,4.00,4.00,0.700000,-1,-1,-1",
        "5,7,10.00,20.00,30.50,60.00,0.900000,-1,-1,-1",
    ]
    rows = np.loadtxt(tmp_path / "out.txt", delimiter=",")
    assert rows.shape == (4, 10)


def test_results_without_identities_are_refused(tmp_path):
    sink = make_sink(f"mot:{tmp_path / 'out.txt'}")
    sink.open(RUN)
    with pytest.raises(SinkError, match="no identities") as raised:
        sink.write(result(0, tracks=False), None)
    assert "--track on" in raised.value.hint
    sink.close()


def test_it_takes_a_path_and_no_options():
    with pytest.raises(ConfigError, match="no path"):
        make_sink("mot:")
    with pytest.raises(ConfigError, match="unknown option"):
        make_sink("mot:out.txt?scores=yes")
