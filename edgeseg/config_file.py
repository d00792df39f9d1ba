"""Where the options of a run come from: flags, then the environment, then a TOML file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cyclopts import ArgumentCollection, CycloptsError
from cyclopts.config import Dict, Env

from edgeseg.errors import ConfigError, EdgesegError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENV_PREFIX = "EDGESEG_"

_COMMANDS = ("run", "segments", "config")
"""Those that take the options of a file."""

ConfigStep = Callable[[Any, tuple[str, ...], ArgumentCollection], None]


def find_config(tokens: Sequence[str]) -> Path | None:
    """Give the TOML file of this call: --config, $EDGESEG_CONFIG, ./edgeseg.toml, the user's.

    Raises ConfigError when one was named and is not there.
    """
    named = _flag_value(tokens, "--config") or os.environ.get(ENV_PREFIX + "CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"no config file {path}", hint="Check --config or EDGESEG_CONFIG.")
        return path
    import platformdirs

    usual = (Path("edgeseg.toml"), Path(platformdirs.user_config_dir("edgeseg")) / "config.toml")
    return next((path for path in usual if _is_file(path)), None)


def config_steps(path: Path | None, origins: dict[str, str]) -> list[ConfigStep]:
    """Give the steps that fill in what the flags left open, strongest first.

    The last one notes in `origins` where each option's value came from, by
    parameter name. Raises ConfigError for a file that is no TOML.
    """
    steps: list[ConfigStep] = [Env(ENV_PREFIX, command=False, show=False)]
    if path is not None:
        table = _read_toml(path)
        # By command, for cyclopts passes over top keys that are names of commands: `labels`.
        steps.append(Dict(dict.fromkeys(_COMMANDS, table), source=str(path)))
    return [*steps, lambda _app, _commands, arguments: _note_origins(arguments, origins)]


def line_of(path: Path, key: str) -> int | None:
    """Give the line of a TOML file that sets `key`; None when none is found."""
    name = re.escape(key).replace("_", "[-_]").replace(r"\-", "[-_]")
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    setting = re.compile(rf"""\s*(\[+\s*)?["']?{name}["']?\s*(\.|=|\])""")
    return next((number for number, line in enumerate(lines, 1) if setting.match(line)), None)


def said_of_file(error: CycloptsError) -> str | None:
    """Say what is wrong as `file:line: …` when it stands in a config file, else None."""
    token = getattr(error, "token", None)
    if token is None or not token.source or not Path(token.source).is_file():
        return None
    keys = [key for key in str(token.keyword or "").strip("[]").split("][") if key not in _COMMANDS]
    line = line_of(Path(token.source), keys[0]) if keys else None
    text = str(error).replace(f" from {token.source}", "")
    text = re.sub(rf"\[({'|'.join(_COMMANDS)})\](?=\[)", "", text)
    return f"{token.source}:{line}: {text}" if line else f"{token.source}: {text}"


def placed(error: EdgesegError, origins: dict[str, str]) -> EdgesegError:
    """Put `file:line:` before the message of a wrong option that a file has set."""
    named = re.search(r"--([a-z][a-z-]*)|\b(sink)s?\b", error.message)
    option = named[1] or named[2] if named else ""
    origin = Path(origins.get(option, ""))
    if not isinstance(error, ConfigError) or not option or not origin.is_file():
        return error
    line = line_of(origin, option)
    place = f"{origin}:{line}" if line else str(origin)
    return ConfigError(f"{place}: {error.message}", hint=error.hint)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder we may not search holds no file for us
        return False


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        at = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        text = f"{path}:{at[1]}: {str(error)[: at.start()]}" if at else f"{path}: {error}"
        raise ConfigError(text, hint="It must be TOML, such as: conf = 0.4") from error
    # TOML spells names as Python does or as the flags do; both are welcome.
    return {key.replace("_", "-"): value for key, value in table.items()}


def _note_origins(arguments: ArgumentCollection, origins: dict[str, str]) -> None:
    for argument in arguments:
        if argument.tokens:
            source = argument.tokens[0].source
            if source == "env":
                source = argument.tokens[0].keyword or source
            origins[argument.name.lstrip("-")] = "flag" if source == "cli" else source


def _flag_value(tokens: Sequence[str], flag: str) -> str | None:
    for number, token in enumerate(tokens):
        if token == flag and number + 1 < len(tokens):
            return tokens[number + 1]
        if token.startswith(flag + "="):
            return token.partition("=")[2]
    return None
