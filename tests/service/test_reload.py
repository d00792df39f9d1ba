"""Promises of a reload and of a run under a service manager, with the real program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from service_manager import Manager
from small_net import write_small_net

from edgeseg.backends.cpu import CpuBackend
from edgeseg.backends.options import DetectOptions
from edgeseg.errors import ConfigError
from edgeseg.service.reload import LIVE, Reloader
from edgeseg.settings import Settings
from edgeseg.types import HeadSpec, Letterbox, Model

EDGESEG = [sys.executable, "-m", "edgeseg"]


class Desk:
    """What a reloader talks to."""

    def __init__(self, *, able: bool = True) -> None:
        self.taken: list[Settings] = []
        self.remarks: list[str] = []
        self._able = able

    def take(self, settings: Settings) -> bool:
        self.taken.append(settings)
        return self._able

    def reloader(self, before: Settings, after: Callable[[], Settings]) -> Reloader:
        return Reloader(before, after, self.take, self.remarks.append)


def test_what_can_change_changes_and_the_rest_is_named(manager: Manager) -> None:
    desk = Desk()
    after = Settings("other://", conf=0.6, classes=("cat",), size="608")
    reloader = desk.reloader(Settings("test://"), lambda: after)
    reloader.reload()
    assert desk.taken == [Settings("test://", conf=0.6, classes=("cat",))]
    assert desk.remarks == ["after a restart: size, source"]
    said = manager.all()
    assert said[0] == "RELOADING=1"
    assert said[-1] == "READY=1"
    reloader.reload()
    assert len(desk.taken) == 1, "what is in force is not taken over again"


def test_a_refused_reload_changes_nothing_and_ends(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong() -> Settings:
        raise ConfigError("/etc/edgeseg/main.toml:3: --conf must be from 0 to 1")

    desk = Desk()
    desk.reloader(Settings("test://"), wrong).reload()
    assert desk.taken == []
    assert "refused" in desk.remarks[0]
    assert "main.toml:3" in caplog.text
    assert manager.all()[-1] == "READY=1"


def test_a_bug_while_reloading_ends_no_run(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Settings:
        raise ZeroDivisionError

    Desk().reloader(Settings("test://"), broken).reload()
    assert manager.all()[-1] == "READY=1"
    assert "ZeroDivisionError" in caplog.text


def test_a_backend_that_cannot_retune_leaves_it_for_the_restart(manager: Manager) -> None:
    desk = Desk(able=False)
    desk.reloader(Settings("test://"), lambda: Settings("test://", conf=0.6)).reload()
    assert desk.remarks == ["after a restart: conf"]


def test_what_is_live_are_options() -> None:
    assert set(Settings.__dataclass_fields__) >= LIVE


def test_a_backend_is_retuned_between_two_frames() -> None:
    head = HeadSpec("yolo", ((10.0, 14.0),), 2)
    model = Model("m", Path("m.onnx"), (64, 64), (head,), ("a", "b"))
    backend = CpuBackend(model, DetectOptions(conf=0.5))
    raw = np.zeros((1, 7, 2, 2), np.float32)
    raw[0, 4:, 0, 0] = 1.0  # sigmoid 0.73 each: a score of 0.53
    fit = Letterbox.fit((64, 64), (64, 64))
    assert len(backend.detect([raw], fit)) == 2
    backend.retune(DetectOptions(conf=0.6))
    assert len(backend.detect([raw], fit)) == 0
    backend.retune(DetectOptions(conf=0.5, class_ids=frozenset({1})))
    assert backend.detect([raw], fit).class_ids.tolist() == [1]
    with pytest.raises(ValueError, match="class_ids"):
        backend.retune(DetectOptions(class_ids=frozenset({5})))
    assert backend.detect([raw], fit).class_ids.tolist() == [1]


class Running:
    """`edgeseg run` with a service manager's environment."""

    def __init__(self, folder: Path, *, watchdog_s: float = 2.0) -> None:
        self.folder = folder
        self.config = folder / "main.toml"
        self.lines = folder / "seen.jsonl"
        environment = {
            "WATCHDOG_USEC": str(round(watchdog_s * 1e6)),
            "STATE_DIRECTORY": str(folder / "state"),
            "RUNTIME_DIRECTORY": str(folder / "run"),
        }
        self.process = subprocess.Popen(
            [*EDGESEG, "run", "--config", str(self.config)],
            env=os.environ | environment, stderr=subprocess.PIPE, text=True, cwd=folder,
        )  # fmt: skip

    def rows(self) -> list[dict[str, object]]:
        part = self.lines.with_name("seen.jsonl.part")
        if not part.exists():
            return []
        return [json.loads(line) for line in part.read_text().splitlines()[:-1]]

    def wait(self, holds: Callable[[], bool], limit_s: float = 30.0) -> None:
        deadline_s = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < deadline_s
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


