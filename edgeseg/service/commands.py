"""`edgeseg service`: keep a run going under systemd."""

from __future__ import annotations

import json as json_module
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from edgeseg.errors import ConfigError, ServiceError
from edgeseg.settings import Settings

app = App(
    name="service",
    help="Keep a run going as a systemd service.",
    help_format="plaintext",
)

UNIT_GROUP = Group("Unit", sort_key=0)
Flag = Annotated[bool, Parameter(negative=())]
Name = Annotated[str, Parameter(name="--instance")]


@Parameter(name="*", group=UNIT_GROUP)
@dataclass(frozen=True, kw_only=True)
class UnitOptions:
    """What `install` and `print` take besides the options of a run."""

    instance: str = "main"
    """Name of the instance: one configuration file, one running service."""
    root: Path = Path("/")
    """Write into this image of a system instead of the running one."""
    program: str | None = None
    """The edgeseg the service runs; default: this one."""
    watchdog: int = 30
    """Seconds without a result after which the service is restarted."""
    memory_max: str = "80%"
    """Memory the service may take, as systemd writes it."""


@app.command
def install(
    settings: Settings = Settings(),  # noqa: B008 - frozen
    options: UnitOptions = UnitOptions(),
    *,
    no_start: Flag = False,
    replace_config: Flag = False,
) -> int:
    """Install an instance and start it: edgeseg service install --camera 0 --conf 0.4.

    The options of a run become /etc/edgeseg/NAME.toml; --config FILE copies a
    file. Run again it changes nothing, or only what is to be changed.

    Parameters
    ----------
    no_start
        Only write the files.
    replace_config
        Put the given options in the place of an instance's configuration.
    """
    from edgeseg.service.setup import set_up

    for line in set_up(options, settings, start=not no_start, replace_config=replace_config):
        print(line)
    return 0


@app.command
def uninstall(
    *,
    instance: Annotated[str | None, Parameter(name="--instance")] = None,
    root: Path = Path("/"),
    purge: Flag = False,
) -> int:
    """Stop and remove the service, or one instance; recordings always stay.

    Parameters
    ----------
    instance
        Only this one; the others go on.
    root
        Remove from this image of a system instead of the running one.
    purge
        Remove configurations and the cache of models and engines as well.
    """
    from edgeseg.service.setup import take_down

    for line in take_down(instance, root, purge=purge):
        print(line)
    return 0


@app.command
def status(instance: str | None = None, *, json: Flag = False) -> int:
    """Show what the instances do; the exit code is 0 when all of them run.

    Parameters
    ----------
    instance
        Only this one.
    json
        Print it as JSON.
    """
    from edgeseg.service.instances import chosen_names, describe, look_at

    found = [look_at(name) for name in chosen_names(instance)]
    if json:
        rows = [
            {"name": one.name, "config": str(one.config), "unit": one.unit, "health": one.health}
            for one in found
        ]
        print(json_module.dumps(rows, indent=2))
    elif not found:
        print("no instance is installed: edgeseg service install --camera 0")
    else:
        print("\n".join(line for one in found for line in describe(one)))
    return 0 if found and all(one.active for one in found) else ServiceError.exit_code


@app.command
def logs(
    instance: str | None = None,
    *,
    follow: Annotated[bool, Parameter(alias="-f", negative=())] = False,
    lines: Annotated[int, Parameter(alias="-n")] = 100,
) -> int:
    """Show the newest log lines, from the journal.

    Parameters
    ----------
    instance
        Only this one.
    follow
        Go on showing new lines.
    lines
        How many to begin with.
    """
    from edgeseg.service.instances import unit_of

    unit = unit_of(instance) if instance is not None else "edgeseg@*.service"
    command = ["journalctl", "--unit", unit, "--lines", str(lines), "--no-pager"]
    if follow:
        command.append("--follow")
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise ServiceError(f"journalctl: {(error.strerror or str(error)).lower()}") from error


@app.command(name="print")
def print_files(
    settings: Settings = Settings(),  # noqa: B008 - frozen
    options: UnitOptions = UnitOptions(),
) -> int:
    """Print the files that `install` would write, and write nothing."""
    from edgeseg.service.plan import config_file, has_options, paths_file, system_files
    from edgeseg.service.setup import knobs

    files = system_files(knobs(options))
    if has_options(settings):
        files.insert(0, config_file(options.instance, settings))
        paths = paths_file(options.instance, settings)
        files[1:1] = [paths] if paths is not None else []
    for file in files:
        print(f"# --- {file.path}  ({file.mode:04o} root:{file.group})\n{file.text}")
    return 0


@app.command
def verify(
    instance: str | None = None, *, config_only: Flag = False, root: Path = Path("/")
) -> int:
    """Check configurations, units and how exposed the service is.

    Parameters
    ----------
    instance
        Only this one's configuration.
    config_only
        Leave the units out.
    root
        Look into this image of a system instead of the running one.
    """
    from edgeseg.service.setup import verified

    faults = 0
    for line, good in verified(instance, root, config_only=config_only):
        print(line, file=sys.stdout if good else sys.stderr)
        faults += not good
    return ConfigError.exit_code if faults else 0
