"""Where the options of a run come from: flags, then the environment, then a TOML file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cyclopts import ArgumentCollection
from cyclopts.config import Dict, Env

from edgeseg.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENV_PREFIX = "EDGESEG_"

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
        steps.append(Dict(table, source=str(path), use_commands_as_keys=False))
    return [*steps, lambda _app, _commands, arguments: _note_origins(arguments, origins)]


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
        raise ConfigError(
            f"{path}: {error}", hint="It must be TOML, such as: conf = 0.4"
        ) from error
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
