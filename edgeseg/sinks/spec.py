"""How a user names a sink: `KIND:PATH`, with `?option=value` behind, or a bare path."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeseg.errors import ConfigError

_OPTIONS = re.compile(r"\?(\w+=[^?&=]*(?:&\w+=[^?&=]*)*)$")
_KIND = re.compile(r"([A-Za-z][A-Za-z0-9_+-]*):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spec:
    """One sink as the user wrote it, taken apart."""

    text: str
    kind: str
    target: str = ""
    """The path, `-` for standard output, or nothing."""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The target as a path, `~` resolved."""
        return Path(self.target).expanduser()

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Read an option from `low` to `high`. Raises ConfigError."""
        text = self.options.get(name)
        try:
            value = default if text is None else float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ConfigError(f"sink {self.text}: {name}={text} is not from {low:g} to {high:g}")
        return value

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """Read an option that is one of a few words. Raises ConfigError."""
        value = self.options.get(name, default)
        if value not in allowed:
            raise ConfigError(f"sink {self.text}: {name}={value} is none of {', '.join(allowed)}")
        return value


def parse_spec(text: str, kinds: Collection[str], extensions: Mapping[str, str]) -> Spec:
    """Take a sink's name apart; `extensions` gives the kind of a bare path.

    Raises ConfigError when the kind cannot be told.
    """
    if "\0" in text or not text.strip():
        raise ConfigError(f"a sink cannot be called {text!r}")
    rest, options = text, {}
    if found := _OPTIONS.search(text):
        rest = text[: found.start()]
        options = dict(pair.split("=", 1) for pair in found[1].split("&"))
    if rest in kinds:
        return Spec(text, rest, options=options)
    if (split := _KIND.fullmatch(rest)) and split[1] in kinds:
        return Spec(text, split[1], split[2], options)
    kind = extensions.get(Path(rest).suffix.lower())
    if kind is None or (split and "/" not in split[1]):
        raise ConfigError(f"no kind of sink fits {text!r}")
    return Spec(text, kind, rest, options)
