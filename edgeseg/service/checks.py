"""Checks of what is installed: configuration files, units, and how exposed they are."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgeseg.errors import ConfigError, EdgesegError
from edgeseg.service.systemd import attempt
from edgeseg.settings import Settings

WORST_EXPOSURE = 2.5
"""Of 10, as `systemd-analyze security` counts; more is a mistake in the unit."""
_SCORE = re.compile(r"Overall exposure level[^:]*: ([0-9.]+)")


def check_config(path: Path) -> Settings:
    """Read a configuration as a run would. Raises ConfigError that says file and line."""
    from edgeseg.cli import settings_of
    from edgeseg.config_file import placed
    from edgeseg.sinks import make_sinks

    settings, origins = settings_of(("run", "--config", str(path)))
    try:
        _ = settings.uri
        make_sinks(settings.sink)
    except EdgesegError as error:
        found = placed(error, origins)
        text = found.message if found is not error else f"{path}: {error.message}"
        raise ConfigError(text, hint=error.hint) from error
    return settings


def check_units(paths: Sequence[Path]) -> list[str]:
    """Give systemd's objections to units that lie in one folder; none is empty.

    Raises ServiceError without systemd-analyze.
    """
    command = ("systemd-analyze", "verify", "--man=no")
    done = attempt(*command, "--recursive-errors=no", *map(str, paths))
    if "unrecognized option" in done.stderr:  # before systemd 250
        done = attempt(*command, *map(str, paths))
    said = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode and not said:
        said = [f"systemd-analyze verify: exit code {done.returncode}"]
    return said


def exposure(unit: Path) -> float | None:
    """Give how exposed a unit is, from 0 to 10; None when systemd is too old to say."""
    with tempfile.TemporaryDirectory() as folder:
        # Asked about a template it answers nothing: an instance is what can be exposed.
        instance = Path(folder) / unit.name.replace("@.", "@verify.")
        shutil.copyfile(unit, instance)
        done = attempt("systemd-analyze", "security", "--offline=true", "--no-pager", str(instance))
    found = _SCORE.search(done.stdout)
    with contextlib.suppress(ValueError):
        return float(found[1]) if found else None
    return None
