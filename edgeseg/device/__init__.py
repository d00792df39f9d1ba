"""GPUs: which there are, and one of them opened."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from edgeseg.device.base import Allocator
from edgeseg.device.cuda_device import CudaDevice
from edgeseg.errors import DeviceError

if TYPE_CHECKING:
    from edgeseg.engines.tensorrt.device import Device

__all__ = ["CudaDevice", "device_facts", "native", "no_device", "open_device"]

log = logging.getLogger(__name__)

Flavor = Literal["auto", "pycuda", "runtime"]
"""Who allocates: `auto` is pycuda where it is installed, else the extension."""

CPU = "or use the CPU: --backend cpu"


def native() -> ModuleType:
    """Give the extension with the ops; tests put another in its place."""
    from edgeseg import _native

    return _native


def no_device(index: int = 0) -> DeviceError | None:
    """Say why the GPU of that index cannot be used; None when it can."""
    module = native()
    if not module.cuda_built():
        return DeviceError(
            "this build of edgeseg has no CUDA kernels",
            hint=f"Install the CUDA toolkit and reinstall edgeseg from source, {CPU}",
        )
    status: dict[str, Any] = module.cuda_status()
    count = status["devices"]
    if count == 0:
        return DeviceError(
            f"no CUDA device can be used: {status['error'] or 'the driver reports none'}",
            hint=f"See what is missing: edgeseg doctor, {CPU}",
        )
    if not 0 <= index < count:
        names = (f"{i} ({module.cuda.device_facts(i)['name']})" for i in range(count))
        return DeviceError(
            f"there is no CUDA device {index}; there is {', '.join(names)}",
            hint="Choose one with --device, or hide others with CUDA_VISIBLE_DEVICES.",
        )
    return None


def open_device(index: int = 0, flavor: Flavor = "auto") -> CudaDevice:
    """Open the GPU of that index. Raises DeviceError when it cannot be used."""
    reason = no_device(index)
    if reason is not None:
        raise reason
    module = native()
    return CudaDevice(module, index, _allocator(module, index, flavor))


def device_facts(index: int = 0) -> Device | None:
    """Tell what an engine's receipt holds of a GPU, by the driver alone where it answers.

    None where there is no GPU at all. Raises DeviceError for a number that none has.
    """
    from edgeseg.engines.tensorrt.device import find_device

    found = find_device(index)
    if found is not None:
        return found
    reason = no_device(index)
    if reason is None:
        return open_device(index).facts()
    if index != 0:
        raise reason
    return None


def _allocator(module: ModuleType, index: int, flavor: Flavor) -> Allocator:
    from edgeseg.device.by_runtime import RuntimeAllocator

    if flavor == "runtime":
        return RuntimeAllocator(module, index)
    try:
        from edgeseg.device.by_pycuda import PycudaAllocator

        return PycudaAllocator(index)
    except ImportError as error:
        if flavor == "pycuda":
            raise DeviceError(
                f"pycuda does not load: {error}", hint="Install it: pip install 'edgeseg[jetson]'"
            ) from error
        if not isinstance(error, ModuleNotFoundError):
            log.warning("pycuda is installed but does not load (%s); going on without it", error)
    return RuntimeAllocator(module, index)
