"""`edgeseg models info` and `lint` of networks that other programs exported."""

from __future__ import annotations

import json
from pathlib import Path

import foreign_nets as nets
import numpy as np
import pytest

from edgeseg.errors import OnnxModelError
from edgeseg.models.commands import info, lint
from edgeseg.models.families.lint import lint_onnx

SIDE = "classes = ['a', 'b', 'c']\noutput = 'out'\nmean = 0\nstd = 1\n"


@pytest.fixture
def fcn(tmp_path: Path) -> Path:
    return nets.fcn(tmp_path / "fcn.onnx", (96, 64), 3)


def yolo(folder: Path, **metadata: str) -> Path:
    outputs = {
        "output0": np.zeros((1, 38, 84), np.float32),
        "output1": np.zeros((1, 32, 16, 16), np.float32),
    }
    return nets.fixed_net(folder / "y.onnx", outputs, metadata=metadata)


def test_info_tells_family_outputs_and_classes(tmp_path, capsys):
    assert info(str(yolo(tmp_path, **nets.ultralytics()))) == 0
    text = capsys.readouterr().out
    for line in (
        "family   yolo-v8",
        "classes  2: cat, dog",
        "input    images float32[1, 3, 64, 64]",
        "output   output0 float32[1, 38, 84]",
        "read     boxes from output0, masks of 32 prototypes from output1",
    ):
        assert line in text.splitlines()


def test_info_tells_how_a_semantic_network_is_read(fcn, capsys):
    fcn.with_suffix(".toml").write_text(SIDE)
    assert info(str(fcn), json=True) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["family"] == "semantic"
    assert record["outputs"]["scores"] == "out"
    assert record["class_names"] == ["a", "b", "c"]
    assert info(str(fcn)) == 0
    text = capsys.readouterr().out
    assert "read     from out (nchw), for each pixel the class that scores highest" in text
    assert "fed      nchw, rgb, v from 0 to 1\n" in text


def test_info_of_an_unknown_network_lists_what_was_seen(tmp_path):
    path = nets.fixed_net(tmp_path / "x.onnx", {"y": np.zeros((1, 1000), np.float32)})
    with pytest.raises(OnnxModelError, match=r"output  y float32\[1, 1000\]"):
        info(str(path))


def test_lint_has_nothing_against_a_network_that_is_fully_described(fcn, capsys):
    fcn.with_suffix(".toml").write_text(SIDE)
    assert lint(str(fcn), strict=True) == 0
    assert "nothing to complain about" in capsys.readouterr().out


def test_lint_tells_what_is_guessed(fcn, capsys):
    assert lint(str(fcn)) == 0
    assert lint(str(fcn), strict=True) == 3
    text = capsys.readouterr().out
    assert "warning: it names none of its classes" in text
    assert "warning: nothing says how its input is normalized" in text
    assert "note: of its outputs out is read, not aux" in text


def test_lint_tells_what_hinders(tmp_path, fcn):
    fcn.with_suffix(".toml").write_text("men = 0")
    (finding,) = lint_onnx(fcn)
    assert finding.severity == "error"
    assert "unknown key 'men'" in finding.message
    (finding,) = lint_onnx(tmp_path / "no.onnx")
    assert "cannot be read" in finding.message
    twice = yolo(tmp_path, **nets.ultralytics(["cat", "cat"]))
    (finding,) = lint_onnx(twice)
    assert (finding.severity, finding.message) == ("warning", "several classes are called 'cat'")
