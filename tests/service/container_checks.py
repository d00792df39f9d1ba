"""What edgeseg promises as a service, checked on a systemd that container.sh has prepared.

Runs outside of the container, as root, and enters it for each step.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONFIG = "/etc/edgeseg/main.toml"
STATE = "/var/lib/edgeseg/main"
LINES = f"{STATE}/recordings/seen.jsonl"
UNIT = "edgeseg@main.service"
EDGESEG = "/opt/edgeseg/bin/edgeseg"
SCENE = "test://?size=320x240&fps=25&live=1"
WATCHDOG_S = 4
INSTALL = [
    EDGESEG, "service", "install", SCENE, "--model", "/srv/net/small.cfg", "--conf", "0.1",
    "--sink", LINES.removeprefix(f"{STATE}/"), "--watchdog", str(WATCHDOG_S),
]  # fmt: skip

CHECKS: list[Callable[[Guest], None]] = []


class Guest:
    """The running container."""

    def __init__(self, leader: int) -> None:
        self._enter = ["nsenter", "-t", str(leader), "-m", "-p", "-u", "-i", "-n", "-C"]

    def run(self, *command: str, code: int | None = 0) -> str:
        """Run a command in the container and give what it printed; `code` None: any."""
        done = subprocess.run(
            [*self._enter, *command], capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        if code is not None and done.returncode != code:
            raise AssertionError(
                f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout + done.stderr

    def show(self, name: str, unit: str = UNIT) -> str:
        """Give a property of a unit."""
        return self.run("systemctl", "show", unit, "--property", name, "--value").strip()

    def health(self, page: str = "healthz") -> str:
        """Give a health page."""
        socket = "/run/edgeseg/main/health.sock"
        return self.run("curl", "-s", "-m", "5", "--unix-socket", socket, f"http://x/{page}")

    def facts(self) -> dict[str, Any]:
        """Give /healthz, taken apart."""
        return dict(json.loads(self.health()))

    def journal(self, since: str = "-1h") -> str:
        """Give the unit's log."""
        return self.run("journalctl", "-u", UNIT, "--no-pager", "-o", "cat", "--since", since)

    def edit(self, before: str, after: str) -> None:
        """Change the configuration."""
        self.run("sed", "-i", f"s|{before}|{after}|", CONFIG)
        assert after in self.run("cat", CONFIG)

    def wait(self, what: str, holds: Callable[[], bool], limit_s: float = 15.0) -> float:
        """Wait until something holds, and give how long it took."""
        start_s = time.monotonic()
        while not holds():
            if time.monotonic() - start_s > limit_s:
                raise AssertionError(f"{what}: not within {limit_s:g} s\n{self.journal()[-3000:]}")
            time.sleep(0.1)
        return time.monotonic() - start_s

    def running(self) -> bool:
        """Tell whether the unit has become ready and stayed so."""
        return self.show("ActiveState") == "active"

    def records(self) -> list[str]:
        """Give the flight records."""
        return self.run("find", f"{STATE}/flight", "-name", "flight-*.zip").split()


def check(promise: Callable[[Guest], None]) -> Callable[[Guest], None]:
    """Add a check; its name is the promise."""
    CHECKS.append(promise)
    return promise


@check
def install_starts_a_service_of_its_own_user(guest: Guest) -> None:
    said = guest.run(*INSTALL)
    assert f"written   {CONFIG}" in said, said
    guest.wait("active", guest.running)
    status = guest.run("cat", f"/proc/{guest.show('MainPID')}/status")
    number = guest.run("id", "-u", "edgeseg").strip()
    assert f"Uid:\t{number}\t{number}" in status, status
    assert {"edgeseg", "video", "render"} <= set(guest.run("id", "-nG", "edgeseg").split())
    assert guest.run("stat", "-c", "%a %U %G", CONFIG).split() == ["640", "root", "edgeseg"]


@check
def ready_means_that_a_result_was_delivered(guest: Guest) -> None:
    guest.run("systemctl", "restart", UNIT)  # comes back when the unit is ready
    facts = guest.facts()
    assert facts["state"] == "running", facts
    assert facts["frames"] >= 1, facts
    assert guest.show("StatusText").startswith("running: "), guest.show("StatusText")


@check
def installing_again_changes_nothing(guest: Guest) -> None:
    process = guest.show("MainPID")
    said = guest.run(*INSTALL)
    assert "written" not in said, said
    assert "changed  " not in said.replace("unchanged", ""), said
    time.sleep(1)
    assert guest.show("MainPID") == process


