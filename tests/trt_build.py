"""Exports a registry's network with random weights, or builds it twice and prints JSON.

Each in a process of its own, since memory is measured:
`export NAME PRECISION BATCH FILE.onnx`, then `build FILE.onnx`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from edgeseg.engines.tensorrt.api import load_tensorrt
from edgeseg.engines.tensorrt.build import BuildOptions, build_plan
from edgeseg.engines.tensorrt.memory import needed_bytes
from edgeseg.models import registry
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.export import build, export
from edgeseg.models.darknet.plan import plan_network
from edgeseg.models.darknet.weights import read_weights, write_random_weights
from edgeseg.models.onnx_model import read_model
from edgeseg.quantize.graph import tensors_of
from edgeseg.quantize.recipe import Recipe
from edgeseg.quantize.scales import Range, Scales

if TYPE_CHECKING:
    from edgeseg.models.darknet.plan import Network


def recipe(precision: str, network: Network, weights: Path) -> Recipe:
    """Give the recipe; for INT8 with one range for all: what is built here is never looked at."""
    if precision == "fp32":
        return Recipe()
    if precision == "fp16":
        return Recipe("fp16", io="fp16")
    with read_weights(weights, network) as opened:
        outputs = [f"head_{number}" for number in range(len(network.heads))]
        names = tensors_of(build(network, opened), outputs)
    ranges = {name: Range(-4.0, 4.0) for name in names}
    scales = Scales(ranges, "fixed", {}, {}, network.input_px)
    return Recipe("int8", target="tensorrt", scales=scales)


def export_network(name: str, precision: str, batch: str, output: Path) -> None:
    """Write the ONNX file; `batch` is a number or dynamic."""
    known, size = registry.find(name)
    network = plan_network(parse_cfg(known.cfg), size)
    weights = output.with_suffix(".weights")
    write_random_weights(weights, network, seed=1)
    export(
        known.cfg, weights, output, size=size, names=known.names,
        batch=None if batch == "dynamic" else int(batch), name=name,
        recipe=recipe(precision, network, weights),
    )  # fmt: skip
    weights.unlink()
    operators = {node.op_type for node in onnx.load(output).graph.node}
    print(json.dumps(sorted(operators)))


def build_twice(path: Path) -> None:
    """Build it and say what came of it."""
    model = read_model(path)
    api = load_tensorrt("rtx")
    plans, peaks, built = [], [], None
    for number in range(2):
        plan = path.with_suffix(f".{number}.plan")
        built = build_plan(model, plan, api, options=BuildOptions(batches=(1, 2, 4)))
        peaks.append(built.peak_rss_bytes)
        plans.append(np.fromfile(plan, np.uint8))
        plan.unlink()
    assert built is not None
    same_size = len(plans[0]) == len(plans[1])
    facts = {
        "differing_bytes": int(np.count_nonzero(plans[0] != plans[1])) if same_size else -1,
        "peak_rss_bytes": peaks[0],
        "needed_bytes": needed_bytes(path.stat().st_size, rtx=True),
        "model_bytes": path.stat().st_size,
        "precision": model.precision,
        "sha256": hashlib.sha256(plans[0]).hexdigest(),
    }
    print(json.dumps(dataclasses.asdict(built) | facts))


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export_network(*sys.argv[2:5], Path(sys.argv[5]))
    else:
        build_twice(Path(sys.argv[2]))
