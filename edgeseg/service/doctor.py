"""What `edgeseg doctor` looks at around the service."""

from __future__ import annotations

import grp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgeseg.doctor import Finding
from edgeseg.errors import ServiceError
from edgeseg.service import systemd
from edgeseg.service.instances import instance_names, look_at
from edgeseg.service.units import USER

CAMERAS = "/dev"


def findings() -> Iterator[Finding]:
    """Look at groups, instances and what the health page needs."""
    yield from camera_group()
    yield _metrics()
    if not systemd.booted() or shutil.which("systemctl") is None:
        yield Finding("service", "systemd does not run this machine", ok=False)
        return
    yield from instances()


def camera_group() -> Iterator[Finding]:
    """Say whether the user may open the cameras there are."""
    nodes = sorted(Path(CAMERAS).glob("video[0-9]*"))
    closed = [str(node) for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        fix = "sudo usermod -aG video $USER, then log in again"
        yield Finding("camera access", f"{', '.join(closed)} cannot be opened", ok=False, fix=fix)
    for name in ("video", "render"):
        try:
            members = grp.getgrnam(name).gr_mem
        except KeyError:
            continue
        if user_exists() and USER not in members:
            fix = f"sudo usermod -aG {name} {USER} && sudo systemctl restart edgeseg.target"
            yield Finding("service's user", f"not in group {name}", ok=False, fix=fix)


def instances() -> Iterator[Finding]:
    """Say how each instance does, and whether a watchdog looks after it."""
    try:
        names = instance_names()
    except ServiceError as error:
        yield Finding("service", error.message, ok=False, fix="sudo edgeseg doctor")
        return
    if not names:
        fix = "to keep a run going: sudo edgeseg service install --camera 0"
        yield Finding("service", "not installed", ok=False, fix=fix)
    for name in names:
        unit = look_at(name).unit
        state = unit.get("ActiveState", "unknown")
        text = f"{state}, {unit.get('UnitFileState') or 'not enabled'}"
        text += f", {unit.get('NRestarts', '0')} restarts; {unit.get('StatusText') or 'no status'}"
        fix = f"edgeseg service logs {name}"
        yield Finding(f"service {name}", text, ok=state == "active", fix=fix)
        watched = unit.get("WatchdogUSec", "0") not in ("0", "infinity")
        fix = "edgeseg service install writes a unit that has one"
        limit = unit.get("WatchdogUSec", "") if watched else "none: a hang is not noticed"
        yield Finding(f"watchdog {name}", limit, ok=watched, fix=fix)


def user_exists() -> bool:
    """Tell whether the service's user is there."""
    import pwd

    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _metrics() -> Finding:
    import importlib.util

    if importlib.util.find_spec("prometheus_client") is None:
        fix = "pip install 'edgeseg[service]'   (for --health)"
        return Finding("prometheus-client", "not installed", ok=False, fix=fix)
    return Finding("prometheus-client", "installed")
