"""Promises of `edgeseg engines`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from small_net import write_small_net
from trt_packages import fetch_rtx

from edgeseg.cli import call
from edgeseg.engines.cache import engines_dir
from edgeseg.engines.receipts import read_receipt
from edgeseg.engines.request import parse_batches
from edgeseg.engines.tensorrt.api import Api
from edgeseg.errors import ConfigError

Output = pytest.CaptureFixture[str]


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    return write_small_net(tmp_path)


def build(cfg: Path, *options: str) -> Path:
    """Build with the command; give the plan."""
    before = set(engines_dir().glob("*.plan"))
    assert call(["engines", "build", str(cfg), "--tensorrt", "rtx", *options]) == 0
    (new,) = set(engines_dir().glob("*.plan")) - before
    return new


@pytest.mark.needs_network
def test_build_gives_the_plan_and_then_finds_it(rtx: Api, cfg: Path, capsys: Output) -> None:
    plan = build(cfg)
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{plan}  0.")
    assert f"{rtx.name}, built without a GPU, built 20" in captured.out
    assert captured.err == "building the engine of small\n"
    assert call(["engines", "build", str(cfg), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["sha256"] == read_receipt(plan.with_suffix(".json")).sha256
    assert captured.err == ""


@pytest.mark.needs_network
def test_build_takes_a_range_of_batches_and_a_size(rtx: Api, cfg: Path) -> None:
    plan = build(cfg, "--batch", "1-8", "--usual-batch", "4", "--size", "96x64")
    receipt = read_receipt(plan.with_suffix(".json"))
    assert receipt.identity.batches == (1, 4, 8)
    assert receipt.identity.input_px == (96, 64)
    assert build(cfg, "--batch", "2", "--workspace-mb", "64").name.startswith("small-64-fp32-b2-")


@pytest.mark.needs_network
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--batch", "0"], 2, "'0' is no batch size"),
        (["--batch", "4-1"], 2, "'4-1' is no batch size"),
        (["--batch", "1-4", "--usual-batch", "5"], 2, "with 5 in it"),
        (["--dla", "-1"], 2, "--dla -1 is no core"),
        (["--dla", "0"], 6, "reports 0 DLA cores here"),
        (["--workspace-mb", "0"], 2, "--workspace-mb 0 is no size"),
        (["--size", "30"], 3, "multiples of 8"),
        (["--tensorrt", "other"], 2, "--tensorrt"),
    ],
)
def test_a_wrong_word_has_its_message_and_code(
    rtx: Api, cfg: Path, capsys: Output, options: list[str], code: int, message: str
) -> None:
    assert call(["engines", "build", str(cfg), *options]) == code
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert not list(engines_dir().glob("*.plan"))


@pytest.mark.needs_network
def test_an_onnx_of_another_batch_is_refused(rtx: Api, cfg: Path, capsys: Output) -> None:
    onnx = cfg.with_suffix(".onnx")
    assert call(["models", "export", str(cfg), "--output", str(onnx), "--batch", "2"]) == 0
    assert call(["engines", "build", str(onnx)]) == 2
    assert "was exported for batches of 2" in capsys.readouterr().err
    assert build(onnx, "--batch", "2").exists()


@pytest.mark.needs_network
def test_list_names_the_engines_and_what_is_wrong(rtx: Api, cfg: Path, capsys: Output) -> None:
    assert call(["engines", "list"]) == 0
    assert capsys.readouterr().out == "no engines yet: edgeseg engines build MODEL\n"
    good, bad = build(cfg), build(cfg, "--batch", "2")
    bad.write_bytes(b"short")
    orphan = engines_dir() / "an-orphan.plan"
    orphan.write_bytes(b"x")
    capsys.readouterr()
    assert call(["engines", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {good.stem, bad.stem, orphan.stem}
    assert "damaged" not in lines[good.stem]
    assert "damaged: 5 bytes, not " in lines[bad.stem]
    assert "damaged: an-orphan.json: No such file" in lines[orphan.stem]
    assert call(["engines", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


@pytest.mark.needs_network
def test_rm_takes_an_unmistakable_beginning(rtx: Api, cfg: Path, capsys: Output) -> None:
    first, second = build(cfg), build(cfg, "--batch", "2")
    capsys.readouterr()
    assert call(["engines", "rm", "small"]) == 6
    assert "2 engines are called 'small'" in capsys.readouterr().err
    assert call(["engines", "rm", "small-64-fp32-b2", "nothing"]) == 6
    assert "no engine is called 'nothing'" in capsys.readouterr().err
    assert second.exists()
    assert call(["engines", "rm", "small-64-fp32-b2"]) == 0
    assert capsys.readouterr().out == f"removed {second.stem}\n"
    assert sorted(path.name for path in engines_dir().iterdir()) == [
        f"{first.stem}.json",
        first.name,
    ]


@pytest.mark.needs_network
def test_prune_removes_what_is_of_no_use(rtx: Api, cfg: Path, capsys: Output) -> None:
    good, old, bad = build(cfg), build(cfg, "--batch", "2"), build(cfg, "--batch", "3")
    receipt = json.loads(old.with_suffix(".json").read_text())
    receipt["identity"]["tensorrt"] = "TensorRT-RTX 1.7.0"
    old.with_suffix(".json").write_text(json.dumps(receipt))
    bad.with_suffix(".json").write_text("{}")
    part = engines_dir() / "x.candidate.123.part"
    part.write_bytes(b"x")
    os.utime(part, (0, 0))
    young = engines_dir() / "y.candidate"
    young.write_bytes(b"x")
    capsys.readouterr()
    assert call(["engines", "prune", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"would remove {old.stem}: built with TensorRT-RTX 1.7.0, here is {rtx.name}" in said
    assert f"would remove {bad.stem}: damaged: " in said
    assert f"would remove {part.name}: left over from a build that was killed" in said
    assert good.stem not in said
    assert part.exists()
    assert old.exists()
    assert call(["engines", "prune"]) == 0
    assert sorted(path.name for path in engines_dir().iterdir()) == [
        f"{good.stem}.json",
        good.name,
        young.name,
    ]


def environment(cfg: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": f"{fetch_rtx()}{os.pathsep}{Path(__file__).parents[2]}",
        "EDGESEG_CACHE_DIR": str(cfg.parent / "cache"),
    }


INTERRUPTED = """
import os, signal, sys, time
from edgeseg import cli
from edgeseg.engines import bar

