"""Promises on Ctrl-C, SIGTERM and SIGHUP, at any moment of a run."""

from __future__ import annotations

import array
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from small_net import write_small_net

from edgeseg.interrupts import answered_by, raised_as_keyboard_interrupt

EDGESEG = [sys.executable, "-m", "edgeseg"]
ENDLESS = "test://?size=320x240&fps=25&frames=1000000"
CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture(scope="module")
def cfg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_net(tmp_path_factory.mktemp("net"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_interrupt_with_its_number(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as caught, raised_as_keyboard_interrupt():
        signal.raise_signal(number)
    assert caught.value.args == (number,)
    assert signal.getsignal(number) is before


def test_an_import_is_not_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_module.py").write_text(
        "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.2)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), raised_as_keyboard_interrupt():
        import slow_module  # type: ignore[import-not-found]

        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            time.sleep(0.01)
    assert sys.modules["slow_module"].whole
    assert slow_module.whole


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with answered_by(lambda number, frame: pytest.fail(f"{number} came through")):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def body() -> None:
        with raised_as_keyboard_interrupt():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(10)
    assert seen == [before]


@pytest.mark.parametrize(("number", "code"), CODES)
def test_while_a_run_gets_ready_it_ends_at_once(
    cfg: Path, number: signal.Signals, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/never"
        command = [*EDGESEG, "run", uri, "--model", str(cfg), "--sink", "null:"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(30)
            connection, _ = silent.accept()  # and nothing is answered
            with connection:
                time.sleep(0.2)
                process.send_signal(number)
                _, err = process.communicate(timeout=8)
    assert process.returncode == code, err
    assert "Traceback" not in err


def test_ctrl_c_while_the_commands_load_shows_no_traceback() -> None:
    code = (
        "import builtins, os, signal, sys, threading\n"
        "real = builtins.__import__\n"
        "def hooked(name, *rest):\n"
        "    if name == 'cyclopts': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = hooked\n"
        "from edgeseg.__main__ import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "sinks"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGINT
    assert "Traceback" not in done.stderr


def test_ctrl_c_again_and_again_still_closes_every_file(cfg: Path, tmp_path: Path) -> None:
    video, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    command = [*EDGESEG, "run", ENDLESS, "--model", str(cfg), "--conf", "0.1"]
    command += ["--sink", str(video), "--sink", str(lines)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        part = lines.with_name("out.jsonl.part")
        deadline_s = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size > 5000):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, err = process.communicate(timeout=30)
    # Python itself may be on its way out when the last one comes.
    assert process.returncode in (130, -signal.SIGINT), err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.mp4"]


def wait_until_full(pipe: int) -> None:
    waiting, before = array.array("i", [0]), -1
    deadline_s = time.monotonic() + 30
    while waiting[0] != before or not before:
        assert time.monotonic() < deadline_s
        before = waiting[0]
        time.sleep(0.5)
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)


def test_a_second_ctrl_c_leaves_a_sink_that_waits(cfg: Path) -> None:
    command = [*EDGESEG, "run", ENDLESS, "--model", str(cfg), "--conf", "0.1", "--sink", "jsonl:-"]
    reader, writer = os.pipe()
    try:
        with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, text=True) as process:
            wait_until_full(reader)  # and nobody reads
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    finally:
        os.close(reader)
        os.close(writer)
    assert process.returncode == 130, err
    assert "Traceback" not in err
