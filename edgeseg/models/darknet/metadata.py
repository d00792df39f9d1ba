"""Say all that decides about an exported Darknet network, before anything is written."""

from __future__ import annotations

from pathlib import Path

from edgeseg.errors import DarknetError
from edgeseg.files import sha256_of
from edgeseg.models.class_names import class_names_for
from edgeseg.models.darknet.options import Epsilon
from edgeseg.models.darknet.plan import Network
from edgeseg.models.onnx_model import Metadata
from edgeseg.quantize.recipe import FP32, Recipe

WRITER_VERSION = 1
"""Raised whenever the same input gives another graph: cached models are then made again."""


def describe(
    network: Network,
    cfg_path: Path,
    weights_path: Path,
    *,
    names: Path | None = None,
    batch: int | None = 1,
    name: str | None = None,
    epsilon: Epsilon = "opencv",
    recipe: Recipe = FP32,
) -> Metadata:
    """Say all that decides about the ONNX file; hashes both sources.

    Raises DarknetError; ModelError when the scales of `recipe` are another network's.
    """
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be 1 or more, or None, got {batch}")
    sources = {"cfg": _sha256(cfg_path), "weights": _sha256(weights_path)}
    if recipe.scales is not None:
        recipe.scales.check_sources(sources)
        sources["scales"] = recipe.scales.sha256
    writer = f"edgeseg-onnx {WRITER_VERSION} {epsilon}"
    return Metadata(
        # A file's name may hold bytes that are no text; ONNX holds only text.
        name=(name or cfg_path.stem).encode(errors="replace").decode(),
        input_px=network.input_px,
        batch=batch,
        heads=network.head_specs,
        class_names=class_names_for(cfg_path, network.classes, names),
        precision=recipe.precision,
        writer=writer if recipe.precision == "fp32" else f"{writer}, {recipe}",
        sources=tuple(sorted(sources.items())),
    )


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DarknetError(f"cannot be read: {error.strerror}", file=str(path)) from error
