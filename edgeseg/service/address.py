"""Where the health page listens: a TCP address or a Unix socket."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import ConfigError

_UNIX_LONGEST = 107  # bytes of sun_path, less its end


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen; `path` for a Unix socket, else `host` and `port`."""

    host: str = "127.0.0.1"
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True when only this machine reaches it."""
        return self.path is not None or ipaddress.ip_address(self.host).is_loopback


def parse_address(text: str, option: str) -> Address:
    """Read `9090`, `127.0.0.1:9090`, `[::1]:9090` or `unix:/path`; `option` names it in errors.

    A port alone listens on this machine only. Raises ConfigError.
    """
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:"))
        if not path.is_absolute() or len(bytes(path)) > _UNIX_LONGEST:
            raise ConfigError(f"--{option}: a Unix socket is an absolute, short path, got {path}")
        return Address(path=path)
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host in ("", "localhost") else host.strip("[]")
    try:
        ipaddress.ip_address(host)
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise ConfigError(
            f"--{option}: {text!r} is no address to listen on",
            hint="Try: 127.0.0.1:9090, or unix:/run/edgeseg/health.sock",
        )
    return Address(host, number)
