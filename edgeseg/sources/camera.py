"""USB and other V4L2 cameras, through OpenCV."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import MissingDependencyError, SourceLostError, SourceOpenError
from edgeseg.sources import v4l2
from edgeseg.sources.cameras import Mode, by_id, choose_mode, holders, list_cameras
from edgeseg.sources.live import LiveSource
from edgeseg.sources.options import SourceOptions


def open_camera(path: Path, options: SourceOptions) -> LiveSource:
    """Open a V4L2 camera by its device file; it reconnects by itself.

    Raises SourceOpenError, MissingDependencyError.
    """
    lasting = by_id(path) if path.exists() else None

    def connect() -> CameraCapture:
        # Plugged in again, a camera may get another number but keeps its name.
        found = Path(lasting) if lasting and Path(lasting).exists() else path
        return CameraCapture(found, options)

    return LiveSource(str(path), connect, options)


class CameraCapture:
    """One opened V4L2 device."""

    def __init__(self, path: Path, options: SourceOptions) -> None:
        """Choose a mode and start the camera. Raises SourceOpenError."""
        self._path = path
        self._options = options
        self._seen = False
        mode = _agreed_mode(path, options)
        self._capture = self._started(mode)
        self.fps = self._fps()

    def _started(self, mode: Mode) -> Any:
        cv2 = imported_cv2("a camera")
        # OpenCV reads it once, before the first camera; its own default is 10 s.
        seconds = str(max(1, math.ceil(self._options.read_timeout_s)))
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", seconds)
        capture = cv2.VideoCapture(os.path.realpath(self._path), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise _refused(self._path)
        if mode.fourcc:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*mode.fourcc.ljust(4)))
        if mode.size_px:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, mode.size_px[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, mode.size_px[1])
        if mode.fps:
            capture.set(cv2.CAP_PROP_FPS, mode.fps)
        return capture

    def _fps(self) -> float | None:
        fps = float(self._capture.get(imported_cv2("a camera").CAP_PROP_FPS))
        return fps if 0 < fps <= 1000 else None

    def read(self) -> NDArray[np.uint8]:
        """Give the next picture, uint8[H, W, 3] BGR. Raises SourceLostError."""
        options = self._options
        # Cameras take a moment to wake; after that silence means trouble.
        limit_s = options.read_timeout_s if self._seen else options.open_timeout_s
        deadline_s = time.monotonic() + limit_s
        while True:
            good, image = self._capture.read()
            if good and image is not None and image.size:
                self._seen = True
                return as_bgr(image)
            if not self._path.exists():
                raise SourceLostError(f"{self._path}: the camera is gone")
            if self._seen or time.monotonic() > deadline_s:
                raise _silent(self._path)

    def drops(self) -> Mapping[str, int]:
        """Give nothing: OpenCV does not tell what the driver lost."""
        return {}

    def close(self) -> None:
        """Stop the camera."""
        self._capture.release()


def imported_cv2(purpose: str) -> Any:
    """Import OpenCV. Raises MissingDependencyError."""
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError.of("opencv-python-headless", "cpu", purpose=purpose) from error
    return cv2


def as_bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give uint8[H, W, 3] of a grey picture; leave a BGR one as it is."""
    if image.ndim == 3 and image.shape[2] == 3:
        return image
    return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)


def _agreed_mode(path: Path, options: SourceOptions) -> Mode:
    """Ask the device what it can do and choose. Raises SourceOpenError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise SourceOpenError(f"{path}: no such camera", hint=_cameras_there()) from error
    except PermissionError as error:
        raise SourceOpenError(
            f"{path}: no permission to open the camera",
            hint="Add the user to the group video: sudo usermod -aG video $USER, then log in anew.",
        ) from error
    except OSError as error:
        raise SourceOpenError(
            f"{path}: cannot be opened: {os.strerror(error.errno or 0)}", hint=_holders_hint(path)
        ) from error
    try:
        what = v4l2.capabilities(fd)
        if not what.captures:
            raise SourceOpenError(
                f"{path}: {what.card} gives no pictures on this device file",
                hint=f"It is for metadata or output. {_cameras_there()}",
            )
        return choose_mode(
            v4l2.formats(fd, what.flags),
            size_px=options.size_px,
            fps=options.fps,
            pixel_format=options.pixel_format,
        )
    except OSError as error:
        raise SourceOpenError(
            f"{path}: not a camera: {os.strerror(error.errno or 0)}", hint=_cameras_there()
        ) from error
    finally:
        os.close(fd)


def _refused(path: Path) -> SourceOpenError:
    who = holders(path)
    what = f"is in use by {', '.join(who)}" if who else "refuses to start"
    return SourceOpenError(f"{path}: the camera {what}", hint=_holders_hint(path))


def _silent(path: Path) -> SourceLostError:
    who = holders(path)
    what = f"is in use by {', '.join(who)}" if who else "gives no pictures"
    return SourceLostError(
        f"{path}: the camera {what}", hint="Unplug it and plug it in again, or try another mode."
    )


def _holders_hint(path: Path) -> str:
    return f"Only one program may read a camera. See who does: fuser -v {path}"


def _cameras_there() -> str:
    with contextlib.suppress(OSError):
        names = [f"{camera.path} ({camera.name})" for camera in list_cameras()]
        if names:
            return f"There are: {', '.join(names)}."
    return "No camera was found. In a container, pass it on: --device /dev/video0."
