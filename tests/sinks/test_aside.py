"""NAME.part belongs to one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseg.errors import SinkError
from edgeseg.sinks import make_sink


@pytest.mark.parametrize("ending", ["jsonl", "csv", "json", "mp4"])
def test_two_runs_do_not_write_one_file(tmp_path, run_info, result, ending):
    spec = f"{tmp_path}/out.{ending}"
    first, second = make_sink(spec), make_sink(spec)
    one = result(0)
    first.open(run_info())
    first.write(one, one.frame.image)
    with pytest.raises(SinkError, match="another run is writing it"):
        second.open(run_info())
    assert second.close() is None
    first.write(result(1), one.frame.image)
    assert first.close() == spec
    third = make_sink(spec)
    third.open(run_info())
    third.write(one, one.frame.image)
    assert third.close() == spec
    assert [path.name for path in tmp_path.iterdir()] == [f"out.{ending}"]


def test_what_a_killed_run_left_is_taken_over(tmp_path, run_info, result):
    (tmp_path / "out.jsonl.part").write_text("half a li")
    sink = make_sink(f"{tmp_path}/out.jsonl")
    sink.open(run_info())
    sink.write(result(0), None)
    path = sink.close()
    assert json.loads(Path(path).read_text())["frame"] == 0