@check
def the_health_pages_show_the_frames(guest: Guest) -> None:
    before = guest.facts()["frames"]
    time.sleep(1.2)
    assert guest.facts()["frames"] > before
    metrics = guest.health("metrics")
    assert 'edgeseg_state{state="running"} 1.0' in metrics, metrics
    assert "edgeseg_stage_seconds_count" in metrics
    assert json.loads(guest.health("readyz"))["state"] == "running"
    assert "Not Found" in guest.health("nothing")


@check
def systemd_has_no_objection_and_the_service_is_little_exposed(guest: Guest) -> None:
    said = guest.run(EDGESEG, "service", "verify")
    assert "exposure" in said, said
    print("      " + said.strip().splitlines()[-1])


@check
def status_and_logs_tell(guest: Guest) -> None:
    said = guest.run(EDGESEG, "service", "status")
    assert "active (running), enabled" in said, said
    assert "running: " in said
    assert "health page" in guest.run(EDGESEG, "service", "logs", "main")
    entry = guest.run(
        "journalctl", "-u", UNIT, "-o", "json", "-n", "50", "EDGESEG_LOGGER=edgeseg.service.attend"
    )
    assert json.loads(entry.splitlines()[0])["PRIORITY"] == "6", entry


@check
def a_killed_process_is_back_in_less_than_5_s(guest: Guest) -> None:
    process = guest.show("MainPID")
    start_s = time.monotonic()
    guest.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", UNIT)
    guest.wait("again active", lambda: guest.show("MainPID") != process and guest.running())
    guest.wait("frames", lambda: guest.facts()["state"] == "running")
    took_s = time.monotonic() - start_s
    print(f"      back after {took_s:.1f} s")
    assert took_s < 5.0
    assert guest.show("NRestarts") == "1"
    assert any("killed" in name for name in guest.records()), guest.records()
    said = guest.run(EDGESEG, "replay", f"{STATE}/flight", "--output", "/tmp/last")
    assert "reason  killed" in said, said
    assert guest.run("find", "/tmp/last", "-name", "*.jpg"), said


@check
def a_hung_process_is_restarted_by_the_watchdog(guest: Guest) -> None:
    process = guest.show("MainPID")
    start_s = time.monotonic()
    guest.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", UNIT)
    guest.wait("again active", lambda: guest.show("MainPID") != process and guest.running(), 20)
    print(f"      back after {time.monotonic() - start_s:.1f} s, the watchdog waits {WATCHDOG_S} s")
    assert guest.show("NRestarts") == "2"
    assert "Watchdog timeout" in guest.journal()
    said = guest.run(EDGESEG, "replay", f"{STATE}/flight")
    assert "Fatal Python error: Aborted" in said, said


@check
def reload_takes_over_without_a_gap(guest: Guest) -> None:
    process = guest.show("MainPID")
    seen = count_objects(guest)
    guest.edit("conf = 0.1", "conf = 0.99")
    guest.run("systemctl", "reload", UNIT)
    guest.wait("no object any more", lambda: count_objects(guest) == 0 < seen)
    assert guest.show("MainPID") == process
    assert guest.running()
    times_s = [row["time_s"] for row in rows(guest, 200)]
    gap_s = max(b - a for a, b in itertools.pairwise(times_s))
    print(f"      longest time between two results {gap_s * 1e3:.0f} ms, of one frame 40 ms")
    assert gap_s < 0.5


@check
def reload_refuses_a_wrong_file_and_names_the_line(guest: Guest) -> None:
    process = guest.show("MainPID")
    guest.edit("conf = 0.99", "conf = 7")
    guest.run("systemctl", "reload", UNIT, code=1)
    place = f"{CONFIG}:{line_of(guest, 'conf = 7')}: "
    assert place in guest.journal(), guest.journal()[-2000:]
    assert guest.show("MainPID") == process
    assert guest.facts()["state"] == "running"


@check
def a_wrong_file_starts_no_loop(guest: Guest) -> None:
    guest.run("systemctl", "restart", UNIT, code=None)
    guest.wait("failed", lambda: guest.show("ActiveState") == "failed")
    restarts = guest.show("NRestarts")
    time.sleep(3)
    assert guest.show("ActiveState") == "failed"
    assert guest.show("NRestarts") == restarts
    assert guest.show("ExecMainStatus") == "2"
    assert f"{CONFIG}:{line_of(guest, 'conf = 7')}: --conf must be" in guest.journal()
    guest.run(EDGESEG, "service", "verify", code=2)


