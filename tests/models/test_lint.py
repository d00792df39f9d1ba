"""Promises of the linter: each mistake is found, in its line, with a way out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from head_net import CFG, NAMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg.models import zoo
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.lint import Finding, lint
from edgeseg.models.darknet.plan import Network, plan_network
from edgeseg.models.darknet.weights import write_random_weights


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "net.cfg"
    path.write_text(CFG)
    return path


def network_of(cfg: Path) -> Network:
    return plan_network(parse_cfg(cfg))


def weights_for(cfg: Path) -> Path:
    path = cfg.with_suffix(".weights")
    write_random_weights(path, network_of(cfg), seed=1)
    return path


def test_a_good_trio_has_no_findings(cfg: Path, tmp_path: Path) -> None:
    names = tmp_path / "net.names"
    names.write_text(NAMES)
    assert lint(cfg, weights_for(cfg), names) == []


@pytest.mark.parametrize("content", [None, b"", b"\0\1\2", b"not a cfg", b"[net", b"[yolo]\n"])
def test_what_is_no_cfg_is_one_finding(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.cfg"
    if content is not None:
        path.write_bytes(content)
    (finding,) = lint(path)
    assert (finding.severity, finding.file) == ("error", str(path))


def test_missing_bytes_name_the_layer_where_they_run_out(cfg: Path) -> None:
    weights = weights_for(cfg)
    whole = weights.read_bytes()
    for layer in network_of(cfg).layers:
        if layer.parameters:
            weights.write_bytes(whole[: 20 + layer.offset + 4 * layer.parameters - 1])
            (finding,) = lint(cfg, weights)
            assert finding.severity == "error"
            assert finding.file == str(weights)
            assert f"the file ends in layer {layer.index} " in finding.message
            assert f"({cfg}:{layer.section.line})" in finding.message


@pytest.mark.parametrize("extra", [1, 4, 1000])
def test_leftover_bytes_are_counted(cfg: Path, extra: int) -> None:
    weights = weights_for(cfg)
    weights.write_bytes(weights.read_bytes() + b"\0" * extra)
    (finding,) = lint(cfg, weights)
    assert (finding.severity, f"{extra} bytes are left over" in finding.message) == ("error", True)


@pytest.mark.parametrize("content", [None, b"", b"\0" * 10, b"<html>", b"version https://git-lfs"])
def test_what_are_no_weights_is_one_finding(cfg: Path, content: bytes | None) -> None:
    weights = cfg.with_suffix(".weights")
    if content is not None:
        weights.write_bytes(content)
    (finding,) = lint(cfg, weights)
    assert (finding.severity, finding.file) == ("error", str(weights))


def with_number(cfg: Path, index: int, offset: int, value: float) -> Path:
    """Random weights with one number of a layer replaced."""
    weights = weights_for(cfg)
    numbers = np.fromfile(weights, "<f4")
    layer = network_of(cfg).layers[index]
    numbers[5 + layer.offset // 4 + offset] = value
    numbers.tofile(weights)
    return weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_name_their_layer(cfg: Path, value: float) -> None:
    (finding,) = lint(cfg, with_number(cfg, 2, 100, value))
    assert finding.severity == "error"
    assert "layer 2 [convolutional]" in finding.message


def test_a_negative_variance_names_its_layer(cfg: Path) -> None:
    (finding,) = lint(cfg, with_number(cfg, 2, 3 * 16, -0.5))
    assert "1 variances of layer 2 [convolutional]" in finding.message


def test_weights_are_looked_at_even_when_the_cfg_is_wrong(cfg: Path) -> None:
    weights = weights_for(cfg)
    cfg.write_text(CFG.replace("layers=-3", "layers=-30"))
    assert [f.severity for f in lint(cfg, weights)] == ["error", "note"]
    weights.write_bytes(b"short")
    assert [f.severity for f in lint(cfg, weights)] == ["error", "error"]


@pytest.mark.parametrize(
    ("content", "severity", "line", "message"),
    [
        ("cat\n", "error", None, "has 1 names, the cfg says classes=2"),
        ("cat\ndog\ncow\n", "error", 3, "has 3 names, the cfg says classes=2"),
        ("cat\ncat\n", "warning", 2, "'cat' stands in line 1 already"),
        ("\ncat\n", "warning", 1, "is empty"),
        ("cat\0dog", "error", None, "is no list of class names"),
    ],
)
def test_names_must_fit_the_classes(
    cfg: Path, content: str, severity: str, line: int | None, message: str
) -> None:
    names = cfg.with_suffix(".names")
    names.write_text(content)
    (finding,) = lint(cfg, None, names)
    assert (finding.severity, finding.file, finding.line) == (severity, str(names), line)
    assert message in finding.message


def test_names_that_are_missing_are_an_error(cfg: Path) -> None:
    (finding,) = lint(cfg, None, cfg.with_suffix(".names"))
    assert "cannot be read" in finding.message


def published_tiny(tmp_path: Path) -> tuple[Path, int]:
    """The registry's yolov3-tiny with the second head as published, and that line."""
    text = zoo.MODELS["yolov3-tiny"].cfg.read_text()
    assert text.count("mask=1,2,3") == 1
    text = text.replace("mask=1,2,3", "mask=0,1,2")
    path = tmp_path / "yolov3-tiny.cfg"
    path.write_text(text)
    return path, text[: text.index("mask=0,1,2")].count("\n") + 1


