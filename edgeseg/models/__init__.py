"""Models: from a name or files to an ONNX network with raw heads."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.errors import ConfigError, ModelNotFoundError, OnnxModelError

if TYPE_CHECKING:
    from edgeseg.quantize.recipe import Recipe
    from edgeseg.types import Model, Size

__all__ = ["open_model"]

Progress = Callable[[int, int], None]


def open_model(
    model: str | Path,
    *,
    weights: Path | None = None,
    names: Path | None = None,
    size: Size | None = None,
    batch: int | None = 1,
    recipe: Recipe | None = None,
    net_config: Path | None = None,
    progress: Progress | None = None,
) -> Model:
    """Give a model that an engine can load.

    `model` is a registry name (its weights are pulled when needed), a Darknet
    .cfg (weights of the same stem beside it unless given) or an .onnx: one that
    edgeseg exported, or of a family that it knows (docs/MODELS.md), which
    `net_config` or a TOML file of the same stem beside it describes.
    Darknet models are converted once and then come from the cache; `progress`
    hears of the conversion (done, total). `size` is (width, height);
    `batch=None` leaves the batch open; `recipe` is the precision of a converted
    model (an .onnx has its own), fp32 unless given. Raises
    ModelNotFoundError, DarknetError, OnnxModelError, DownloadError, ConfigError.
    """
    from edgeseg.models import registry
    from edgeseg.models.cache import cached_onnx
    from edgeseg.quantize.recipe import FP32

    path = Path(model).expanduser()
    if path.suffix.lower() == ".onnx":
        return _open_onnx(path, weights, names, size, net_config)
    name = None
    if path.suffix.lower() == ".cfg":
        cfg, weights = _existing(path), weights or _weights_beside(path)
    elif registry.is_name(str(model)):
        name = str(model)
        known, known_px = registry.find(name)
        cfg, size, names = known.cfg, size or known_px, names or known.names
        weights = weights or registry.fetch(name).weights
    else:
        raise _not_found(str(model))
    return cached_onnx(
        cfg,
        _existing(weights),
        names=names,
        size=size,
        batch=batch,
        name=name,
        recipe=recipe or FP32,
        progress=progress,
    )


def _open_onnx(
    path: Path,
    weights: Path | None,
    names: Path | None,
    size: Size | None,
    net_config: Path | None,
) -> Model:
    from edgeseg.models.class_names import read_names
    from edgeseg.models.families import open_foreign
    from edgeseg.models.onnx_model import is_exported

    if weights is not None:
        raise ConfigError(
            f"{path} holds its own weights, so --weights cannot be used with it",
            hint="Give the .cfg with --model to load other weights.",
        )
    class_names = None if names is None else read_names(names)
    if is_exported(_existing(path)):
        return _open_exported(path, class_names, names, size)
    return open_foreign(path, names=class_names, size=size, net_config=net_config)


def _open_exported(
    path: Path, class_names: tuple[str, ...] | None, names: Path | None, size: Size | None
) -> Model:
    from edgeseg.models.onnx_model import read_model

    model = read_model(path)
    if size is not None and size != model.input_px:
        width, height = model.input_px
        raise OnnxModelError(
            f"{path} was exported at {width}x{height} and cannot run at {size[0]}x{size[1]}",
            hint="Export it again: `edgeseg models export CFG WEIGHTS --size WIDTHxHEIGHT`.",
        )
    if class_names is None:
        return model
    if len(class_names) != len(model.class_names):
        raise OnnxModelError(
            f"{names} has {len(class_names)} names, {path} has {len(model.class_names)} classes"
        )
    return dataclasses.replace(model, class_names=class_names)


def _weights_beside(cfg: Path) -> Path:
    beside = cfg.with_suffix(".weights")
    if beside.is_file():
        return beside
    others = sorted(path.name for path in cfg.parent.glob("*.weights"))[:3]
    seen = f" The folder has {', '.join(others)}." if others else ""
    raise ModelNotFoundError(
        f"no weights for {cfg}: {beside} does not exist",
        hint=f"Name them with --weights FILE.{seen}",
    )


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    if path.exists():
        raise ModelNotFoundError(f"{path} is not a regular file", hint="Name the file itself.")
    siblings = [other.name for other in path.parent.glob(f"*{path.suffix}")]
    close = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f"Did you mean {path.with_name(close[0])}?" if close else "Check the path."
    raise ModelNotFoundError(f"{path} does not exist", hint=hint)


def _not_found(model: str) -> ModelNotFoundError:
    from edgeseg.models import registry

    if Path(model).exists():
        return ModelNotFoundError(
            f"{model} is neither a .cfg nor an .onnx file",
            hint="Give the .cfg, and its .weights with --weights.",
        )
    close = difflib.get_close_matches(model, registry.names(), n=1)
    meant = f"Did you mean {close[0]}? " if close else ""
    return ModelNotFoundError(
        f"no model is called {model!r}",
        hint=f"{meant}List them: `edgeseg models list`. A file ends in .cfg or .onnx.",
    )
