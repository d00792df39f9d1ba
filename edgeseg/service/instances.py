"""The instances of this machine: their configuration, their unit, what they say of themselves."""

from __future__ import annotations

import http.client
import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeseg.errors import ConfigError, ServiceError
from edgeseg.service.address import Address, parse_address
from edgeseg.service.plan import CONFIG_DIR, checked_name
from edgeseg.service.systemd import properties

_ANSWER_S = 2.0
_LONGEST_ANSWER_BYTES = 1 << 20
_PROPERTIES = (
    "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "StatusText", "UnitFileState",
    "WatchdogUSec", "ExecMainStatus", "MemoryCurrent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instance:
    """One configuration file, and what runs of it."""

    name: str
    config: Path
    unit: dict[str, str] = field(default_factory=dict)
    """Properties of its unit; empty when systemd does not tell."""
    health: dict[str, Any] = field(default_factory=dict)
    """What /healthz answered; empty when nobody answers."""

    @property
    def unit_name(self) -> str:
        """The instance as systemd calls it."""
        return unit_of(self.name)

    @property
    def active(self) -> bool:
        """True when it runs and has delivered."""
        return self.unit.get("ActiveState") == "active"


def unit_of(name: str) -> str:
    """Give the unit's name of an instance."""
    return f"edgeseg@{checked_name(name)}.service"


def instance_names(folder: Path = CONFIG_DIR) -> list[str]:
    """Give the names of all instances that have a configuration.

    Raises ServiceError for a folder that may not be read.
    """
    # A folder that may not be read looks empty to glob.
    if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
        raise ServiceError(f"{folder} cannot be read", hint="Run it with sudo.")
    return sorted(path.stem for path in folder.glob("*.toml"))


def chosen_names(name: str | None, folder: Path = CONFIG_DIR) -> list[str]:
    """Give one instance, or all. Raises ConfigError for one that is not there."""
    names = instance_names(folder)
    if name is None:
        return names
    if checked_name(name) not in names:
        known = (
            f"There are: {', '.join(names)}" if names else "Install one: edgeseg service install"
        )
        raise ConfigError(f"no instance {name}: {folder / name}.toml is not there", hint=known)
    return [name]


def look_at(name: str) -> Instance:
    """Ask systemd and the health page about an instance. Raises ServiceError without systemd."""
    config = CONFIG_DIR / f"{name}.toml"
    return Instance(name, config, properties(unit_of(name), _PROPERTIES), ask_health(config))


def ask_health(config: Path) -> dict[str, Any]:
    """Give what /healthz of an instance answers; empty when nobody does."""
    from edgeseg.service.checks import check_config

    try:
        address = check_config(config).health
        if address is None:
            return {}
        answer = json.loads(_fetched(parse_address(address, "health")))
    except (ConfigError, OSError, ValueError, http.client.HTTPException):
        return {}
    return answer if isinstance(answer, dict) else {}


def _fetched(address: Address) -> bytes:
    connection = http.client.HTTPConnection("localhost", timeout=_ANSWER_S)
    family = (
        socket.AF_UNIX
        if address.path
        else socket.AF_INET6
        if ":" in address.host
        else socket.AF_INET
    )
    connection.sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.sock.settimeout(_ANSWER_S)
        where = str(address.path) if address.path else (address.host, address.port)
        connection.sock.connect(where)
        connection.request("GET", "/healthz")
        return connection.getresponse().read(_LONGEST_ANSWER_BYTES)
    finally:
        connection.close()


def describe(instance: Instance) -> list[str]:
    """Give an instance as lines."""
    unit, health = instance.unit, instance.health
    state = f"{unit.get('ActiveState', 'unknown')} ({unit.get('SubState', '')})"
    lines = [f"{instance.unit_name}  {state}, {unit.get('UnitFileState') or 'not installed'}"]
    if unit.get("Result") not in (None, "", "success"):
        lines.append(f"  ended by: {unit['Result']}, exit code {unit.get('ExecMainStatus')}")
    if unit.get("StatusText"):
        lines.append(f"  {unit['StatusText']}")
    lines.append(f"  restarts {unit.get('NRestarts', '0')}, watchdog {unit.get('WatchdogUSec')}")
    if health:
        lines.append(f"  {health.get('source')}, {health.get('model')}, {health.get('engine')}")
        stages = health.get("stages_ms")
        if isinstance(stages, dict):
            lines.append("  mean ms: " + "  ".join(f"{k} {v}" for k, v in stages.items()))
    lines.append(f"  configuration {instance.config}")
    return lines
