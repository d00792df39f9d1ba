"""Promises of edgeseg.service.notify."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from service_manager import Manager

from edgeseg.service.notify import (
    managed,
    notify,
    reloading,
    starting,
    status,
    telling,
    watchdog_s,
)


def test_without_a_manager_nothing_is_sent() -> None:
    assert not managed()
    assert notify("READY=1") is False


def test_states_arrive_as_lines_of_one_message(manager: Manager) -> None:
    assert managed()
    assert notify("READY=1", status("two\nlines  here")) is True
    assert manager.next() == ["READY=1", "STATUS=two lines here"]


def test_a_name_in_the_abstract_space_works(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"edgeseg-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert notify("WATCHDOG=1")
        assert receiver.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["/nowhere/at/all", "vsock:2:1", "relative", "/" + "a" * 300])
def test_a_manager_out_of_reach_raises_nothing(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert notify("READY=1") is False


def test_a_manager_that_reads_nothing_costs_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeseg.service.notify._LONGEST_WAIT_S", 0.2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        while notify("X=1", wait=False):
            pass
        start_s = time.monotonic()
        for _ in range(100):
            assert not notify("WATCHDOG=1", wait=False)
        assert time.monotonic() - start_s < 0.15
        assert not notify("READY=1")
        assert 0.15 < time.monotonic() - start_s < 5


def test_the_watchdogs_time_is_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watchdog_s() is None
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    assert watchdog_s() == 4.0
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_s() == 4.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_s() is None
    monkeypatch.delenv("WATCHDOG_PID")
    for nonsense in ("", "soon", "0", "-5"):
        monkeypatch.setenv("WATCHDOG_USEC", nonsense)
        assert watchdog_s() is None


def test_a_step_of_the_start_asks_for_its_time(manager: Manager) -> None:
    starting("building the engine", at_most_s=90)
    assert manager.next() == ["EXTEND_TIMEOUT_USEC=90000000", "STATUS=building the engine"]


def test_a_reload_says_when_it_began() -> None:
    began, when = reloading()
    assert began == "RELOADING=1"
    assert abs(int(when.removeprefix("MONOTONIC_USEC=")) / 1e6 - time.monotonic()) < 5


def test_an_engines_build_asks_for_time_while_it_goes_on(manager: Manager) -> None:
    shares: list[float] = []
    tell = telling(lambda share, _phase: shares.append(share))
    assert tell is not None
    tell(0.25, "tactics")
    tell(0.5, "tactics")
    assert shares == [0.25, 0.5]
    said = manager.all()
    assert len(said) == 2, "not at every step"
    assert said[0] == "EXTEND_TIMEOUT_USEC=900000000"
    assert said[1] == "STATUS=building the engine, 25%: tactics"


def test_without_a_manager_a_build_is_as_it_was() -> None:
    def progress(share: float, phase: str) -> None: ...

    assert telling(progress) is progress
    assert telling(None) is None
