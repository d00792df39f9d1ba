"""Check a cfg, its weights and its class names, and say what is wrong where.

`lint` never raises for what a file holds. It goes on after a mistake as far
as what comes next still makes sense.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from edgeseg.errors import DarknetError
from edgeseg.files import sha256_of
from edgeseg.models.class_names import read_names
from edgeseg.models.darknet.cfg import Cfg, Section, parse_cfg
from edgeseg.models.darknet.findings import Finding, finding_of
from edgeseg.models.darknet.lint_cfg import HEADS, check_cfg
from edgeseg.models.darknet.options import Convolution
from edgeseg.models.darknet.plan import Layer, Network, plan_network
from edgeseg.models.darknet.weights import Weights, place, read_header, read_weights
from edgeseg.models.zoo import MODELS, KnownModel

__all__ = ["Finding", "is_clean", "lint"]

MAX_FINDINGS = 200
"""More of one file are of no use to anyone; a hostile file could have a million."""


def lint(cfg: Path, weights: Path | None = None, names: Path | None = None) -> list[Finding]:
    """Give all findings of a cfg, and of weights and class names where given.

    In the order of the files and their lines. Never raises for bad content.
    """
    parsed, network, findings = _cfg_findings(cfg)
    if weights is not None:
        findings += _weights_findings(weights, network)
    elif network is not None:
        findings += _half_size_note(network)
    if names is not None:
        findings += _names_findings(names, parsed)
    return findings


def is_clean(findings: Sequence[Finding], *, strict: bool = False) -> bool:
    """Say whether there is no error; when `strict`, no warning either."""
    bad = ("error", "warning") if strict else ("error",)
    return not any(finding.severity in bad for finding in findings)


def _cfg_findings(path: Path) -> tuple[Cfg | None, Network | None, list[Finding]]:
    try:
        cfg = parse_cfg(path)
    except DarknetError as error:
        return None, None, [finding_of(error)]
    findings = list(islice(check_cfg(cfg), MAX_FINDINGS))
    network = None
    try:
        network = plan_network(cfg)
    except DarknetError as error:
        if not _is_told(cfg, error, findings):
            findings.append(finding_of(error))
    else:
        findings += _unused(network)
    return cfg, network, _without_echoes(findings)


def _without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    """Sort by line; of several errors of one line keep the first, and then no warning of it."""
    errors: dict[int | None, Finding] = {}
    for finding in findings:
        if finding.severity == "error":
            errors.setdefault(finding.line, finding)
    others = [f for f in findings if f.severity == "note" or f.line not in errors]
    return sorted([*errors.values(), *others], key=lambda finding: finding.line or 0)


def _is_told(cfg: Cfg, error: DarknetError, findings: Sequence[Finding]) -> bool:
    """Say whether the importer complains in a head about the convolution before it.

    The finding for that convolution says the same, in the line to change.
    """
    sections: list[Section] = [cfg.net, *cfg.layers]
    wrong = {_section_at(sections, f.line) for f in findings if f.severity == "error"}
    here = _section_at(sections, error.line)
    return here > 0 and sections[here].kind in HEADS and here - 1 in wrong


def _section_at(sections: Sequence[Section], line: int | None) -> int:
    if line is None:
        return -1
    return max((i for i, section in enumerate(sections) if section.line <= line), default=-1)


def _unused(network: Network) -> Iterator[Finding]:
    unused = [layer for layer in network.layers if not layer.used]
    if unused:
        section = unused[0].section
        yield Finding(
            "note",
            section.file,
            section.line,
            f"no head depends on {len(unused)} of the layers; layer {unused[0].index} "
            f"[{section.name}] is the first",
            "They cost no time: edgeseg leaves them out.",
        )


def _weights_findings(path: Path, network: Network | None) -> Iterator[Finding]:
    try:
        if network is None:
            read_header(path)
            yield Finding(
                "note", str(path), None, "not compared with the cfg, which has errors", None
            )
            return
        with read_weights(path, network) as weights:
            for layer in network.layers:
                if isinstance(layer.options, Convolution):
                    yield from _layer_findings(weights, layer)
    except DarknetError as error:
        yield finding_of(error)
        return
    yield from _known_checkpoint(path, network)


def _layer_findings(weights: Weights, layer: Layer) -> Iterator[Finding]:
    try:
        numbers = weights.convolution(layer)
    except DarknetError as error:
        yield finding_of(error)
        return
    negative = 0 if numbers.variances is None else int((numbers.variances < 0).sum())
    if negative:
        yield Finding(
            "error",
            str(weights.path),
            None,
            f"{negative} variances of {place(layer)} are negative",
            "The weights belong to another cfg, or the file is damaged.",
        )


def _known_checkpoint(path: Path, network: Network) -> Iterator[Finding]:
    """Compare the heads with those an official checkpoint was trained with."""
    try:
        size = path.stat().st_size
        known = [model for model in MODELS.values() if model.weights.size_bytes == size]
        digest = sha256_of(path) if known else ""
    except OSError as error:
        yield Finding("error", str(path), None, f"cannot be read: {error.strerror}")
        return
    for model in known:
        if model.weights.sha256 == digest:
            for section, key, value, effect in _other_heads(model, network):
                yield Finding(
                    "warning",
                    section.file,
                    section.line_of(key),
                    f"[{section.name}] the official {model.weights.name} were trained with "
                    f"{key} = {value}, not {section.text(key, 'the default')}{effect}",
                    f"Set {key} = {value}",
                )


def _half_size_note(network: Network) -> Iterator[Finding]:
    """Speak of the official weights when a cfg is the published one of yolov3-tiny."""
    known = MODELS["yolov3-tiny"]
    if network.weights_bytes + 20 != known.weights.size_bytes:
        return
    for section, key, value, effect in _other_heads(known, network):
        yield Finding(
            "note",
            section.file,
            section.line_of(key),
            f"[{section.name}] right for weights that were trained so; the official "
            f"{known.weights.name} need {key} = {value}{effect}",
            f"With the official weights set {key} = {value}",
        )


def _other_heads(model: KnownModel, network: Network) -> Iterator[tuple[Section, str, str, str]]:
    """Give section, key, right value and effect of each difference from the registry's heads.

    The weights fit the cfg to the byte, so these keys are what can still differ.
    """
    right = plan_network(parse_cfg(model.cfg)).heads
    for head, expected in zip(network.heads, right, strict=False):
        section, wanted = head.section, expected.section
        for key in ("anchors", "mask", "scale_x_y"):
            if section.kind == wanted.kind and _numbers(section, key) != _numbers(wanted, key):
                half = model.name == "yolov3-tiny" and key == "mask"
                effect = "; otherwise this head's boxes are about half as large as the objects"
                yield section, key, wanted.text(key, "1"), effect if half else ""


def _numbers(section: Section, key: str) -> tuple[float, ...]:
    default = (1.0,) if key == "scale_x_y" else ()
    return section.numbers(key, low=-1e30, high=1e30) or default


def _names_findings(path: Path, cfg: Cfg | None) -> Iterator[Finding]:
    try:
        names = read_names(path)
    except DarknetError as error:
        yield finding_of(error)
        return
    head = next((s for s in cfg.layers if s.kind in HEADS), None) if cfg else None
    try:
        classes = head.integer("classes", 20, low=1, high=1 << 40) if head else None
    except DarknetError:  # a finding of the cfg
        classes = None
    if classes is not None and classes != len(names):
        yield Finding(
            "error",
            str(path),
            min(len(names), classes) + 1 if len(names) > classes else None,
            f"has {len(names)} names, the cfg says classes={classes}",
            "Give the names file of this network.",
        )
    yield from islice(_odd_names(names, str(path)), MAX_FINDINGS)


def _odd_names(names: Sequence[str], file: str) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for line, name in enumerate(names, 1):
        if not name:
            message = "is empty, and still counts as a class"
            yield Finding("warning", file, line, message, "Name it, or remove the line.")
        elif name in first:
            message = f"{name[:40]!r} stands in line {first[name]} already"
            yield Finding("warning", file, line, message, "Give each class its own name.")
        first.setdefault(name, line)
