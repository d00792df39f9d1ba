"""The linter's checks of a cfg by itself.

The importer stops at the first mistake; these look at each section on its own
and so find all of them. Each takes the cfg and yields findings; what the
importer would raise for a section becomes a finding as well.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

from edgeseg.errors import DarknetError
from edgeseg.models.darknet.cfg import Cfg, Entry, Section
from edgeseg.models.darknet.findings import Finding, Severity, finding_of
from edgeseg.models.darknet.heads import MAX_ANCHORS
from edgeseg.models.darknet.keys import KNOWN_KEYS
from edgeseg.models.darknet.options import ACTIVATIONS

HEADS = ("yolo", "region")
_TRAINING_KEYS = ("batch", "subdivisions")
"""Published cfgs set them once for testing and once for training; edgeseg reads neither."""
_WIDE = 1 << 40
"""Wide enough that a number is judged by the check, not by the parser."""


def check_cfg(cfg: Cfg) -> Iterator[Finding]:
    """Yield everything that can be said about a cfg without its weights."""
    for section in (cfg.net, *cfg.layers):
        yield from _keys(section)
    yield from _letter_box(cfg.net)
    for index, section in enumerate(cfg.layers):
        for check in _SECTION_CHECKS:
            try:
                yield from check(cfg, index, section)
            except DarknetError as error:
                yield finding_of(error)
    yield from _heads_agree(cfg)


def _finding(
    severity: Severity, section: Section, key: str | None, message: str, fix: str | None = None
) -> Finding:
    text = f"[{section.name}] {message}"
    return Finding(severity, section.file, section.line_of(key), text, fix)


def _keys(section: Section) -> Iterator[Finding]:
    known = KNOWN_KEYS.get(section.kind)
    first: dict[str, Entry] = {}
    for entry in section.entries:
        if section.kind == "net" and entry.key in _TRAINING_KEYS:
            continue
        if entry.key in first:
            yield _second(section, first[entry.key], entry)
        elif known is not None and entry.key not in known:
            close = difflib.get_close_matches(entry.key, known, n=1)
            yield Finding(
                "warning",
                section.file,
                entry.line,
                f"[{section.name}] knows no key {entry.key[:40]!r}; Darknet passes over it",
                f"Did you mean {close[0]}?" if close else "Remove it.",
            )
        first.setdefault(entry.key, entry)


def _second(section: Section, first: Entry, second: Entry) -> Finding:
    """Warn of a key that is set twice; where the value matters, the importer refuses it."""
    same = first.value == second.value
    value = "the same value as" if same else "another value than"
    message = f"{first.key} is set again, to {value} in line {first.line}"
    fix = "" if same else f"; Darknet takes {first.key}={first.value[:40]}"
    return Finding(
        "warning", section.file, second.line, f"[{section.name}] {message}", f"Remove one{fix}."
    )


def _letter_box(net: Section) -> Iterator[Finding]:
    entry = next((entry for entry in net.entries if entry.key == "letter_box"), None)
    if entry is not None:
        trained = "letterboxed" if entry.value.strip() not in ("0", "") else "stretched"
        yield Finding(
            "note",
            net.file,
            entry.line,
            f"[{net.name}] letter_box={entry.value[:8]}: trained on {trained} pictures",
            "edgeseg letterboxes frames whatever this key says.",
        )


def _activation(_cfg: Cfg, _index: int, section: Section) -> Iterator[Finding]:
    entry = section.entry("activation")
    if entry is None or entry.value.lower() in ACTIVATIONS:
        return
    close = difflib.get_close_matches(entry.value.lower(), ACTIVATIONS, n=1)
    fix = f"Did you mean {close[0]}?" if close else "Known: " + ", ".join(ACTIVATIONS) + "."
    message = f"unknown activation {entry.value[:40]!r}"
    yield _finding("error", section, "activation", message, fix)


def _sources(cfg: Cfg, index: int, section: Section) -> Iterator[Finding]:
    key = {"route": "layers", "shortcut": "from", "sam": "from", "scale_channels": "from"}.get(
        section.kind
    )
    if key is None:
        return
    numbers = section.integers(key, low=-_WIDE, high=_WIDE)
    if not numbers:
        yield _finding("error", section, None, f"needs {key}=")
    for number in numbers:
        source = number if number >= 0 else index + number
        if not 0 <= source < index:
            where = "before the first layer" if source < 0 else f"to layer {source}"
            yield _finding(
                "error",
                section,
                key,
                f"{key}={number} points {where}; this is layer {index}",
                f"Name a layer from 0 to {index - 1}, or count backwards from -1 to {-index}."
                if index
                else "The first layer cannot read others.",
            )
        elif cfg.layers[source].kind in HEADS:
            message = f"{key}={number} reads layer {source}, which is a head"
            yield _finding("error", section, key, message, "Name the layer before that head.")


def _anchors(_cfg: Cfg, _index: int, section: Section) -> Iterator[Finding]:
    if section.kind not in HEADS:
        return
    values = section.numbers("anchors", low=-1e30, high=1e30)
    num = section.integer("num", 1, low=-_WIDE, high=_WIDE)
    pairs = len(values) // 2
    if len(values) % 2 or not values:
        message = f"anchors has {len(values)} values; they come in pairs"
        yield _finding("error", section, "anchors", message, "Give width,height for each anchor.")
    elif min(values) <= 0:
        yield _finding("error", section, "anchors", "anchors must be larger than 0")
    elif pairs != num:
        yield _finding(
            "warning" if pairs > num > 0 else "error",
            section,
            "num",
            f"num={num}, but anchors has {pairs} pairs",
            f"Set num={pairs}.",
        )
    mask = section.integers("mask", low=-_WIDE, high=_WIDE)
    count = min(number for number in (pairs, num, MAX_ANCHORS) if number > 0)
    for number in mask:
        if not 0 <= number < count:
            message = f"mask names anchor {number}; there are {count}, from 0 to {count - 1}"
            yield _finding("error", section, "mask", message)
    if len(set(mask)) != len(mask):
        yield _finding("warning", section, "mask", "mask names an anchor twice")


def _filters(cfg: Cfg, index: int, section: Section) -> Iterator[Finding]:
    if section.kind not in HEADS:
        return
    before = cfg.layers[index - 1] if index else None
    if before is None or before.kind != "convolutional":
        return
    classes = section.integer("classes", 20, low=-_WIDE, high=_WIDE)
    count, name = _boxes(section)
    if classes < 1 or count < 1:
        return
    expected = (classes + 5) * count
    filters = before.integer("filters", 1, low=-_WIDE, high=_WIDE)
    if filters != expected:
        yield _finding(
            "error",
            before,
            "filters",
            f"filters={filters}, but the [{section.name}] after it (line {section.line}) needs "
            f"{expected}: (5 + {classes} classes) * {count} {name}",
            f"Set filters={expected}, or correct classes (line {section.line_of('classes')}) "
            f"and {name}.",
        )
    activation = before.text("activation", "logistic").lower()
    expected_activation = "logistic" if section.flag("new_coords") else "linear"
    if activation in ACTIVATIONS and activation != expected_activation:
        yield _finding(
            "warning",
            before,
            "activation",
            f"activation={activation} before a head; usual is {expected_activation}",
            f"Set activation={expected_activation}.",
        )


def _boxes(section: Section) -> tuple[int, str]:
    """How many boxes a cell of this head has, and the key that says so."""
    num = section.integer("num", 1, low=-_WIDE, high=_WIDE)
    if section.kind == "region":
        return num, "num"
    return len(section.integers("mask", low=-_WIDE, high=_WIDE)) or num, "mask"


def _heads_agree(cfg: Cfg) -> Iterator[Finding]:
    heads = [section for section in cfg.layers if section.kind in HEADS]
    if not heads:
        yield Finding(
            "error",
            cfg.file,
            None,
            "has no [yolo] and no [region] head, so it is no detector",
            "Give the cfg of a YOLOv2, v3 or v4 detector.",
        )
    checks: tuple[tuple[str, Severity], ...] = (("classes", "error"), ("anchors", "warning"))
    for key, severity in checks:
        values = [(_plain(section, key), section) for section in heads]
        for value, section in values[1:]:
            if value != values[0][0]:
                yield _finding(
                    severity,
                    section,
                    key,
                    f"{key} differ from those of the first head (line {values[0][1].line_of(key)})",
                    f"Give every head the same {key}.",
                )


def _plain(section: Section, key: str) -> str | None:
    found = next((entry.value for entry in section.entries if entry.key == key), None)
    return None if found is None else "".join(found.split())


_SECTION_CHECKS: tuple[Callable[[Cfg, int, Section], Iterator[Finding]], ...] = (
    _activation,
    _sources,
    _anchors,
    _filters,
)
