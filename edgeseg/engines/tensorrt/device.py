"""Ask the CUDA driver about the GPU, without any package: its library by ctypes.

Needs no context for the names, so nothing is left behind on the device.
"""

from __future__ import annotations

import ctypes
import functools
import re
from dataclasses import dataclass
from pathlib import Path

_CC_MAJOR, _CC_MINOR, _INTEGRATED = 75, 76, 18
"""CUdevice_attribute of cuda.h."""


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU."""

    name: str
    compute_capability: str
    """As 8.7."""
    integrated: bool
    """It shares its memory with the CPU, as on a Jetson."""
    free_bytes: int | None
    total_bytes: int | None


class DriverError(Exception):
    """There is no driver or no such device; the text says which call failed."""


def find_device(index: int = 0) -> Device | None:
    """Give the GPU of that index; None where there is no driver or no such GPU."""
    try:
        driver = _Driver()
        device = driver.device(index)
        attribute = functools.partial(driver.attribute, device)
        free, total = driver.memory(device)
        return Device(
            name=driver.name(device),
            compute_capability=f"{attribute(_CC_MAJOR)}.{attribute(_CC_MINOR)}",
            integrated=bool(attribute(_INTEGRATED)),
            free_bytes=free,
            total_bytes=total,
        )
    except DriverError:
        return None


def l4t_release(file: Path = Path("/etc/nv_tegra_release")) -> str:
    """Give the Jetson Linux release, as 36.4.3; empty elsewhere."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", text)
    return f"{found[1]}.{found[2]}" if found else ""


class _Driver:
    """The few calls of libcuda.so.1."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise DriverError(str(error)) from error
        self._call("cuInit", 0)

    def _call(self, name: str, *arguments: object) -> None:
        try:
            code = getattr(self._library, name)(*arguments)
        except AttributeError as error:
            raise DriverError(f"the driver has no {name}") from error
        if code != 0:
            raise DriverError(f"{name} failed with {code}")

    def device(self, index: int) -> ctypes.c_int:
        device = ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(device), index)
        return device

    def name(self, device: ctypes.c_int) -> str:
        text = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", text, len(text), device)
        return text.value.decode(errors="replace")

    def attribute(self, device: ctypes.c_int, number: int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), number, device)
        return value.value

    def memory(self, device: ctypes.c_int) -> tuple[int | None, int | None]:
        """Give free and total bytes; None when the device has no room for a context."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        context = ctypes.c_void_p()
        try:
            self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        except DriverError:
            return None, None
        try:
            self._call("cuCtxPushCurrent_v2", context)
            try:
                self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
            finally:
                self._call("cuCtxPopCurrent_v2", ctypes.byref(context))
        except DriverError:
            return None, None
        finally:
            self._call("cuDevicePrimaryCtxRelease_v2", device)
        return free.value, total.value
