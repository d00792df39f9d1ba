"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import EngineError, MissingDependencyError
from edgeseg.types import Batch, Heads, Model


class OnnxRuntimeEngine:
    """Runs a model on the CPU; `threads` 0 means all cores this process may use.

    With `throughput` the threads are shared out to up to four frames at once.
    On two cores that brings 1.05 to 1.1 times as many frames through, since no
    core waits for the other at the end of each layer.

    Raises EngineError when the model does not load, MissingDependencyError
    without the package onnxruntime.
    """

    name = "onnxruntime"

    def __init__(self, model: Model, *, threads: int = 0, throughput: bool = False) -> None:
        count = threads or available_cpus()
        self.lanes = _lanes(count) if throughput else 1
        self._session = open_session(
            model.onnx_path, threads=count // self.lanes, precision=model.precision
        )
        weights = {tensor.name for tensor in self._session.get_overridable_initializers()}
        picture = next(i for i in self._session.get_inputs() if i.name not in weights)
        self._input = picture.name
        self._dtype = _DTYPES.get(picture.type, np.float32)
        named = () if model.outputs is None else model.outputs.names
        self._outputs = list(named) or [output.name for output in self._session.get_outputs()]
        self.description = (
            f"ONNX Runtime {_import_onnxruntime().__version__}, CPU, {model.precision}, "
            + _plural(count, "thread")
            + (f", {self.lanes} frames at once" if self.lanes > 1 else "")
        )

    def infer(self, batch: Batch) -> Heads:
        """Run the network. Raises EngineError."""
        images = batch.tensor.astype(self._dtype, copy=False)
        heads: Heads = run_session(self._session, {self._input: images}, self._outputs)
        half = any(head.dtype == np.float16 for head in heads)
        return [head.astype(np.float32) for head in heads] if half else heads

    def close(self) -> None:
        """Release the network."""
        del self._session


_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


def open_session(path: Path, *, threads: int, precision: str, spin: bool = True) -> Any:
    """Load a network on the CPU; `threads` 0 means all cores this process may use.

    With `spin` its threads wait for work awake, which is quicker but keeps the
    cores from whatever else runs at the same time.
    Raises EngineError when it does not load, MissingDependencyError without
    the package onnxruntime.
    """
    ort = _import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or available_cpus()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The pipeline's other threads take turns on the same cores: hand out
    # work in small blocks, so that a thread that lost its core holds up less.
    options.add_session_config_entry("session.dynamic_block_base", "4")
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    if precision == "int8" and not _int8_is_exact():
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineError(
            f"ONNX Runtime cannot load {path}: {first_line(error)}",
            hint="Export it again: edgeseg models export",
        ) from error


def run_session(
    session: Any, inputs: dict[str, NDArray[Any]], outputs: list[str] | None = None
) -> Heads:
    """Run a loaded network. Raises EngineError."""
    try:
        heads: Heads = session.run(outputs, inputs)
    except Exception as error:
        raise EngineError(f"ONNX Runtime failed: {first_line(error)}") from error
    return heads


def _import_onnxruntime() -> ModuleType:
    # Since 1.29 ONNX Runtime reports home from Linux unless this is set before the import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingDependencyError.of(
            "onnxruntime", "cpu", purpose="running the network on the CPU"
        ) from error
    module: ModuleType = ort
    return module


def _lanes(threads: int) -> int:
    """Give the largest number of equal shares, up to four: each lane holds its own activations."""
    return max(share for share in range(1, 5) if threads % share == 0)


def _int8_is_exact(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Say whether the CPU sums INT8 products in 32 bits.

    x86 without VNNI does so in 16 bits, which overflow and spoil the result
    unless ONNX Runtime is told to take slower kernels.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        flags = cpuinfo.read_text().split()
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


def available_cpus() -> int:
    """Count the cores this process may use: affinity, and the quota of its cgroup."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass  # no cgroup v2: the affinity stands
    return cores


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_line(error: BaseException) -> str:
    """Give the first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
