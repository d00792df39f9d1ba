"""What `edgeseg engines build` is asked for: a model, and how to build it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.errors import ConfigError

if TYPE_CHECKING:
    from edgeseg.engines.tensorrt.build import BuildOptions
    from edgeseg.engines.tensorrt.network import Batches
    from edgeseg.types import Model

MAX_BATCH = 1024


def parse_batches(text: str, usual: int | None = None) -> Batches:
    """Read `4` as (4, 4, 4) and `1-16` as (1, 16, 16), with `usual` in the middle.

    Raises ConfigError.
    """
    found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text.strip(), re.ASCII)
    if found is not None:
        smallest, largest = int(found[1]), int(found[2] or found[1])
        middle = largest if usual is None else usual
        if 1 <= smallest <= middle <= largest <= MAX_BATCH:
            return smallest, middle, largest
    raise ConfigError(
        f"{text!r} is no batch size" + (f" with {usual} in it" if usual is not None else ""),
        hint=f"Write a number from 1 to {MAX_BATCH}, or a range: 1-16.",
    )


def build_options(
    batch: str,
    *,
    usual_batch: int | None = None,
    dla: int | None = None,
    workspace_mb: int | None = None,
    ignore_memory: bool = False,
) -> BuildOptions:
    """Check the options of a build. Raises ConfigError."""
    from edgeseg.engines.tensorrt.build import BuildOptions

    if dla is not None and dla < 0:
        raise ConfigError(f"--dla {dla} is no core", hint="Cores are numbered from 0.")
    if workspace_mb is not None and not 1 <= workspace_mb <= 1 << 20:
        raise ConfigError(f"--workspace-mb {workspace_mb} is no size", hint="Try 1024.")
    return BuildOptions(
        batches=parse_batches(batch, usual_batch),
        workspace_bytes=workspace_mb << 20 if workspace_mb else None,
        dla=dla,
        ignore_memory=ignore_memory,
    )


def open_for_build(
    model: str, weights: Path | None, size: str | None, options: BuildOptions
) -> Model:
    """Give the model with the batch that is asked for; pulled and converted when needed.

    Raises ConfigError for an .onnx of another batch, ModelError.
    """
    from edgeseg.models import open_model
    from edgeseg.sizes import parse_size

    smallest, _, largest = options.batches
    batch = smallest if smallest == largest else None
    opened = open_model(
        model, weights=weights, size=parse_size(size) if size else None, batch=batch
    )
    if opened.family != "darknet":
        raise ConfigError(
            f"{opened.onnx_path} is of the family {opened.family}: engines are built for "
            "networks that edgeseg exported",
            hint="Run it on the CPU: edgeseg run --model FILE.onnx",
        )
    if opened.batch is not None and opened.batch != batch:
        raise ConfigError(
            f"{opened.onnx_path} was exported for batches of {opened.batch}",
            hint=f"Build with --batch {opened.batch}, or export it with --batch dynamic.",
        )
    return opened
