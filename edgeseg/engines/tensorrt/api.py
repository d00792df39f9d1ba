"""Find TensorRT or TensorRT-RTX, and refuse what is too old."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from edgeseg.engines.tensorrt import bindings as b
from edgeseg.errors import EngineError, MissingDependencyError

Flavor = Literal["auto", "tensorrt", "rtx"]
"""`auto` takes TensorRT where it is installed, else TensorRT-RTX."""

_FULL, _RTX = "tensorrt", "tensorrt_rtx"
_EXTRAS = {_FULL: "tensorrt", _RTX: "rtx"}

OLDEST = (10, 3)
OLDEST_RTX = (1, 7)


class TensorRt(Protocol):
    """The module `tensorrt`, or `tensorrt_rtx`: the same calls."""

    __version__: str
    ILogger: type[Any]
    IProgressMonitor: type[Any]
    BuilderFlag: b.BuilderFlag
    DataType: b.DataType
    DeviceType: b.DeviceType
    ExecutionContextAllocationStrategy: b.ExecutionContextAllocationStrategy
    MemoryPoolType: b.MemoryPoolType
    NetworkDefinitionCreationFlag: b.NetworkDefinitionCreationFlag
    TensorIOMode: b.TensorIOMode
    Builder: Callable[[b.ILogger], b.Builder]
    OnnxParser: Callable[[b.INetworkDefinition, b.ILogger], b.OnnxParser]
    Runtime: Callable[[b.ILogger], b.Runtime]


@dataclass(frozen=True, slots=True)
class Api:
    """One loaded TensorRT."""

    trt: TensorRt
    rtx: bool

    @property
    def version(self) -> str:
        """Give its version, as 10.3.0."""
        return self.trt.__version__

    @property
    def name(self) -> str:
        """Give the product with its version, for messages."""
        return f"{'TensorRT-RTX' if self.rtx else 'TensorRT'} {self.version}"


def load_tensorrt(flavor: Flavor = "auto") -> Api:
    """Load TensorRT 10.3 or newer, or TensorRT-RTX 1.7 or newer.

    Raises MissingDependencyError when it is not installed or does not load,
    EngineError when it is too old.
    """
    wanted = {"auto": (_FULL, _RTX), "tensorrt": (_FULL,), "rtx": (_RTX,)}[flavor]
    found = [module for module in wanted if _is_installed(module)]
    if not found:
        raise _not_installed(wanted[0])
    api = Api(_imported(found[0]), found[0] == _RTX)
    _refuse_too_old(api)
    return api


def _is_installed(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None  # a folder of that name has no origin


def _imported(module: str) -> TensorRt:
    try:
        return cast("TensorRt", importlib.import_module(module))
    except Exception as error:
        # A wheel whose libraries do not load raises ImportError, OSError, or what it likes.
        raise MissingDependencyError(
            f"the package {module} is installed but does not load: {error}",
            hint="Install it again with the libraries it needs: "
            f"pip install --force-reinstall 'edgeseg[{_EXTRAS[module]}]'",
        ) from error


def _not_installed(module: str) -> MissingDependencyError:
    missing = MissingDependencyError.of(
        module, _EXTRAS[module], purpose="building TensorRT engines"
    )
    if module == _FULL and is_jetson():
        missing.hint = (
            "JetPack brings it for the system's Python: sudo apt install python3-libnvinfer, "
            "and make the venv with: python3 -m venv --system-site-packages"
        )
    return missing


def is_jetson() -> bool:
    """Say whether this is a Jetson: its system release file is there."""
    return Path("/etc/nv_tegra_release").exists()


def _refuse_too_old(api: Api) -> None:
    oldest = OLDEST_RTX if api.rtx else OLDEST
    found = re.match(r"(\d+)\.(\d+)", api.version)
    if found is not None and (int(found[1]), int(found[2])) >= oldest:
        return
    extra = _EXTRAS[_RTX if api.rtx else _FULL]
    hint = f"Install a newer one: pip install --upgrade 'edgeseg[{extra}]'"
    if is_jetson():
        hint = "JetPack 6.1 for Orin is the first with TensorRT 10.3; 6.0 has 8.6 and 5 has 8.5."
    raise EngineError(
        f"{api.name} is too old: edgeseg needs {'.'.join(map(str, oldest))} or newer", hint=hint
    )
