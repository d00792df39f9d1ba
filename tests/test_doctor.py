"""Promises of `edgeseg doctor` and `edgeseg cameras`."""

import json

import pytest

from edgeseg.cli import call
from edgeseg.doctor import examine


def test_the_doctor_looks_at_everything_and_breaks_at_nothing() -> None:
    findings = examine()
    areas = {finding.area for finding in findings}
    assert {
        "edgeseg",
        "machine",
        "native ops",
        "opencv",
        "onnxruntime",
        "cameras",
        "cache",
    } <= areas
    assert not [finding for finding in findings if "check failed" in finding.value]
    for finding in findings:
        assert finding.ok or not finding.needed or finding.fix, finding


def test_the_exit_code_says_whether_a_run_can_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["doctor"]) == 0
    assert "native ops" in capsys.readouterr().out


def test_the_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    call(["doctor", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert all(set(row) == {"area", "value", "ok", "needed", "fix"} for row in rows)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    finding = next(f for f in examine() if f.area == "onnxruntime")
    assert not finding.ok
    assert "edgeseg[cpu]" in finding.fix


def test_cameras_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["cameras", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)


def test_a_cache_that_is_no_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEG_CACHE_DIR", "/dev/null")
    finding = next(f for f in examine() if f.area == "cache")
    assert not finding.ok
    assert "EDGESEG_CACHE_DIR" in finding.fix
