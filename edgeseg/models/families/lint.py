"""The linter for ONNX files of other programs."""

from __future__ import annotations

from pathlib import Path

from edgeseg.errors import EdgesegError
from edgeseg.models.darknet.findings import Finding, Severity
from edgeseg.models.families import open_foreign
from edgeseg.models.families.config import IMAGENET_MEAN, IMAGENET_STD, NetConfig, find_config
from edgeseg.models.families.graph import Graph, read_graph
from edgeseg.models.families.names import names_in
from edgeseg.network_spec import SemanticOutputs
from edgeseg.types import Model

Remark = tuple[Severity, str, str | None]
"""Severity, message, fix."""


def lint_onnx(
    path: Path, *, names: tuple[str, ...] | None = None, net_config: Path | None = None
) -> list[Finding]:
    """Say what hinders an ONNX file that edgeseg did not export, or was only guessed."""
    try:
        graph = read_graph(path)
        config = find_config(path, net_config, graph.properties)
        model = open_foreign(path, names=names, net_config=net_config)
    except EdgesegError as error:
        return [Finding("error", str(path), None, error.message, error.hint)]
    except OSError as error:
        return [Finding("error", str(path), None, f"cannot be read: {error.strerror}")]
    named = bool(names or config.classes or names_in(graph.properties))
    return [
        Finding(severity, str(path), None, message, fix)
        for severity, message, fix in (*_about_names(model, named), *_guesses(model, graph, config))
    ]


def _about_names(model: Model, named: bool) -> list[Remark]:
    if not named:
        how = ", ".join(model.class_names[:3])
        return [("warning", f"it names none of its classes: they are called {how}, ...", _NAMES)]
    twice = sorted({name for name in model.class_names if model.class_names.count(name) > 1})
    return [("warning", f"several classes are called {name!r}", _NAMES) for name in twice[:3]]


def _guesses(model: Model, graph: Graph, config: NetConfig) -> list[Remark]:
    """Say what nothing but habit tells of a semantic network."""
    if not isinstance(model.outputs, SemanticOutputs):
        return []
    found: list[Remark] = []
    if not config.origin and (config.mean, config.std) == (IMAGENET_MEAN, IMAGENET_STD):
        text = "nothing says how its input is normalized: torchvision's mean and std are taken"
        found.append(("warning", text, "Write scale, mean and std into a side TOML."))
    width, height = model.input_px
    if any(not isinstance(size, int) for size in (graph.inputs[0].shape or ())[1:]):
        text = f"its input size is open: {width}x{height} is taken"
        found.append(("note", text, "Give --size, or size in a side TOML."))
    if len(graph.outputs) > 1 and config.output is None:
        others = ", ".join(t.name for t in graph.outputs if t.name != model.outputs.scores)
        text = f"of its outputs {model.outputs.scores} is read, not {others}"
        found.append(("note", text, "Name another with output in a side TOML."))
    return found


_NAMES = "Give --names FILE, or classes in a side TOML."
