"""Convert each Darknet model once, and find it again.

`cache_dir()/onnx/KEY.onnx` with a receipt KEY.json. The key covers all that
decides about the file: hashes of cfg and weights, class names, size, batch and
the writer's version. The receipt holds the SHA-256 of the ONNX; what does not
match it is made again.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edgeseg.errors import ModelError
from edgeseg.files import cache_dir, sha256_of, written_aside
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.metadata import describe
from edgeseg.models.darknet.options import Epsilon
from edgeseg.models.darknet.plan import Network, plan_network
from edgeseg.models.onnx_model import Metadata
from edgeseg.quantize.recipe import FP32, Recipe
from edgeseg.types import Model, Size

log = logging.getLogger(__name__)

_ABANDONED_S = 3600.0
"""A part file this old belongs to a process that was killed."""
_one_at_a_time = threading.Lock()


def cached_onnx(
    cfg: Path,
    weights: Path,
    *,
    names: Path | None = None,
    size: Size | None = None,
    batch: int | None = 1,
    name: str | None = None,
    epsilon: Epsilon = "opencv",
    recipe: Recipe = FP32,
    progress: Callable[[int, int], None] | None = None,
) -> Model:
    """Give the ONNX model of a Darknet network, converted when it is not in the cache.

    Each `recipe` (precision, scales) has its own place there.
    Safe when several processes do it at once. Where the cache cannot be written
    the model goes to a temporary folder that lives as long as the process.
    Raises DarknetError; ModelError when no place can be written.
    """
    network = plan_network(parse_cfg(cfg), size)
    metadata = describe(
        network,
        cfg,
        weights,
        names=names,
        batch=batch,
        name=name,
        epsilon=epsilon,
        recipe=recipe,
    )
    key = hashlib.sha256(metadata.to_json().encode()).hexdigest()[:32]
    with _one_at_a_time:
        path = cache_dir() / "onnx" / f"{key}.onnx"
        model = _load(path, metadata)
        if model is not None:
            return model
        try:
            return _convert(network, weights, path, metadata, epsilon, recipe, progress)
        except OSError as error:
            log.warning(
                "%s cannot be written (%s); the model is converted for this run only",
                path.parent, error.strerror,
            )  # fmt: skip
        try:
            path = _temporary_folder() / f"{key}.onnx"
            return _convert(network, weights, path, metadata, epsilon, recipe, progress)
        except OSError as error:
            raise ModelError(
                f"there is no room for the converted model: {path.parent}: {error.strerror}",
                hint="Name a folder that can be written with EDGESEG_CACHE_DIR.",
            ) from error


def _load(path: Path, metadata: Metadata) -> Model | None:
    """Give the cached model; None when there is none, or it is not what its receipt says."""
    receipt = path.with_suffix(".json")
    if not path.exists() and not receipt.exists():
        return None
    try:
        expected = json.loads(receipt.read_text(encoding="utf-8"))["sha256"]
        if sha256_of(path) == expected:
            return metadata.model(path, expected)
        reason = "does not match its receipt"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"is not complete ({error})"
    log.warning("cached model %s %s; it is converted again", path.name, reason)
    return None


def _convert(
    network: Network,
    weights: Path,
    path: Path,
    metadata: Metadata,
    epsilon: Epsilon,
    recipe: Recipe,
    progress: Callable[[int, int], None] | None,
) -> Model:
    from edgeseg.models.darknet.export import write

    _remove_abandoned(path.parent)
    log.info("converting %s to %s", weights, path)
    sha256 = write(network, weights, path, metadata, epsilon, recipe=recipe, progress=progress)
    with written_aside(path.with_suffix(".json")) as aside:
        receipt = {"sha256": sha256, "model": json.loads(metadata.to_json())}
        aside.write_text(json.dumps(receipt, indent=1), encoding="utf-8")
    return metadata.model(path, sha256)


def _remove_abandoned(folder: Path) -> None:
    for part in folder.glob("*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_S:
                part.unlink()


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="edgeseg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