def test_the_published_tiny_cfg_is_a_note_without_weights(tmp_path: Path) -> None:
    path, line = published_tiny(tmp_path)
    (finding,) = lint(path)
    assert (finding.severity, finding.line) == ("note", line)
    assert "mask = 1,2,3" in str(finding.fix)


def test_own_weights_may_have_any_masks(tmp_path: Path) -> None:
    path, _ = published_tiny(tmp_path)
    assert lint(path, weights_for(path)) == []


@pytest.mark.parametrize(
    ("model", "old", "new", "fix"),
    [
        ("yolov3-tiny", "mask=1,2,3", "mask=0,1,2", "Set mask = 1,2,3"),
        ("yolov4-tiny", "mask=1,2,3", "mask=0,1,2", "Set mask = 1,2,3"),
        ("yolov4-tiny", "scale_x_y=1.05\n\n# Head 2", "\n# Head 2", "Set scale_x_y = 1.05"),
    ],
)
def test_an_official_checkpoint_with_other_heads_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, old: str, new: str, fix: str
) -> None:
    import dataclasses

    from edgeseg.files import sha256_of

    known = zoo.MODELS[model]
    text = known.cfg.read_text()
    assert text.count(old) == 1
    path = tmp_path / "published.cfg"
    path.write_text(text.replace(old, new))
    # Random weights stand in for the official ones; the registry is told their sum.
    weights = weights_for(path)
    pinned = dataclasses.replace(known.weights, sha256=sha256_of(weights))
    monkeypatch.setitem(zoo.MODELS, model, dataclasses.replace(known, weights=pinned))
    (finding,) = lint(path, weights)
    assert (finding.severity, finding.file, finding.fix) == ("warning", str(path), fix)
    assert ("half as large" in finding.message) == (model == "yolov3-tiny")
    assert lint(known.cfg, weights) == []


def test_findings_read_like_those_of_a_compiler() -> None:
    assert str(Finding("error", "a.cfg", 3, "wrong", "Do it right.")) == (
        "a.cfg:3: error: wrong\n    fix: Do it right."
    )
    assert str(Finding("note", "a.weights", None, "so")) == "a.weights: note: so"


WORDS = st.sampled_from([*CFG.split(), "=", "[yolo]", "[net]", "-1", "1e99", "nan", "\0", "#", "½"])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(st.integers(0, len(CFG.splitlines()) - 1), max_size=4),
    words=st.lists(WORDS, min_size=4, max_size=4),
    tail=st.binary(max_size=60),
)
def test_lint_never_raises_for_what_a_file_holds(
    cfg: Path, lines: list[int], words: list[str], tail: bytes
) -> None:
    mutated = CFG.splitlines()
    for line, word in zip(lines, words, strict=False):
        key, equals, _ = mutated[line].partition("=")
        mutated[line] = f"{key}{equals}{word}" if equals else word
    cfg.write_text("\n".join(mutated))
    weights, names = cfg.with_suffix(".weights"), cfg.with_suffix(".names")
    weights.write_bytes(bytes([0, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0]) + tail)
    names.write_bytes(tail)
    for finding in lint(cfg, weights, names):
        assert finding.message
        assert finding.line is None or finding.line >= 1


@pytest.mark.needs_data
def test_real_cfgs_and_weights_have_no_findings(data_dir: Path) -> None:
    for path in sorted((data_dir / "models" / "darknet").glob("*.cfg")):
        assert lint(path, path.with_suffix(".weights")) == [], path