@check
def the_target_of_the_udev_rule_starts_what_is_down(guest: Guest) -> None:
    guest.edit("conf = 7", "conf = 0.1")
    guest.run("systemctl", "start", "edgeseg.target")
    guest.wait("active", guest.running)


@check
def a_second_instance_comes_and_goes_alone(guest: Guest) -> None:
    process = guest.show("MainPID")
    words = [word for word in INSTALL if word not in ("--sink", INSTALL[9])]
    guest.run(*words, "--instance", "second")
    second = "edgeseg@second.service"
    guest.wait("second", lambda: guest.show("ActiveState", second) == "active")
    guest.run(EDGESEG, "service", "uninstall", "--instance", "second", "--purge")
    assert guest.show("ActiveState", second) == "inactive"
    assert guest.show("MainPID") == process


@check
def uninstall_leaves_the_recordings_and_says_where(guest: Guest) -> None:
    guest.run("test", "-f", f"{LINES}.part")
    said = guest.run(EDGESEG, "service", "uninstall")
    assert f"left      {STATE}: " in said, said
    assert f"left      {CONFIG}" in said, said
    units = guest.run("systemctl", "list-unit-files", "--no-pager", "edgeseg*", code=None)
    assert "edgeseg" not in units, units
    assert guest.run("systemctl", "is-active", UNIT, code=None).strip() == "inactive"
    last = json.loads(guest.run("tail", "-n", "1", LINES))  # finished in order, whole
    assert last["width"] == 320
    assert guest.run("find", "/etc", "-name", "*edgeseg*").split() == ["/etc/edgeseg"]


def rows(guest: Guest, count: int) -> list[dict[str, Any]]:
    """Give the newest results of the run's own file."""
    return [
        json.loads(line)
        for line in guest.run("tail", "-n", str(count), f"{LINES}.part").splitlines()
    ]


def count_objects(guest: Guest) -> int:
    return len(rows(guest, 1)[0]["objects"])


def line_of(guest: Guest, text: str) -> int:
    lines = guest.run("cat", CONFIG).splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(text))


@contextmanager
def booted(system: Path, console: Path) -> Iterator[Guest]:
    """Boot the container on a copy in memory: the next time finds it as it was."""
    command = [
        "systemd-nspawn", "-D", str(system), "--volatile=overlay", "--register=no", "--keep-unit",
        "--boot", "--private-network", "--machine=edgeseg-test", "--quiet",
    ]  # fmt: skip
    with console.open("wb") as log:
        nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        leader = wait_for_boot(nspawn)
        if leader is None:
            print(f"SKIPPED: the container does not boot here, see {console}", file=sys.stderr)
            print(console.read_text(errors="replace")[-1500:], file=sys.stderr)
            sys.exit(77)
        yield Guest(leader)
        os.kill(leader, signal.SIGRTMIN + 4)  # power off in order
        nspawn.wait(30)
    finally:
        if nspawn.poll() is None:
            nspawn.terminate()
            try:
                nspawn.wait(10)
            except subprocess.TimeoutExpired:
                nspawn.kill()


def wait_for_boot(nspawn: subprocess.Popen[bytes]) -> int | None:
    until_s = time.monotonic() + 40
    while time.monotonic() < until_s and nspawn.poll() is None:
        children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split()
        if children:
            state = Guest(int(children[0])).run("systemctl", "is-system-running", code=None)
            if state.strip() in ("running", "degraded"):
                return int(children[0])
        time.sleep(0.2)
    return None


def main(system: Path, console: Path) -> int:
    """Run all checks and give the exit code."""
    failed = 0
    start_s = time.monotonic()
    with booted(system, console) as guest:
        print(f"booted after {time.monotonic() - start_s:.1f} s")
        for promise in CHECKS:
            begun_s = time.monotonic()
            try:
                promise(guest)
                verdict = "PASS"
            except Exception:  # noqa: BLE001 - the others are still to be checked
                print("\n".join(traceback.format_exc().splitlines()[-12:]))
                failed += 1
                verdict = "FAIL"
            took_s = time.monotonic() - begun_s
            print(f"{verdict}  {promise.__name__.replace('_', ' ')}  ({took_s:.1f} s)", flush=True)
    verdict = f"{failed} failed" if failed else "all passed"
    print(f"{verdict} in {time.monotonic() - start_s:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
