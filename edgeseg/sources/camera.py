"""USB and other V4L2 cameras, through OpenCV."""

from __future__ import annotations

import contextlib
import errno
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

EMPTY = "the camera sent an empty picture"
# A read that fails faster than a frame can come was refused.
AT_ONCE_S = 0.01
RETRY_S = 0.1
_AWAY = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


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
        self._empty = 0
        self._mode = _agreed_mode(path, options)
        self._capture = self._started()
        self.fps = self._fps()

    def _started(self) -> Any:
        cv2, mode = imported_cv2("a camera"), self._mode
        if "OPENCV_LOG_LEVEL" not in os.environ:
            # Its warnings go past every log; what they mean stands in our errors.
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
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
        begun_s = time.monotonic()
        while True:
            asked_s = time.monotonic()
            came = self._capture.grab()
            image = self._decoded() if came else None
            if image is not None:
                self._seen = True
                return as_bgr(image)
            now_s = time.monotonic()
            self._empty += came
            if now_s - begun_s > limit_s or (self._seen and not came):
                raise self._lost()
            if not came and now_s - asked_s < AT_ONCE_S:
                self._start_again()

    def _decoded(self) -> NDArray[np.uint8] | None:
        """Give the grabbed picture; None when it is empty, as under strain or after an error."""
        try:
            good, image = self._capture.retrieve()
        except imported_cv2("a camera").error:
            return None
        return image if good and image is not None and image.size else None

    def _start_again(self) -> None:
        """Open the device anew: OpenCV never asks twice for a stream that was refused."""
        self._capture.release()
        time.sleep(RETRY_S)
        try:
            self._capture = self._started()
        except SourceOpenError as error:
            raise self._lost() from error

    def _lost(self) -> SourceLostError:
        if _is_away(self._path):
            return SourceLostError(f"{self._path}: the camera is gone")
        # A program that only watches the device does not stop a stream that ran.
        who = [] if self._seen else holders(self._path)
        what = f"is in use by {', '.join(who)}" if who else "gives no pictures"
        return SourceLostError(
            f"{self._path}: the camera {what}",
            hint="Unplug it and plug it in again, or try another mode.",
        )

    def drops(self) -> Mapping[str, int]:
        """Give the pictures without content; OpenCV hides what the driver lost."""
        return {EMPTY: self._empty} if self._empty else {}

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
    except OSError as error:
        raise _closed_to_us(path, error) from error
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


def _is_away(path: Path) -> bool:
    """Tell whether the device is unplugged; its file may stay while a program has it open."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return error.errno in _AWAY
    try:
        v4l2.capabilities(fd)
    except OSError as error:
        return error.errno in _AWAY
    finally:
        os.close(fd)
    return False


def _closed_to_us(path: Path, error: OSError) -> SourceOpenError:
    if error.errno in _AWAY:
        return SourceOpenError(f"{path}: no such camera", hint=_cameras_there())
    if isinstance(error, PermissionError):
        return SourceOpenError(
            f"{path}: no permission to open the camera",
            hint="Add the user to the group video: sudo usermod -aG video $USER, then log in anew.",
        )
    return SourceOpenError(
        f"{path}: cannot be opened: {os.strerror(error.errno or 0)}", hint=_holders_hint(path)
    )


def _refused(path: Path) -> SourceOpenError:
    who = holders(path)
    what = f"is in use by {', '.join(who)}" if who else "refuses to start"
    return SourceOpenError(f"{path}: the camera {what}", hint=_holders_hint(path))


def _holders_hint(path: Path) -> str:
    return f"Only one program may read a camera. See who does: fuser -v {path}"


def _cameras_there() -> str:
    with contextlib.suppress(OSError):
        names = [f"{camera.path} ({camera.name})" for camera in list_cameras()]
        if names:
            return f"There are: {', '.join(names)}."
    return "No camera was found. In a container, pass it on: --device /dev/video0."
