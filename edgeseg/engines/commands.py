"""`edgeseg engines`: build TensorRT engines, list them, clear up."""

from __future__ import annotations

import contextlib
import dataclasses
import json as json_module
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from edgeseg.engines.cache import Gate
    from edgeseg.engines.receipts import Receipt
    from edgeseg.engines.tensorrt.api import Api
    from edgeseg.engines.tensorrt.network import Placement
    from edgeseg.engines.upkeep import Here
    from edgeseg.types import Model

app = App(
    name="engines",
    help="Build TensorRT engines, list them, clear up.",
    help_format="plaintext",
)

Flag = Annotated[bool, Parameter(negative=())]


@app.command(name="list")
def list_engines(*, json: Flag = False) -> int:
    """List the engines of the cache, for what they were built, and which are damaged.

    Parameters
    ----------
    json
        Print the receipts as JSON.
    """
    from edgeseg.engines.upkeep import list_engines as entries

    found = entries()
    if json:
        print(json_module.dumps([dataclasses.asdict(entry) for entry in found], indent=2))
        return 0
    for entry in found:
        facts = _facts(entry.receipt) if entry.receipt else ""
        print("  ".join(filter(None, (entry.stem, facts, entry.problem))))
    if not found:
        print("no engines yet: edgeseg engines build MODEL")
    return 0


@app.command
def build(
    model: str,
    *,
    weights: Path | None = None,
    size: str | None = None,
    batch: str = "1",
    usual_batch: int | None = None,
    tensorrt: Literal["auto", "tensorrt", "rtx"] = "auto",
    dla: int | None = None,
    workspace_mb: int | None = None,
    rebuild: Flag = False,
    ignore_memory: Flag = False,
    device: int = 0,
    prove: str | None = None,
    json: Flag = False,
) -> int:
    """Build a model's TensorRT engine for this machine, unless it is in the cache; give its path.

    Ctrl-C stops the build. The precision is that of the ONNX file.

    Parameters
    ----------
    model
        A registry name, a Darknet .cfg, or an .onnx that edgeseg exported.
    weights
        Darknet weights; default: beside the cfg, same stem.
    size
        Network input as 416 or 608x352; default: the model's own.
    batch
        Pictures at a time: 4, or a range as 1-16.
    usual_batch
        The batch of a range that the engine is made fastest for; default: the largest.
    tensorrt
        tensorrt, or rtx for TensorRT-RTX; auto takes the first that is installed.
    dla
        Core of the deep learning accelerator; the GPU runs what it cannot.
    workspace_mb
        Scratch memory of the builder; default: by the free memory.
    rebuild
        Build although the engine is there; the old one stays until the new one is proven.
    ignore_memory
        Build although the memory seems too small.
    device
        GPU to build for, counted from 0.
    prove
        Folder, clip or picture on which fp16 and INT8 are compared with fp32 on the CPU;
        default: the demo clip. Needs a GPU, and a batch of 1.
    json
        Print the receipt as JSON.
    """
    from edgeseg.device import device_facts
    from edgeseg.engines.bar import build_bar
    from edgeseg.engines.cache import cached_engine
    from edgeseg.engines.request import build_options, open_for_build
    from edgeseg.engines.tensorrt.api import load_tensorrt
    from edgeseg.engines.tensorrt.build import Watch

    options = build_options(
        batch,
        usual_batch=usual_batch,
        dla=dla,
        workspace_mb=workspace_mb,
        ignore_memory=ignore_memory,
    )
    api = load_tensorrt(tensorrt)
    opened = open_for_build(model, weights, size, options)
    gate = _gate(opened, api, prove, device)
    with build_bar(opened.name) as progress:
        engine = cached_engine(
            opened,
            api,
            device_facts(device),
            options=options,
            rebuild=rebuild,
            gate=gate,
            watch=Watch(progress, _print_placement),
        )
    if json:
        print(json_module.dumps(dataclasses.asdict(engine.receipt), indent=2))
    else:
        print(f"{engine.plan}  {_facts(engine.receipt)}")
    return 0


@app.command
def rm(*names: str) -> int:
    """Remove engines by name, or by an unmistakable beginning of it.

    Parameters
    ----------
    names
        Names of `edgeseg engines list`.
    """
    from edgeseg.engines.upkeep import remove

    for name in remove(names):
        print(f"removed {name}")
    return 0


@app.command
def prune(*, dry_run: Flag = False) -> int:
    """Remove engines that are damaged or of no use on this machine, and leftovers.

    Parameters
    ----------
    dry_run
        Only say what would go.
    """
    from edgeseg.engines.upkeep import prune as remove_useless

    for name, reason in remove_useless(_here(), dry_run=dry_run):
        print(f"{'would remove' if dry_run else 'removed'} {name}: {reason}")
    return 0


def _gate(model: Model, api: Api, uri: str | None, index: int) -> Gate | None:
    """Give the gate of a reduced precision; None where nothing can be run or compared.

    Raises DeviceError when frames are named but there is no GPU to see them.
    """
    from edgeseg.device import no_device, open_device
    from edgeseg.engines.proof import gate_for, real_frames

    reason = no_device(index)
    if uri is not None and reason is not None:
        raise reason
    if reason is not None or model.batch not in (1, None):
        return None
    if model.precision == "fp32" and uri is None:
        return None
    return gate_for(model, api, open_device(index), lambda: real_frames(uri))


def _facts(receipt: Receipt) -> str:
    made_for = receipt.identity
    return ", ".join(
        filter(
            None,
            (
                f"{receipt.size_bytes / 1e6:.1f} MB",
                made_for.tensorrt,
                made_for.gpu or "built without a GPU",
                f"L4T {made_for.l4t}" if made_for.l4t else "",
                f"{receipt.dla_layers} of {receipt.layers} layers on the DLA"
                if made_for.dla is not None
                else "",
                f"built {receipt.built} in {receipt.build_s:.1f} s",
                _proof(receipt),
            ),
        )
    )


def _proof(receipt: Receipt) -> str:
    scores = receipt.scores
    if not scores:
        return "" if receipt.identity.precision == "fp32" else "not yet compared with fp32"
    return f"loses {scores.get('lost', 0.0):.1%} of fp32's boxes"


def _print_placement(placement: Placement) -> None:
    print("\n".join(placement.lines()), file=sys.stderr)


def _here() -> Here:
    from edgeseg.engines.tensorrt.api import Flavor, load_tensorrt
    from edgeseg.engines.tensorrt.device import find_device, l4t_release
    from edgeseg.engines.upkeep import Here
    from edgeseg.errors import EdgesegError

    installed = []
    flavors: tuple[Flavor, ...] = ("tensorrt", "rtx")
    for flavor in flavors:
        with contextlib.suppress(EdgesegError):
            installed.append(load_tensorrt(flavor).name)
    gpu = find_device()
    name, capability = (gpu.name, gpu.compute_capability) if gpu else ("", "")
    return Here(tuple(installed), name, capability, l4t_release())
