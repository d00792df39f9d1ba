"""What the kernel says of its cameras, asked with four ioctls of videodev2.h.

The layouts are those of Linux's include/uapi/linux/videodev2.h; they are the
same on every architecture that edgeseg runs on.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgeseg.types import Size

_CAPABILITY = struct.Struct("=16s32s32s6I")
_FMTDESC = struct.Struct("=3I32s5I")
_FRMSIZEENUM = struct.Struct("=3I6I2I")
_FRMIVALENUM = struct.Struct("=5I6I2I")


def _code(direction: int, number: int, layout: struct.Struct) -> int:
    return direction << 30 | layout.size << 16 | ord("V") << 8 | number


QUERYCAP = _code(2, 0, _CAPABILITY)
ENUM_FMT = _code(3, 2, _FMTDESC)
ENUM_FRAMESIZES = _code(3, 74, _FRMSIZEENUM)
ENUM_FRAMEINTERVALS = _code(3, 75, _FRMIVALENUM)

CAP_VIDEO_CAPTURE = 0x1
CAP_VIDEO_CAPTURE_MPLANE = 0x1000
CAP_DEVICE_CAPS = 0x80000000
_BUF_CAPTURE, _BUF_CAPTURE_MPLANE = 1, 9
_DISCRETE = 1
# A broken driver must not keep us for ever.
_MOST_ENTRIES = 256
_COMMON_SIZES = ((320, 240), (640, 360), (640, 480), (800, 600), (1280, 720), (1920, 1080))

Ioctl = Callable[[int, int, bytearray], object]
"""fcntl.ioctl, or another that fills the buffer."""


@dataclass(frozen=True, slots=True)
class FrameSizeMode:
    """One size of a format, and the frame rates it runs at."""

    size_px: Size
    fps: tuple[float, ...]
    """Falling; empty when the driver does not tell."""


@dataclass(frozen=True, slots=True)
class FormatModes:
    """One pixel format of a camera."""

    fourcc: str
    description: str
    sizes: tuple[FrameSizeMode, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a video device is."""

    driver: str
    card: str
    """The name to show."""
    bus: str
    flags: int

    @property
    def captures(self) -> bool:
        """Whether pictures can be had from it; many cameras have a second node for metadata."""
        return bool(self.flags & (CAP_VIDEO_CAPTURE | CAP_VIDEO_CAPTURE_MPLANE))


def capabilities(fd: int, ioctl: Ioctl = fcntl.ioctl) -> Capabilities:
    """Ask what the open device is. Raises OSError."""
    buffer = bytearray(_CAPABILITY.size)
    ioctl(fd, QUERYCAP, buffer)
    driver, card, bus, _, flags, device_flags, *_ = _CAPABILITY.unpack(buffer)
    if flags & CAP_DEVICE_CAPS:
        # The first word describes all nodes of the device, the second this one.
        flags = device_flags
    return Capabilities(_text(driver), _text(card), _text(bus), flags)


def formats(fd: int, flags: int, ioctl: Ioctl = fcntl.ioctl) -> tuple[FormatModes, ...]:
    """List pixel formats with sizes and frame rates. Raises OSError."""
    kind = _BUF_CAPTURE if flags & CAP_VIDEO_CAPTURE else _BUF_CAPTURE_MPLANE
    found = []
    for answer in _listed(fd, ENUM_FMT, _FMTDESC, (kind,), ioctl):
        name, code = answer[3], answer[4]
        sizes = tuple(
            FrameSizeMode(size, _rates(fd, code, size, ioctl)) for size in _sizes(fd, code, ioctl)
        )
        fourcc = struct.pack("<I", code & 0x7FFFFFFF).decode("latin-1").rstrip()
        found.append(FormatModes(fourcc, _text(name), sizes))
    return tuple(found)


def _sizes(fd: int, code: int, ioctl: Ioctl) -> list[Size]:
    sizes: list[Size] = []
    for answer in _listed(fd, ENUM_FRAMESIZES, _FRMSIZEENUM, (code,), ioctl):
        kind, values = answer[2], answer[3:9]
        if kind == _DISCRETE:
            sizes.append((values[0], values[1]))
            continue
        low_w, high_w, step_w, low_h, high_h, step_h = values
        sizes += [
            (width, height)
            for width, height in (*_COMMON_SIZES, (high_w, high_h))
            if low_w <= width <= high_w
            and low_h <= height <= high_h
            and (width - low_w) % max(1, step_w) == 0
            and (height - low_h) % max(1, step_h) == 0
        ]
        break
    return list(dict.fromkeys(sizes))


def _rates(fd: int, code: int, size: Size, ioctl: Ioctl) -> tuple[float, ...]:
    rates: set[float] = set()
    for answer in _listed(fd, ENUM_FRAMEINTERVALS, _FRMIVALENUM, (code, *size), ioctl):
        kind, values = answer[4], answer[5:11]
        # A range gives its shortest and longest interval.
        fractions = [values[0:2]] if kind == _DISCRETE else [values[0:2], values[2:4]]
        rates |= {round(below / above, 3) for above, below in fractions if above and below}
        if kind != _DISCRETE:
            break
    return tuple(sorted(rates, reverse=True))


def _listed(
    fd: int, code: int, layout: struct.Struct, asked: tuple[int, ...], ioctl: Ioctl
) -> Iterator[tuple[Any, ...]]:
    """Ask for entry 0, 1, … until the driver has no more."""
    for index in range(_MOST_ENTRIES):
        buffer = bytearray(
            struct.pack(f"={1 + len(asked)}I", index, *asked).ljust(layout.size, b"\0")
        )
        try:
            ioctl(fd, code, buffer)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
                return
            raise
        yield layout.unpack(buffer)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")
