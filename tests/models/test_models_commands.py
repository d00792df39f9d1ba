"""Promises of `edgeseg models`."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from small_net import NAMES, write_small_net

from edgeseg.cli import call
from edgeseg.errors import ConfigError
from edgeseg.files import cache_dir, sha256_of
from edgeseg.models import zoo
from edgeseg.models.inputs import parse_batch

Output = pytest.CaptureFixture[str]


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    return write_small_net(tmp_path)


@pytest.fixture
def small(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small net under the registry name `yolov3-tiny`; gives its weights."""
    weights = cfg.with_suffix(".weights")
    known = zoo.MODELS["yolov3-tiny"]
    pinned = dataclasses.replace(
        known.weights, size_bytes=weights.stat().st_size, sha256=sha256_of(weights), urls=(),
        packages=(),
    )  # fmt: skip
    shutil.copy(cfg, cfg.with_name("yolov3-tiny.cfg"))
    cfg.with_name("coco.names").write_text(NAMES)
    monkeypatch.setattr(zoo, "FOLDER", cfg.parent)
    monkeypatch.setitem(
        zoo.MODELS, "yolov3-tiny", dataclasses.replace(known, weights=pinned, input_px=(64, 64))
    )
    return weights


def test_list_names_each_model_and_what_is_here(small: Path, capsys: Output) -> None:
    assert call(["models", "list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert set(zoo.MODELS) < set(rows)
    assert " no " in rows["yolov3-tiny"]
    assert call(["models", "pull", "yolov3-tiny", "--from", str(small)]) == 0
    assert capsys.readouterr().out.strip() == str(cache_dir() / "weights" / "yolov3-tiny.weights")
    assert call(["models", "list", "--json"]) == 0
    models = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert [name for name, model in models.items() if model["present"]] == ["yolov3-tiny"]
    assert models["yolov4"]["aliases"] == ["yolov4-320", "yolov4-416", "yolov4-608"]


def test_pull_of_a_wrong_file_ends_with_the_code_of_downloads(cfg: Path, capsys: Output) -> None:
    assert call(["models", "pull", "yolov4", "--from", str(cfg)]) == 9
    assert "is not yolov4.weights" in capsys.readouterr().err
    assert call(["models", "pull", "nothing"]) == 3


def test_info_is_a_table_with_totals(cfg: Path, capsys: Output) -> None:
    assert call(["models", "info", str(cfg)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "input    64, any multiple of 8" in lines
    assert "classes  2: cat, traffic light" in lines
    row = next(line.split() for line in lines if line.startswith("    2"))
    assert row == ["2", "convolutional", "16", "3x3/2", "16x8x8", "1,216", "0.000", "18"]
    total = next(line.split() for line in lines if line.startswith("total"))
    # 8*3*9 + 4*8, 16*8*9 + 4*16, 21*16 + 21
    assert total == ["total", "1,821", "0.001"]
    assert any(line.startswith("head 0   [yolo] 21 channels, anchors 10x14") for line in lines)


def test_info_as_json_has_the_same_facts(cfg: Path, capsys: Output) -> None:
    weights = cfg.with_suffix(".weights")
    arguments = ["models", "info", str(cfg), "--weights", str(weights), "--size", "32x64"]
    assert call([*arguments, "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["input_px"] == [32, 64]
    assert info["layers"][-1]["output"] == "21x8x4"
    assert info["weights"]["sha256"] == sha256_of(weights)
    assert info["parameters"] * 4 + 20 == info["weights"]["size_bytes"]
    # 2 * (8*27*32*16 + 16*72*8*4 + 21*16*8*4)
    assert info["gflops"] == pytest.approx((2 * (110_592 + 36_864 + 10_752)) / 1e9)


def test_info_of_a_registry_name_knows_its_weights(small: Path, capsys: Output) -> None:
    assert call(["models", "info", "yolov3-tiny-320"]) == 0
    assert "weights" not in capsys.readouterr().out
    assert call(["models", "pull", "yolov3-tiny", "--from", str(small)]) == 0
    assert call(["models", "info", "yolov3-tiny-320"]) == 0
    shown = capsys.readouterr().out
    assert "input    320, any multiple of 8" in shown
    assert "official yolov3-tiny" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["info", "none.cfg"], 3, "none.cfg does not exist"),
        (["info", "none"], 3, "no model is called 'none'"),
        (["info", "none.onnx"], 3, "none.onnx does not exist"),
        (["info", "CFG", "--size", "30"], 3, "needs multiples of 8"),
        (["info", "CFG", "--size", "big"], 2, "'big' is no size"),
        (["info", "CFG", "--weights", "CFG"], 3, "weights"),
        (["export", "CFG", "none.weights", "--output", "x.onnx"], 3, "none.weights does not exist"),
        (["export", "CFG", "--output", "x.onnx", "--batch", "0"], 2, "'0' is no batch size"),
        (["export", "CFG", "--output", "CFG/x.onnx"], 3, "cannot be written"),
        (["export", "CFG"], 2, "output"),
        (["lint"], 2, "requires an argument"),
    ],
)
def test_a_wrong_word_has_its_message_and_code(
    cfg: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int,
    message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(cfg.parent)
    assert call(["models", *(word.replace("CFG", str(cfg)) for word in arguments)]) == code
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert not Path("x.onnx").exists()


def test_export_writes_a_model_that_runs(cfg: Path, capsys: Output) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    output = cfg.with_name("out.onnx")
    arguments = [str(cfg), "--size", "96x32", "--output", str(output), "--batch", "dynamic"]
    assert call(["models", "export", *arguments, "--name", "toy"]) == 0
    assert capsys.readouterr().out.endswith("toy at 96x32, heads of 21 channels\n")
    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1:] == [3, 32, 96]
    assert call(["models", "info", str(output)]) == 0
    assert "input    96x32, batch open" in capsys.readouterr().out


def test_export_of_a_registry_name_uses_its_files(small: Path, capsys: Output) -> None:
    output = small.with_name("out.onnx")
    assert call(["models", "export", "yolov3-tiny-320", "--output", str(output)]) == 9
    assert "could not be fetched" in capsys.readouterr().err
    assert call(["models", "pull", "yolov3-tiny", "--from", str(small)]) == 0
    assert call(["models", "export", "yolov3-tiny-320", "--output", str(output)]) == 0
    assert "yolov3-tiny-320 at 320, heads of 21 channels" in capsys.readouterr().out
    assert output.exists()


def test_lint_says_that_all_is_well(cfg: Path, capsys: Output) -> None:
    files = [str(cfg.with_suffix(suffix)) for suffix in (".cfg", ".weights", ".names")]
    assert call(["models", "lint", *files]) == 0
    assert capsys.readouterr().out == f"{cfg}: nothing to complain about\n"


def test_lint_ends_with_3_for_errors_and_strictly_for_warnings(cfg: Path, capsys: Output) -> None:
    text = cfg.read_text()
    cfg.write_text(text.replace("[maxpool]\nsize=2", "[maxpool]\nsize=2\nsise=2"))
    assert call(["models", "lint", str(cfg)]) == 0
    assert call(["models", "lint", str(cfg), "--strict"]) == 3
    cfg.write_text(text.replace("filters=21", "filters=255"))
    capsys.readouterr()
    assert call(["models", "lint", str(cfg)]) == 3
    line = text[: text.index("filters=21")].count("\n") + 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"{cfg}:{line}: error: [convolutional] filters=255, but")
    assert shown[1].startswith("    fix: Set filters=21")
    assert call(["models", "lint", str(cfg), "--json"]) == 3
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["severity"], finding["line"]) == ("error", line)


def test_lint_takes_a_registry_name(small: Path, capsys: Output) -> None:
    assert call(["models", "lint", "yolov3-tiny"]) == 0
    assert "nothing to complain about" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "batch"), [("1", 1), ("1024", 1024), ("dynamic", None)])
def test_a_batch_is_a_number_or_dynamic(text: str, batch: int | None) -> None:
    assert parse_batch(text) == batch


@pytest.mark.parametrize("text", ["", "0", "-1", "1025", "x", "1.5", "\u0664", "9" * 40])
def test_what_is_no_batch_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no batch size"):
        parse_batch(text)
