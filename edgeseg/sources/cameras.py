"""Which cameras there are, and which of their modes to take."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import SourceOpenError
from edgeseg.sources import v4l2
from edgeseg.sources.v4l2 import FormatModes
from edgeseg.types import Size

DEFAULT_SIZE_PX = (1280, 720)
DEFAULT_FPS = 30.0
# MJPG first: raw video of this size does not fit through USB 2 at full rate.
# Then what OpenCV's V4L2 reader turns into BGR.
READABLE = ("MJPG", "JPEG", "YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12", "BGR3", "RGB3", "GREY")


@dataclass(frozen=True, slots=True)
class Camera:
    """One video device that gives pictures, or says why it cannot be asked."""

    path: str
    name: str
    driver: str = ""
    bus: str = ""
    by_id: str | None = None
    """Its name under /dev/v4l/by-id, the same after every start and in every socket."""
    formats: tuple[FormatModes, ...] = ()
    problem: str | None = None
    """Why nothing more is known: no permission, for one."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What is asked of a camera; None leaves it to the driver."""

    fourcc: str | None
    size_px: Size | None
    fps: float | None


def list_cameras(dev: Path = Path("/dev")) -> list[Camera]:
    """List cameras by number; nodes without pictures (metadata, outputs) are left out."""
    nodes = [path for path in dev.glob("video*") if re.fullmatch(r"video\d+", path.name)]
    nodes.sort(key=lambda path: int(path.name[5:]))
    cameras = (_described(path) for path in nodes)
    return [camera for camera in cameras if camera is not None]


def _described(path: Path) -> Camera | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Camera(str(path), "unknown", problem=_problem(error))
    try:
        what = v4l2.capabilities(fd)
        if not what.captures:
            return None
        return Camera(
            str(path), what.card, what.driver, what.bus, by_id(path), v4l2.formats(fd, what.flags)
        )
    except OSError as error:
        return Camera(str(path), "unknown", problem=_problem(error))
    finally:
        os.close(fd)


def _problem(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission: add the user to the group video"
    return os.strerror(error.errno) if error.errno else str(error)


def by_id(path: Path) -> str | None:
    """Give the lasting name of a camera's device file, when udev made one."""
    links = path.parent / "v4l" / "by-id"
    if not links.is_dir():
        return None
    target = path.resolve()
    return next((str(link) for link in sorted(links.iterdir()) if link.resolve() == target), None)


def choose_mode(
    formats: Sequence[FormatModes],
    *,
    size_px: Size | None = None,
    fps: float | None = None,
    pixel_format: str | None = None,
) -> Mode:
    """Choose the mode nearest to the wishes: first size, then frame rate, then format.

    Without wishes: 1280x720 at 30 FPS or what is nearest, MJPG before raw video.
    Raises SourceOpenError when the camera has no such pixel format, or none we can read.
    """
    if not formats:
        # Some drivers list nothing; they may still do as asked.
        return Mode(pixel_format, size_px, fps)
    there = ", ".join(each.fourcc for each in formats)
    if pixel_format is not None:
        wanted = [each for each in formats if each.fourcc.upper() == pixel_format.upper().rstrip()]
        if not wanted:
            raise SourceOpenError(
                f"the camera has no pixel format {pixel_format}", hint=f"It has: {there}."
            )
    else:
        wanted = [each for each in formats if each.fourcc in READABLE]
        if not wanted:
            raise SourceOpenError(
                f"the camera gives only {there}, which cannot be read as pictures",
                hint=f"Readable are: {', '.join(READABLE)}.",
            )
    return min(_modes(wanted, fps), key=lambda mode: _distance(mode, size_px, fps))


def _modes(formats: Sequence[FormatModes], fps: float | None) -> list[Mode]:
    return [
        Mode(each.fourcc, sizes.size_px, rate)
        for each in formats
        for sizes in each.sizes
        for rate in (sizes.fps or (fps,))
    ] or [Mode(each.fourcc, None, fps) for each in formats]


def _distance(mode: Mode, size_px: Size | None, fps: float | None) -> tuple[float, float, int]:
    (width, height), (have_w, have_h) = size_px or DEFAULT_SIZE_PX, mode.size_px or (0, 0)
    off_px = abs(width - have_w) + abs(height - have_h)
    target = fps or DEFAULT_FPS
    have = mode.fps or target
    # A slower camera loses frames, a faster one only power.
    off_fps = target - have if have < target else (have - target) / 1000
    rank = READABLE.index(mode.fourcc) if mode.fourcc in READABLE else len(READABLE)
    return off_px, off_fps, rank


def holders(path: Path) -> list[str]:
    """Name the processes that have a device open, as far as /proc lets us see."""
    target = os.path.realpath(path)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            holds = any(os.path.realpath(link) == target for link in (process / "fd").iterdir())
            if holds and int(process.name) != os.getpid():
                name = (process / "comm").read_text().strip()
                found.append(f"{name} (process {process.name})")
        except OSError:
            continue
    return sorted(found)
