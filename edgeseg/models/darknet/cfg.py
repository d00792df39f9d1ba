"""Read a Darknet cfg: sections of keys and values, each with its line.

The grammar is the one of Darknet's `read_cfg` (src/parser.c, src/option_list.c),
a little more tolerant: a comment may follow a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgeseg.errors import DarknetError

MAX_CFG_BYTES = 1 << 20
"""The largest published cfg has 20 kB."""
MAX_LAYERS = 4096

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?")
_SECTION = re.compile(r"\[[^][]{1,64}\]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_ALIASES = {
    "network": "net",
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "avg": "avgpool",
    "local_avg": "local_avgpool",
    "soft": "softmax",
    "deconv": "deconvolutional",
    "norm": "normalization",
    "reorg_old": "reorg",
    "silence": "empty",
    "yolo4": "yolo",
}

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key=value` line."""

    key: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One `[section]` with every key it was given, known or not, in file order."""

    name: str
    """As written."""
    line: int
    file: str
    entries: tuple[Entry, ...] = ()

    @property
    def kind(self) -> str:
        """Darknet's long name of the section, lower case: `conv` is `convolutional`."""
        lower = self.name.lower()
        return _ALIASES.get(lower, lower)

    def error(
        self, message: str, *, key: str | None = None, hint: str | None = None
    ) -> DarknetError:
        """Make the error that points at `key`, or at the section when it lacks that key."""
        line = self.line_of(key)
        return DarknetError(f"[{self.name}] {message}", file=self.file, line=line, hint=hint)

    def line_of(self, key: str | None) -> int:
        """Give the line of `key`, or of the section when it lacks that key."""
        return next((entry.line for entry in self.entries if entry.key == key), self.line)

    def entry(self, key: str) -> Entry | None:
        """Give the line that sets `key`.

        Darknet takes the first of several. Equal ones are harmless; different
        ones raise DarknetError, because only one of them can be meant.
        """
        found = [entry for entry in self.entries if entry.key == key]
        for other in found[1:]:
            if other.value != found[0].value:
                raise DarknetError(
                    f"[{self.name}] {key} is set twice: {_short(found[0].value)} in line "
                    f"{found[0].line}, {_short(other.value)} here",
                    file=self.file,
                    line=other.line,
                    hint="Remove one; Darknet would take the first.",
                )
        return found[0] if found else None

    def text(self, key: str, default: str | None = None) -> str:
        """Give a value as it stands; without a default the key is required."""
        entry = self.entry(key)
        if entry is not None:
            return entry.value
        if default is None:
            raise self.error(f"needs {key}=")
        return default

    def integer(self, key: str, default: int | None = None, *, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`. Raises DarknetError."""
        return self._one(key, default, low, high, self._parse_integer)

    def number(self, key: str, default: float | None = None, *, low: float, high: float) -> float:
        """Give a finite number from `low` to `high`. Raises DarknetError."""
        return self._one(key, default, low, high, self._parse_number)

    def flag(self, key: str) -> bool:
        """Give whether a number is set and not 0."""
        return self.number(key, 0.0, low=-1e9, high=1e9) != 0

    def integers(self, key: str, *, low: int, high: int) -> tuple[int, ...]:
        """Give a list of whole numbers; empty when the key is absent. Raises DarknetError."""
        return self._many(key, low, high, self._parse_integer)

    def numbers(self, key: str, *, low: float, high: float) -> tuple[float, ...]:
        """Give a list of finite numbers; empty when the key is absent. Raises DarknetError."""
        return self._many(key, low, high, self._parse_number)

    def _one(
        self,
        key: str,
        default: Number | None,
        low: Number,
        high: Number,
        parse: Callable[[str, str], Number],
    ) -> Number:
        entry = self.entry(key)
        if entry is None:
            if default is None:
                raise self.error(f"needs {key}=")
            return default
        return self._within(key, parse(key, entry.value), low, high)

    def _many(
        self, key: str, low: Number, high: Number, parse: Callable[[str, str], Number]
    ) -> tuple[Number, ...]:
        entry = self.entry(key)
        if entry is None:
            return ()
        parts = entry.value.split(",")
        if len(parts) > 1 and not parts[-1].strip():
            parts.pop()
        return tuple(self._within(key, parse(key, part.strip()), low, high) for part in parts)

    def _parse_integer(self, key: str, text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise self.error(f"{key} must be a whole number, got {_short(text)}", key=key)
        return int(text)

    def _parse_number(self, key: str, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise self.error(f"{key} must be a number, got {_short(text)}", key=key)
        return float(text)

    def _within(self, key: str, value: Number, low: Number, high: Number) -> Number:
        if not low <= value <= high:
            raise self.error(f"{key} must be from {low:g} to {high:g}, got {value:g}", key=key)
        return value


@dataclass(frozen=True, slots=True)
class Cfg:
    """A parsed cfg: the `[net]` section and the layers after it."""

    file: str
    net: Section
    layers: tuple[Section, ...]


def parse_cfg(path: Path) -> Cfg:
    """Read a cfg file. Raises DarknetError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CFG_BYTES + 1)
    except OSError as error:
        raise DarknetError(f"cannot be read: {error.strerror}", file=str(path)) from error
    if len(content) > MAX_CFG_BYTES:
        raise DarknetError(
            f"is larger than {MAX_CFG_BYTES} bytes, so it is no cfg",
            file=str(path),
            hint="Were cfg and weights swapped?",
        )
    if b"\0" in content:
        raise DarknetError(
            "is not a text file", file=str(path), hint="Give the .cfg, saved as UTF-8."
        )
    # Comments come in every encoding; what Darknet reads is ASCII.
    return parse_cfg_text(content.decode("utf-8-sig", errors="replace"), file=str(path))


def parse_cfg_text(text: str, *, file: str = "<text>") -> Cfg:
    """Read a cfg from text; `file` is named in errors. Raises DarknetError."""
    if len(text) > MAX_CFG_BYTES:
        raise DarknetError(f"is larger than {MAX_CFG_BYTES} bytes", file=file)
    sections = _sections(text, file)
    if not sections:
        raise DarknetError(
            "has no sections", file=file, hint="A cfg begins with [net], then one section a layer."
        )
    net, *layers = sections
    if net.kind != "net":
        raise net.error("stands first, but the first section must be [net]")
    for section in layers:
        if section.kind == "net":
            raise section.error(f"is a second [net]; the first is in line {net.line}")
    if not layers:
        raise net.error("is followed by no layers")
    if len(layers) > MAX_LAYERS:
        raise layers[MAX_LAYERS].error(f"is layer {MAX_LAYERS + 1}; more are not supported")
    return Cfg(file, net, tuple(layers))


def _sections(text: str, file: str) -> list[Section]:
    sections: list[Section] = []
    entries: list[Entry] = []
    for number, raw in enumerate(_LINE_END.split(text.removeprefix("\ufeff")), 1):
        line = re.split("[#;]", raw, maxsplit=1)[0].strip()
        if not line:
            continue
        if line.startswith("["):
            _fill(sections, entries)
            entries = []
            if not _SECTION.fullmatch(line):
                raise DarknetError(f"broken section name {_short(line)}", file=file, line=number)
            sections.append(Section(line[1:-1].strip(), number, file))
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise DarknetError(
                f"expected key=value or [section], got {_short(line)}", file=file, line=number
            )
        if not sections:
            raise DarknetError(f"{_short(line)} stands before [net]", file=file, line=number)
        entries.append(Entry(key.strip(), value.strip(), number))
    _fill(sections, entries)
    return sections


def _fill(sections: list[Section], entries: list[Entry]) -> None:
    if sections:
        last = sections[-1]
        sections[-1] = Section(last.name, last.line, last.file, tuple(entries))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