@pytest.fixture
def running(tmp_path: Path, manager: Manager) -> Iterator[Running]:
    cfg = write_small_net(tmp_path)
    (tmp_path / "main.toml").write_text(
        f'source = "test://?size=320x240&fps=25&live=1"\nmodel = "{cfg}"\nconf = 0.1\n'
        f'sink = ["{tmp_path / "seen.jsonl"}"]\nhealth = "unix:{tmp_path / "h"}"\n'
    )
    started = Running(tmp_path)
    yield started
    started.process.kill()
    started.process.communicate()


def test_sighup_reloads_and_a_later_sigterm_ends(running: Running, manager: Manager) -> None:
    while "READY=1" not in manager.next(30):
        assert running.process.poll() is None
    running.wait(lambda: len(running.rows()) > 10)
    assert running.rows()[-1]["objects"]
    running.config.write_text(running.config.read_text().replace("0.1", "0.99"))
    running.process.send_signal(signal.SIGHUP)
    running.wait(lambda: not running.rows()[-1]["objects"])
    running.config.write_text(running.config.read_text().replace("0.99", "7"))
    running.process.send_signal(signal.SIGHUP)
    seen = len(running.rows())
    running.wait(lambda: len(running.rows()) > seen + 10)
    code, err = running.end()
    assert code == 0
    assert "in force: conf = 0.99" in err
    assert f"{running.config}:3: --conf must be" in err
    said = manager.all()
    assert said.count("RELOADING=1") == 2
    assert said.index("STOPPING=1") > len(said) - 5
    assert said.count("WATCHDOG=1") >= 2
    times_s = [json.loads(line)["time_s"] for line in running.lines.read_text().splitlines()]
    assert times_s == sorted(set(times_s)), "the source was not opened again"


def test_sighup_before_the_first_result_ends_nothing(tmp_path: Path, manager: Manager) -> None:
    code = (
        "import os, signal, threading, time\n"
        "from edgeseg.cli import call\n"
        "from edgeseg import runner\n"
        "real = runner.load_model\n"
        "def hooked(settings):\n"
        "    os.kill(os.getpid(), signal.SIGHUP); time.sleep(0.2)\n"
        "    return real(settings)\n"
        "runner.load_model = hooked\n"
        f"raise SystemExit(call(['run', 'test://?frames=3&size=64x64', '--model', "
        f"{str(write_small_net(tmp_path))!r}, '--sink', 'null:']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "READY=1" in manager.all()


def test_an_abort_is_recorded_with_the_stacks(running: Running, manager: Manager) -> None:
    while "READY=1" not in manager.next(30):
        pass
    running.wait(lambda: len(running.rows()) > 25)
    code, _ = running.end(signal.SIGABRT)
    assert code == -signal.SIGABRT
    again = Running(running.folder)
    try:
        again.wait(lambda: bool(list((running.folder / "state/flight").glob("*-killed.zip"))))
    finally:
        again.end()
    from edgeseg.service.records import list_records, read_record

    (path,) = list_records(running.folder / "state/flight")
    record = read_record(path)
    assert "Fatal Python error: Aborted" in record.stacks
    assert "_perceive" in record.stacks
    assert len(record.moments) >= 3


def test_a_run_without_a_service_manager_keeps_no_record_and_serves_nothing(
    tmp_path: Path,
) -> None:
    from edgeseg.service.attend import attended, records_dir

    assert records_dir(Settings("test://")) is None
    with attended(Settings("test://")) as service:
        assert list(service.sinks) == []
    assert records_dir(Settings("test://", flight_record="off")) is None
    assert records_dir(Settings("test://", flight_record="here")) == Path("here")
