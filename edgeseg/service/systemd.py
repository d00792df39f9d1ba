"""Talk to systemd through its own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgeseg.errors import ServiceError

LIMIT_S = 60.0
RUNNING = Path("/run/systemd/system")
"""There when systemd is this machine's service manager; see sd_booted(3)."""


def booted() -> bool:
    """Tell whether systemd runs this machine."""
    return RUNNING.is_dir()


def run(*command: str, limit_s: float = LIMIT_S) -> str:
    """Run a program and give what it printed. Raises ServiceError with what it said."""
    done = attempt(*command, limit_s=limit_s)
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise ServiceError(f"{' '.join(command)}: {said}", hint=_hint())
    return done.stdout


def attempt(*command: str, limit_s: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Run a program; its exit code is the caller's affair. Raises ServiceError without it."""
    if shutil.which(command[0]) is None:
        raise ServiceError(f"{command[0]} is not installed", hint="This needs systemd.")
    environment = os.environ | {"SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{' '.join(command)} did not end in {limit_s:g} s") from error


def properties(unit: str, names: Sequence[str]) -> dict[str, str]:
    """Give properties of a unit as `systemctl show` prints them. Raises ServiceError."""
    text = run("systemctl", "show", unit, "--property", ",".join(names))
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _hint() -> str | None:
    return None if os.geteuid() == 0 else "Run it with sudo."