waiting = [True]

def interrupt(share, phase):
    if share > 0.1 and waiting:
        waiting.pop()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)  # the main thread hears of it meanwhile, however busy the machine is

bar._line_once = lambda line: interrupt
cli.main(sys.argv[1:])
"""


@pytest.mark.needs_network
def test_ctrl_c_ends_a_build_and_leaves_nothing(cfg: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "engines", "build", str(cfg), "--tensorrt", "rtx"],
        env=environment(cfg), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert done.stderr == "edgeseg: the build of small was stopped; nothing was written\n"
    assert done.stdout == ""
    assert list((cfg.parent / "cache/engines").iterdir()) == []


@pytest.mark.needs_network
def test_a_terminal_shows_how_far_the_build_is(cfg: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "edgeseg", "engines", "build", str(cfg), "--tensorrt", "rtx"]
    with subprocess.Popen(
        command, env=environment(cfg) | {"TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.DEVNULL, stderr=theirs,
    ) as process:  # fmt: skip
        assert process.wait(60) == 0
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "small" in shown
    assert " %" in shown


@pytest.mark.parametrize(
    ("text", "usual", "batches"),
    [("1", None, (1, 1, 1)), ("1-16", None, (1, 16, 16)), ("2-8", 4, (2, 4, 8))],
)
def test_batches_are_a_number_or_a_range(
    text: str, usual: int | None, batches: tuple[int, int, int]
) -> None:
    assert parse_batches(text, usual) == batches


@pytest.mark.parametrize("text", ["", "-1", "1-", "-", "1-2-3", "x", "1025", "2-1", "\u0664"])
def test_what_is_no_batch_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no batch size"):
        parse_batches(text)
