"""Build each engine once, and find it again.

`cache_dir()/engines/STEM.plan` is exactly what TensorRT made, so that trtexec
can load it; `STEM.json` beside it is its receipt. What does not match its
receipt is built again, and the old plan stays until the new one is proven.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeseg import __version__
from edgeseg.engines.lock import locked
from edgeseg.engines.receipts import Identity, Receipt, read_receipt
from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.build import (
    BuildOptions,
    Built,
    Watch,
    build_plan,
    refuse_unloadable,
)
from edgeseg.engines.tensorrt.device import Device, l4t_release
from edgeseg.errors import EngineError, EngineRefusedError
from edgeseg.files import cache_dir, sha256_of
from edgeseg.types import Model

log = logging.getLogger(__name__)

WAIT_S = 3600.0
"""How long to wait for another process that builds the same engine."""

Gate = Callable[[Path], Mapping[str, float]]
"""Compares a plan with the reference; gives scores, or raises EngineRefusedError to refuse it."""


@dataclass(frozen=True, slots=True)
class CachedEngine:
    """A plan that matches its receipt."""

    plan: Path
    receipt: Receipt


def engines_dir() -> Path:
    """Give the folder of the engines."""
    return cache_dir() / "engines"


def identity_of(model: Model, api: Api, device: Device | None, options: BuildOptions) -> Identity:
    """Say what engine a model needs on this machine."""
    fixed = model.batch
    return Identity(
        model=model.name,
        model_sha256=model.sha256 or sha256_of(model.onnx_path),
        precision=model.precision,
        input_px=model.input_px,
        batches=options.batches if fixed is None else (fixed, fixed, fixed),
        dla=options.dla,
        tensorrt=api.name,
        gpu=device.name if device else "",
        compute_capability=device.compute_capability if device else "",
        l4t=l4t_release(),
    )


def cached_engine(
    model: Model,
    api: Api,
    device: Device | None,
    *,
    options: BuildOptions = BuildOptions(),  # noqa: B008 - frozen
    rebuild: bool = False,
    gate: Gate | None = None,
    watch: Watch = Watch(),  # noqa: B008 - frozen
    wait_s: float = WAIT_S,
) -> CachedEngine:
    """Give the engine of a model for this machine; built when it is not in the cache.

    With a GPU a new plan must load before it replaces an older one; with
    `gate` it must pass that too, else it is dropped and a receipt says so; so
    must one from the cache that nobody compared yet. Two processes do not
    build the same engine: the second waits up to `wait_s`. Raises EngineError,
    EngineRefusedError, BuildCancelledError, and what `gate` raises.
    """
    identity = identity_of(model, api, device, options)
    found = None if rebuild else look_up(identity)[0]
    if found is not None and (gate is None or found.receipt.scores):
        return found
    folder, stem = engines_dir(), identity.stem
    lock = folder / f"{stem}.lock"
    with _disk_errors(folder), locked(lock, wait_s=wait_s, purpose=f"building {stem}"):
        found, reason = (None, "") if rebuild else look_up(identity)
        if found is not None:
            return found if gate is None else _proven(found, gate)
        if reason:
            log.warning("engine %s: %s; it is built again", stem, reason)
        _refuse_little_room(folder, model.onnx_path.stat().st_size)
        timings = options.timing_cache or folder / f"{_machine(identity)}.timings"
        candidate = folder / f"{stem}.candidate"
        try:
            built = build_plan(
                model,
                candidate,
                api,
                device=device,
                options=replace(options, timing_cache=timings),
                watch=watch,
            )
            receipt = _receipt(identity, candidate, built)
            if device is not None:
                refuse_unloadable(api, candidate)
            return _promote(candidate, receipt, gate)
        finally:
            candidate.unlink(missing_ok=True)


def look_up(identity: Identity) -> tuple[CachedEngine | None, str]:
    """Give the engine, or None and in one line why there is none; empty when it is just new.

    Raises EngineRefusedError for one that its gate refused.
    """
    folder = engines_dir()
    plan, receipt_path = (folder / f"{identity.stem}{end}" for end in (".plan", ".json"))
    if not plan.exists() and not receipt_path.exists():
        _refuse_known(folder, identity)
        return None, _other_machine(folder, identity)
    try:
        receipt = read_receipt(receipt_path)
        reason = _mismatch(plan, receipt, identity)
    except ValueError as error:
        reason = f"its receipt cannot be used: {error}"
    except OSError as error:
        reason = f"it is not complete: {Path(error.filename).name}: {error.strerror}"
    return (None, reason) if reason else (CachedEngine(plan, receipt), "")


def _mismatch(plan: Path, receipt: Receipt, identity: Identity) -> str:
    size = plan.stat().st_size
    if receipt.identity != identity:
        return identity.difference(receipt.identity)
    if size != receipt.size_bytes:
        return f"it has {size:,} bytes, its receipt says {receipt.size_bytes:,}"
    if sha256_of(plan) != receipt.sha256:
        return "its content is not what its receipt says"
    return ""


def _refuse_known(folder: Path, identity: Identity) -> None:
    try:
        refused = read_receipt(folder / f"{identity.stem}.refused.json")
    except (OSError, ValueError):
        return
    raise EngineRefusedError(
        f"{identity.slot} was built on {refused.built} and refused: {refused.refused}",
        hint="Build it once more with: edgeseg engines build MODEL --rebuild",
    )


def _other_machine(folder: Path, identity: Identity) -> str:
    """Say why an engine for the same purpose does not serve here."""
    for path in sorted(folder.glob(f"{glob.escape(identity.slot)}-*.json")):
        with contextlib.suppress(OSError, ValueError):
            other = read_receipt(path)
            if other.identity.slot == identity.slot and not other.refused:
                return f"{path.stem} does not serve here: {identity.difference(other.identity)}"
    return ""


def _promote(candidate: Path, receipt: Receipt, gate: Gate | None) -> CachedEngine:
    """Take a new plan into use, or refuse it; both are recorded."""
    folder, stem = candidate.parent, receipt.identity.stem
    refused = folder / f"{stem}.refused.json"
    if gate is not None:
        try:
            receipt = replace(receipt, scores=dict(gate(candidate)))
        except EngineRefusedError as error:
            replace(receipt, refused=error.message, scores=error.scores).write(refused)
            raise
    plan = candidate.replace(folder / f"{stem}.plan")
    receipt.write(folder / f"{stem}.json")
    refused.unlink(missing_ok=True)
    return CachedEngine(plan, receipt)


def _proven(found: CachedEngine, gate: Gate) -> CachedEngine:
    """Let an engine of the cache pass the gate too, if it has not."""
    receipt = found.receipt
    if receipt.scores:
        return found
    try:
        receipt = replace(receipt, scores=dict(gate(found.plan)))
    except EngineRefusedError as error:
        refused = found.plan.with_suffix(".refused.json")
        replace(receipt, refused=error.message, scores=error.scores).write(refused)
        found.plan.unlink(missing_ok=True)
        found.plan.with_suffix(".json").unlink(missing_ok=True)
        raise
    receipt.write(found.plan.with_suffix(".json"))
    return CachedEngine(found.plan, receipt)


def _receipt(identity: Identity, plan: Path, built: Built) -> Receipt:
    return Receipt(
        identity=identity,
        size_bytes=built.size_bytes,
        sha256=sha256_of(plan),
        built=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        build_s=round(built.seconds, 3),
        peak_rss_bytes=built.peak_rss_bytes,
        workspace_bytes=built.workspace_bytes,
        layers=built.layers,
        dla_layers=len(built.placement.on_dla) if built.placement else 0,
        edgeseg=__version__,
    )


def _machine(identity: Identity) -> str:
    """Name what measured times depend on."""
    parts = (identity.tensorrt, identity.gpu, identity.compute_capability, identity.l4t)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _refuse_little_room(folder: Path, model_bytes: int) -> None:
    """Raise EngineError before a long build whose plan would not fit: it is about as large."""
    free = shutil.disk_usage(folder).free
    needed = model_bytes + (model_bytes >> 3)
    if free < needed:
        raise EngineError(
            f"{folder} has {free / 1e6:.0f} MB free, the engine takes about {needed / 1e6:.0f} MB",
            hint="Make room (edgeseg engines prune), or name another folder: EDGESEG_CACHE_DIR.",
        )


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"the engine cannot be kept: {error.filename or folder}: {error.strerror}",
            hint="Make room, or name a folder that can be written: EDGESEG_CACHE_DIR.",
        ) from error
