"""Install, remove and check the service: plans into files, files into a running service."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.errors import ConfigError, MissingDependencyError, ServiceError
from edgeseg.service import systemd, units
from edgeseg.service.checks import WORST_EXPOSURE, check_config, check_units, exposure
from edgeseg.service.install import inside, install_files, remove_files
from edgeseg.service.instances import chosen_names, instance_names, unit_of
from edgeseg.service.plan import (
    CACHE_DIR,
    CONFIG_DIR,
    STATE_DIR,
    File,
    checked_name,
    config_file,
    has_options,
    in_home,
    outside_folders,
    paths_file,
    refuse_hidden,
    system_files,
    this_program,
    unreadable_files,
)

if TYPE_CHECKING:
    from edgeseg.service.commands import UnitOptions
    from edgeseg.settings import Settings

HERE = Path("/")


def knobs(options: UnitOptions) -> units.Knobs:
    """Give what the unit file depends on. Raises ConfigError."""
    if not 2 <= options.watchdog <= 3600:
        raise ConfigError(f"--watchdog must be from 2 to 3600 seconds, got {options.watchdog}")
    if not options.memory_max.rstrip("%KMGT").isdigit() and options.memory_max != "infinity":
        raise ConfigError(f"--memory-max: {options.memory_max!r} is no size", hint="Try: 80% or 2G")
    program = (options.program,) if options.program is not None else this_program()
    if not Path(program[0]).is_absolute():
        raise ConfigError(f"--program {program[0]}: give the whole path")
    return units.Knobs(
        program,
        watchdog_s=options.watchdog,
        memory_max=options.memory_max,
        home_hidden=not in_home(Path(program[0])),
    )


def set_up(
    options: UnitOptions, settings: Settings, *, start: bool, replace_config: bool
) -> Iterator[str]:
    """Install an instance, and say what is done as it is done. Raises ConfigError, ServiceError."""
    live = options.root == HERE
    files, ran = _files(options, settings, replace_config=replace_config)
    if live:
        _require_root()
        if options.program is None:
            refuse_hidden(this_program())
            _require_pages(settings)
        if start and not systemd.booted():
            raise ServiceError(
                "systemd does not run this machine",
                hint="Write the files only: --no-start, or into an image: --root DIR.",
            )
    changes = install_files(files, options.root)
    yield from (f"{change:<9} {path}" for path, change in changes.items())
    yield from _users(options.root)
    yield from (
        f"note      {path}: the user {units.USER} must be allowed to write there"
        for path in outside_folders(ran)
    )
    unit = unit_of(options.instance)
    _systemctl(options.root, "enable", units.TARGET, unit)
    yield f"enabled   {unit}"
    if live and systemd.booted():
        systemd.run("systemctl", "daemon-reload")
        _tell_udev()
    if live and start:
        yield from _started(unit, changed=any(c != "unchanged" for c in changes.values()))


def _files(
    options: UnitOptions, settings: Settings, *, replace_config: bool
) -> tuple[list[File], Settings]:
    """Give the plan's files, and the settings a run of the instance will have.

    The configuration comes first, when there is one to write. Raises ConfigError.
    """
    files = system_files(knobs(options))
    path = inside(options.root, CONFIG_DIR / f"{checked_name(options.instance)}.toml")
    if not has_options(settings):
        if not path.is_file():
            raise ConfigError(
                f"{path} is not there, and no options were given",
                hint="Say what to run: edgeseg service install --camera 0",
            )
        ran = check_config(path)
        return [*_paths_file(options.instance, ran), *files], ran
    wanted = config_file(options.instance, settings)
    ran = _checked(wanted)
    if options.root == HERE:
        _refuse_unreadable(ran)
    if path.is_file() and path.read_text() != wanted.text and not replace_config:
        raise ConfigError(
            f"{path} is there already and says something else",
            hint="Edit it; or put the given options in its place: --replace-config",
        )
    return [wanted, *_paths_file(options.instance, ran), *files], ran


def _paths_file(name: str, settings: Settings) -> list[File]:
    file = paths_file(name, settings)
    return [] if file is None else [file]


def _refuse_unreadable(settings: Settings) -> None:
    for path in unreadable_files(settings):
        raise ConfigError(
            f"the service runs as user {units.USER}, who cannot read {path}",
            hint=f"Copy it, for example to /srv or {STATE_DIR}, and name it there.",
        )


def _checked(wanted: File) -> Settings:
    """Refuse a configuration that a run would refuse, before anything is written."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / wanted.path.name
        trial.write_text(wanted.text)
        return check_config(trial)


def _require_pages(settings: Settings) -> None:
    """Raise MissingDependencyError when the run would miss what its health page needs."""
    import importlib.util

    wanted = settings.health is not None or settings.config is None
    if wanted and importlib.util.find_spec("prometheus_client") is None:
        raise MissingDependencyError.of(
            "prometheus-client", "service", purpose="the health page of a service"
        )


