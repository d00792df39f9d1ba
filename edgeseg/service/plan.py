"""What `edgeseg service install` would write: the files, their owners, the configuration."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import ConfigError
from edgeseg.report import toml_value
from edgeseg.service import units
from edgeseg.settings import Settings, option_names

CONFIG_DIR = Path("/etc/edgeseg")
STATE_DIR = Path("/var/lib/edgeseg")
CACHE_DIR = Path("/var/cache/edgeseg")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LIVE_ONLY = frozenset({"show", "headless", "config", "max_frames"})

CONFIG_HEAD = """\
# edgeseg, instance {name}: keys are the options of `edgeseg run` (docs/OPTIONS.md).
# After a change: systemctl reload edgeseg@{name}   (detection; no frame is lost)
#            or:  systemctl restart edgeseg@{name}  (anything else)
# Check it:       edgeseg service verify {name}
# Relative paths lie in /var/lib/edgeseg/{name}.

"""


@dataclass(frozen=True, slots=True)
class File:
    """One file to write; `path` is absolute inside the root."""

    path: Path
    text: str
    mode: int = 0o644
    group: str = "root"


def system_files(knobs: units.Knobs) -> list[File]:
    """Give what is the same for all instances; the units last: they need the rest."""
    return [
        File(Path("/etc/sysusers.d/edgeseg.conf"), units.sysusers()),
        File(Path("/etc/tmpfiles.d/edgeseg.conf"), units.tmpfiles()),
        File(Path("/etc/udev/rules.d/70-edgeseg.rules"), units.udev_rules()),
        File(Path("/etc/systemd/system") / units.TARGET, units.target_unit()),
        File(Path("/etc/systemd/system") / units.UNIT, units.service_unit(knobs)),
    ]


def config_file(name: str, settings: Settings) -> File:
    """Give the configuration of an instance: `settings.config` as it is, or the options given.

    Raises ConfigError.
    """
    path = CONFIG_DIR / f"{checked_name(name)}.toml"
    text = _copied(settings) if settings.config is not None else config_text(name, settings)
    return File(path, text, 0o640, units.USER)


def paths_file(name: str, settings: Settings) -> File | None:
    """Give the drop-in that lets an instance write outside of its own folder; None: no need."""
    folders = outside_folders(settings)
    if not folders:
        return None
    path = Path(f"/etc/systemd/system/edgeseg@{checked_name(name)}.service.d/10-paths.conf")
    return File(path, units.paths_dropin(folders))


def outside_folders(settings: Settings) -> list[Path]:
    """Give the folders outside of /var/lib/edgeseg that a run writes to."""
    from edgeseg.sinks import targets

    named = [path.parent if path.suffix else path for path in targets(settings.sink)]
    named += [settings.output]
    if settings.flight_record not in (None, "off"):
        named.append(Path(str(settings.flight_record)))
    outside = {path for path in named if path.is_absolute() and STATE_DIR not in path.parents}
    return sorted(outside)


def unreadable_files(settings: Settings) -> list[Path]:
    """Give the files that a run reads and the service's own user cannot."""
    texts = [settings.source or "", settings.model, settings.weights, settings.names]
    paths = [Path(text) for text in texts if text is not None]
    found = [path for path in paths if path.is_absolute() and path.exists()]
    return [path for path in found if in_home(path) or first_closed(path) is not None]


def config_text(name: str, settings: Settings) -> str:
    """Write the options that were given as TOML. Raises ConfigError without a source."""
    source = settings.uri  # says how to name one
    given = _given(settings)
    if given.get("source"):
        given["source"] = _absolute(source)
    for field in ("model", "weights", "names"):
        if field in given:
            given[field] = _absolute(str(given[field]))
    if settings.health is None:
        given["health"] = f"unix:/run/edgeseg/{name}/health.sock"
    if settings.reconnect_s == _default("reconnect_s"):
        given["reconnect_s"] = math.inf
    if not settings.sink:
        given["sink"] = ("null:",)
    names = option_names()
    lines = [f"{names[field]} = {toml_value(value)}" for field, value in given.items()]
    return CONFIG_HEAD.format(name=name) + "\n".join(lines) + "\n"


def has_options(settings: Settings) -> bool:
    """Tell whether any option of a run was given."""
    return settings != Settings()


def checked_name(name: str) -> str:
    """Give an instance's name back. Raises ConfigError for one that systemd would not take."""
    if not _INSTANCE.fullmatch(name):
        raise ConfigError(
            f"an instance cannot be called {name!r}", hint="Letters, digits, - _ and . may be used."
        )
    return name


def this_program() -> tuple[str, ...]:
    """Give the command that runs this very edgeseg."""
    script = Path(sys.executable).with_name("edgeseg")
    if script.is_file():
        return (str(script),)
    return (sys.executable, "-m", "edgeseg")


def refuse_hidden(program: tuple[str, ...]) -> None:
    """Raise ConfigError when the service's own user cannot reach the program or its files."""
    import edgeseg

    for path in (Path(program[0]), Path(sys.executable).resolve(), Path(edgeseg.__file__)):
        closed = first_closed(path)
        if closed is not None:
            raise ConfigError(
                f"the service runs as user {units.USER}, who cannot enter {closed} ({path})",
                hint="Install edgeseg where all may read it, then run that one: python3 -m venv "
                "--system-site-packages /opt/edgeseg && /opt/edgeseg/bin/pip install edgeseg",
            )


def first_closed(path: Path) -> Path | None:
    """Give the first folder on the way to `path` that others may not enter, or the file itself."""
    for folder in reversed(path.parents):
        if folder.exists() and not folder.stat().st_mode & 0o001:
            return folder
    return path if path.exists() and not path.stat().st_mode & 0o004 else None


def in_home(path: Path) -> bool:
    """Tell whether `ProtectHome=yes` would hide the path."""
    real = Path(os.path.realpath(path))
    return any(
        home in candidate.parents
        for home in (Path("/home"), Path("/root"), Path("/run/user"))
        for candidate in (path, real)
    )


def _copied(settings: Settings) -> str:
    if settings.config is None or settings != Settings(config=settings.config):
        raise ConfigError(
            "--config gives all options, and others were given as well",
            hint="Put them into the file.",
        )
    try:
        return settings.config.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{settings.config}: {error}") from error


def _given(settings: Settings) -> dict[str, object]:
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(Settings)
        if field.name not in _LIVE_ONLY and getattr(settings, field.name) != field.default
    }


def _default(name: str) -> object:
    return next(field.default for field in dataclasses.fields(Settings) if field.name == name)


def _absolute(text: str) -> str:
    """Give a file's full path; anything else, as an address or a model's name, as it is."""
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() else text
