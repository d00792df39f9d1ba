"""Promises of the command line and of where options come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgeseg.cli import call


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user-config"))


def config_of(capsys: pytest.CaptureFixture[str], *tokens: str) -> dict[str, tuple[str, str]]:
    """Give value and origin of each option as `edgeseg config` prints them."""
    assert call(["config", *tokens]) == 0
    rows = {}
    for line in capsys.readouterr().out.splitlines():
        setting, _, origin = line.rpartition("  # ")
        name, _, value = setting.lstrip("# ").partition("=")
        rows[name.strip()] = (value.strip(), origin)
    return rows


def test_flags_beat_the_environment_which_beats_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("edgeseg.toml").write_text("conf = 0.1\niou = 0.1\nmax_frames = 7\n")
    monkeypatch.setenv("EDGESEG_CONF", "0.2")
    monkeypatch.setenv("EDGESEG_IOU", "0.2")
    rows = config_of(capsys, "--conf", "0.3")
    assert rows["conf"] == ("0.3", "flag")
    assert rows["iou"] == ("0.2", "EDGESEG_IOU")
    assert rows["max-frames"] == ("7", "edgeseg.toml")
    assert rows["labels"] == ('"auto"', "default")


def test_what_config_prints_is_a_config_file(capsys: pytest.CaptureFixture[str]) -> None:
    tokens = [
        "--sink",
        "a.mp4",
        "--sink",
        "b.jsonl",
        "--classes",
        "person",
        "--show",
        "--size",
        "320",
    ]
    assert call(["config", "test://", *tokens]) == 0
    Path("copy.toml").write_text(capsys.readouterr().out)
    rows = config_of(capsys, "--config", "copy.toml")
    assert rows["sink"] == ('["a.mp4", "b.jsonl"]', "copy.toml")
    assert rows["source"] == ('"test://"', "copy.toml")
    assert rows["show"] == ("true", "copy.toml")


def test_the_users_config_file_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "user-config" / "edgeseg"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('model = "yolov3"\n')
    assert config_of(capsys)["model"] == ('"yolov3"', str(folder / "config.toml"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("conff = 0.4\n", "--conf"),
        ('conf = "high"\n', "conf"),
        ("conf = \n", "TOML"),
        ("conf = 7\n", "--conf must be from 0 to 1"),
        ("\xff\xfe", "TOML"),
    ],
)
def test_a_bad_config_file_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    Path("edgeseg.toml").write_text(text, encoding="latin-1")
    assert call(["config"]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        (["run"], "no source named"),
        (["run", "--confi", "0.3"], "Unknown option"),
        (["run", "--camera", "0", "--conf", "2"], "--conf must be from 0 to 1"),
        (["run", "clip.mp4", "--camera", "0"], "two sources"),
        (["run", "--config", "absent.toml"], "no config file absent.toml"),
        (["rnu"], "rnu"),
    ],
)
def test_a_wrong_call_exits_with_2_and_says_why(
    capsys: pytest.CaptureFixture[str], tokens: list[str], says: str
) -> None:
    assert call(tokens) == 2
    assert says in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'cv2', 'onnx', 'onnxruntime', 'av', 'PIL', 'pygame'}"
    code = (
        "import sys\nfrom edgeseg.cli import call\ncall(['run', '--help'])\n"
        f"sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--camera" in done.stdout


def test_an_unexpected_end_of_the_reader_is_no_error() -> None:
    code = "from edgeseg.cli import main; main(['config'])"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'{sys.executable} -c "{code}" | head -n 1'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_no_memory_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("edgeseg.runner.run", greedy)
    assert call(["run", "test://"]) == 6
    assert capsys.readouterr().err.startswith("edgeseg: there is not enough memory")


@pytest.mark.parametrize(("value", "shown"), [("0", False), ("false", False), ("true", True)])
def test_a_traceback_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    shown: bool,
) -> None:
    monkeypatch.setenv("EDGESEG_VERBOSE", value)
    assert call(["run", "absent.mp4"]) == 4
    assert "absent.mp4: no such file" in capsys.readouterr().err
    assert ("Traceback" in caplog.text) == shown