def _users(root: Path) -> Iterator[str]:
    """Make the user and the folders now, where the tools for it are there."""
    where = [] if root == HERE else [f"--root={root}"]
    for tool, more in (("systemd-sysusers", []), ("systemd-tmpfiles", ["--create"])):
        if shutil.which(tool) is None:
            yield f"later     {tool} is not here: it must run when the system starts"
        else:
            systemd.run(tool, *where, *more, "edgeseg.conf")


def _systemctl(root: Path, *words: str) -> None:
    where = [] if root == HERE else [f"--root={root}"]
    systemd.run("systemctl", *where, *words)


def _tell_udev() -> None:
    # Without its daemon the rule is read when that starts.
    with contextlib.suppress(ServiceError):
        systemd.attempt("udevadm", "control", "--reload", limit_s=10.0)


def _started(unit: str, *, changed: bool) -> Iterator[str]:
    """Start the unit, anew when something changed; its first result is not waited for."""
    systemd.run("systemctl", "reset-failed", unit)
    systemd.run("systemctl", "start", "--no-block", units.TARGET)
    systemd.run("systemctl", "restart" if changed else "start", "--no-block", unit)
    yield f"{'restarted' if changed else 'started':<9} {unit}"
    yield "see it:   edgeseg service status   edgeseg service logs -f"


def take_down(instance: str | None, root: Path, *, purge: bool) -> Iterator[str]:
    """Stop and remove the service, or one instance of it. Raises ConfigError, ServiceError."""
    if root == HERE:
        _require_root()
    folder = inside(root, CONFIG_DIR)
    names = chosen_names(instance, folder) if instance else instance_names(folder)
    yield from _stopped([unit_of(name) for name in names], root)
    yield from _without_dropins(names, root)
    if instance is None:
        _systemctl_if_there(root, "disable", units.TARGET)
        paths = [file.path for file in reversed(system_files(units.Knobs(("/",))))]
        yield from (f"removed   {path}" for path in remove_files(paths, root))
        if root == HERE and systemd.booted():
            systemd.run("systemctl", "daemon-reload")
            _tell_udev()
    configs = [CONFIG_DIR / f"{name}.toml" for name in names]
    if purge:
        yield from (f"removed   {path}" for path in remove_files(configs, root))
        if instance is None:
            shutil.rmtree(inside(root, CACHE_DIR), ignore_errors=True)
            yield f"removed   {CACHE_DIR}"
    left = [*([] if purge else configs), *(STATE_DIR / name for name in names)]
    yield from _left(left, root)


def _without_dropins(names: Sequence[str], root: Path) -> Iterator[str]:
    for name in names:
        folder = Path(f"/etc/systemd/system/{unit_of(name)}.d")
        yield from (f"removed   {path}" for path in remove_files([folder / "10-paths.conf"], root))
        with contextlib.suppress(OSError):
            inside(root, folder).rmdir()  # unless the user put something there


def _stopped(unit_names: Sequence[str], root: Path) -> Iterator[str]:
    for unit in unit_names:
        now = ["--now"] if root == HERE and systemd.booted() else []
        _systemctl_if_there(root, "disable", *now, unit)
        yield f"stopped   {unit}"


def _systemctl_if_there(root: Path, *words: str) -> None:
    if inside(root, Path("/etc/systemd/system") / units.UNIT).exists():
        _systemctl(root, *words)


def _left(paths: Sequence[Path], root: Path) -> Iterator[str]:
    for path in paths:
        real = inside(root, path)
        if real.is_dir():
            files = [file for file in real.rglob("*") if file.is_file()]
            size_mb = sum(file.stat().st_size for file in files) / 1e6
            yield f"left      {path}: {len(files)} files, {size_mb:.1f} MB, recordings among them"
        elif real.exists():
            yield f"left      {path}"


def verified(instance: str | None, root: Path, *, config_only: bool) -> Iterator[tuple[str, bool]]:
    """Check what is installed; give a line for each thing and whether it is right."""
    for name in chosen_names(instance, inside(root, CONFIG_DIR)):
        path = inside(root, CONFIG_DIR / f"{name}.toml")
        try:
            check_config(path)
        except ConfigError as error:
            yield str(error), False
        else:
            yield f"ok  {path}", True
    if config_only:
        return
    folder = inside(root, Path("/etc/systemd/system"))
    paths = [folder / units.TARGET, folder / units.UNIT]
    for path in paths:
        if not path.is_file():
            yield f"{path} is not there: edgeseg service install", False
            return
    said = check_units(paths)
    yield from ((line, False) for line in said)
    if not said:
        yield "ok  " + " ".join(map(str, paths)), True
    score = exposure(paths[1])
    if score is None:
        yield "--  exposure: this systemd cannot tell (before 250)", True
    else:
        yield f"ok  exposure {score:g} of 10, {WORST_EXPOSURE:g} allowed", score <= WORST_EXPOSURE


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ServiceError(
            "only root can change this machine's services",
            hint=f"sudo {this_program()[0]} service …, or write into an image: --root DIR",
        )
