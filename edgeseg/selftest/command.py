"""`edgeseg selftest`: what it tests, what it prints, its receipt and its exit code."""

from __future__ import annotations

import dataclasses
import json as json_module
import platform
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from edgeseg.device import CudaDevice
    from edgeseg.selftest.checks import Check, Checks
    from edgeseg.types import Model

FORMAT = 1
FRAMES = 300
EXIT_CODES = {"passed": 0, "failed": 1, "no gpu": 8, "incomplete": 8}

Flag = Annotated[bool, Parameter(negative=())]
Precision = Literal["auto", "fp32", "fp16", "int8"]


def selftest(
    *,
    model: str = "yolov3-tiny",
    weights: Path | None = None,
    size: str | None = None,
    precision: Precision = "auto",
    device: int = 0,
    frames: int = FRAMES,
    output: Path = Path("edgeseg-out/selftest.json"),
    json: Flag = False,
) -> int:
    """Prove on this machine that what it computes is right, and say how fast it is.

    With a GPU: letterbox, boxes, a small engine and the chosen one against the
    CPU, graph capture, and the rate. Without one it tests the CPU and says so.
    Exit code: 0 all passed on the GPU, 1 something failed, 8 there is no GPU,
    or something could not be tested.

    Parameters
    ----------
    model
        A registry name, a Darknet .cfg, or an .onnx that edgeseg exported.
    weights
        Darknet weights; default: beside the cfg, same stem.
    size
        Network input as 416 or 608x352; default: the model's own.
    precision
        Of the chosen engine, as for `edgeseg run`.
    device
        GPU to test, counted from 0.
    frames
        How many to time.
    output
        Where the receipt goes.
    json
        Print the receipt.
    """
    from edgeseg.errors import ConfigError, SinkError
    from edgeseg.files import written_aside
    from edgeseg.selftest.checks import Checks

    if frames < 1:
        raise ConfigError(f"--frames must be 1 or more, got {frames}")
    checks = Checks(lambda check: None if json else _print(check))
    state, about = _examine(checks, model, weights, size, precision, device, frames)
    receipt = _receipt(state, about, checks)
    try:
        with written_aside(output) as aside:
            aside.write_text(json_module.dumps(receipt, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"the receipt cannot be written: {output}: {error.strerror}") from error
    if json:
        print(json_module.dumps(receipt, indent=1))
    else:
        print(f"\n{_verdict(state, about)}\nreceipt: {output}")
    return EXIT_CODES[state]


def _examine(
    checks: Checks,
    name: str,
    weights: Path | None,
    size: str | None,
    precision: Precision,
    index: int,
    frames: int,
) -> tuple[str, dict[str, object]]:
    """Run every check that this machine can; give the state and what is known of the GPU."""
    from edgeseg.device import no_device, open_device
    from edgeseg.selftest import on_cpu
    from edgeseg.selftest.scenes import small_model

    checks.run("letterbox on the CPU", on_cpu.letterbox_cpu)
    checks.run("boxes on the CPU", on_cpu.detect_cpu)
    reason = no_device(index)
    if reason is None:
        device = open_device(index)
        _examine_gpu(checks, device, name, weights, size, precision, frames)
        about: dict[str, object] = {"gpu": device.description}
    else:
        about = {"gpu": "", "no_gpu": reason.message}
        with tempfile.TemporaryDirectory(prefix="edgeseg-") as folder:
            made = small_model(Path(folder))
            checks.run("small network on the CPU", lambda: on_cpu.network_cpu(made, 20))
        checks.run(
            f"{name} on the CPU",
            lambda: on_cpu.network_cpu(_opened(name, weights, size), frames),
        )
    states = checks.states()
    if "failed" in states:
        return "failed", about
    if reason is not None:
        return "no gpu", about
    return ("incomplete" if "skipped" in states else "passed"), about


def _examine_gpu(
    checks: Checks,
    device: CudaDevice,
    name: str,
    weights: Path | None,
    size: str | None,
    precision: Precision,
    frames: int,
) -> None:
    from edgeseg.selftest import on_gpu
    from edgeseg.selftest.chosen import chosen_engine, gate_frames

    checks.run("GPU", lambda: on_gpu.device_found(device))
    checks.run("letterbox on the GPU", lambda: on_gpu.letterbox_gpu(device))
    checks.run("boxes on the GPU", lambda: on_gpu.detect_gpu(device))
    checks.run("small engine", lambda: on_gpu.small_engine(device))
    with chosen_engine(device, name, weights, size, precision) as chosen:
        if not checks.run(f"engine of {name}", chosen.open):
            return
        opened = chosen.opened
        checks.run("its heads", lambda: on_gpu.engine_heads(device, opened))
        checks.run("its boxes", lambda: on_gpu.engine_boxes(device, opened, gate_frames()))
        checks.run("CUDA graph", lambda: on_gpu.graph_captured(device, opened))
        checks.run("speed", lambda: on_gpu.speed(device, opened, frames))


def _opened(name: str, weights: Path | None, size: str | None) -> Model:
    from edgeseg.models import open_model
    from edgeseg.sizes import parse_size

    return open_model(name, weights=weights, size=parse_size(size) if size else None)


def _receipt(state: str, about: dict[str, object], checks: Checks) -> dict[str, object]:
    from edgeseg import __version__
    from edgeseg.engines.tensorrt.device import l4t_release

    board = Path("/proc/device-tree/model")
    return {
        "format": FORMAT,
        "state": state,
        "edgeseg": __version__,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": board.read_text().strip("\0\n ") if board.exists() else platform.machine(),
        "l4t": l4t_release(),
        "python": platform.python_version(),
        **about,
        "checks": [dataclasses.asdict(check) for check in checks.done],
    }


def _print(check: Check) -> None:
    mark = {"passed": "ok", "failed": "FAILED", "skipped": "-"}[check.state]
    print(f"{mark:>7}  {check.name:<24}  {check.says}", flush=True)


def _verdict(state: str, about: dict[str, object]) -> str:
    return {
        "passed": f"passed on {about['gpu']}",
        "failed": "FAILED: please attach the receipt to a report",
        "no gpu": f"no GPU was tested: {about.get('no_gpu')}; the CPU's part passed",
        "incomplete": "what could be tested passed, but not all could (- above says why)",
    }[state]
