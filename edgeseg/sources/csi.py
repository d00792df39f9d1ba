"""CSI cameras of a Jetson, through GStreamer's Argus source in OpenCV.

The pipeline is that of NVIDIA's documents. It never ran on a Jetson: what is
tested is the way through OpenCV's GStreamer reader, with another source element.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import MissingDependencyError, SourceLostError, SourceOpenError
from edgeseg.sources.camera import as_bgr, imported_cv2
from edgeseg.sources.live import LiveSource
from edgeseg.sources.options import SourceOptions
from edgeseg.types import Size

DEFAULT_SIZE_PX = (1280, 720)
DEFAULT_FPS = 30.0
ARGUS = "nvarguscamerasrc"


def csi_pipeline(
    sensor: int, *, size_px: Size | None = None, fps: float | None = None, source: str = ARGUS
) -> str:
    """Write the GStreamer pipeline for CSI camera `sensor`.

    `source` stands in for the Argus element (with its properties); pictures then
    come from plain memory.
    """
    width, height = size_px or DEFAULT_SIZE_PX
    rate = f"{round((fps or DEFAULT_FPS) * 1000)}/1000"
    caps = f"width={width},height={height},framerate={rate}"
    if source == ARGUS:
        head = (
            f"{ARGUS} sensor-id={sensor} ! video/x-raw(memory:NVMM),{caps},format=NV12"
            " ! nvvidconv ! video/x-raw,format=BGRx"
        )
    else:
        head = f"{source} ! video/x-raw,{caps}"
    return (
        f"{head} ! videoconvert ! video/x-raw,format=BGR"
        " ! appsink max-buffers=1 drop=true sync=false"
    )


def has_gstreamer(build_information: str) -> bool:
    """Tell from cv2.getBuildInformation() whether OpenCV reads GStreamer pipelines."""
    return re.search(r"^\s*GStreamer:\s*YES", build_information, re.MULTILINE) is not None


def open_csi(sensor: int, options: SourceOptions, *, source: str = ARGUS) -> LiveSource:
    """Open CSI camera `sensor`; it reconnects by itself.

    Raises SourceOpenError, and MissingDependencyError when OpenCV lacks GStreamer.
    """
    pipeline = csi_pipeline(sensor, size_px=options.size_px, fps=options.fps, source=source)
    name = f"csi://{sensor}"
    check_opencv(name)
    element = source.split(maxsplit=1)[0]
    if lacks_element(element):
        raise SourceOpenError(
            f"{name}: GStreamer has no {element} here",
            hint="It comes with a Jetson's own packages: sudo apt install nvidia-l4t-gstreamer. "
            "A USB camera is named 0 or /dev/video0.",
        )
    return LiveSource(name, lambda: CsiCapture(name, pipeline), options)


def check_opencv(name: str) -> None:
    """Raise MissingDependencyError when OpenCV is missing or cannot read GStreamer pipelines."""
    cv2 = imported_cv2("a CSI camera")
    if not has_gstreamer(cv2.getBuildInformation()):
        raise MissingDependencyError(
            f"{name} needs an OpenCV built with GStreamer; this one, {cv2.__version__}, is not",
            hint="Use the system's: pip uninstall opencv-python opencv-python-headless, then "
            "sudo apt install python3-opencv, in a venv made with --system-site-packages.",
        )


def lacks_element(element: str) -> bool:
    """Tell whether GStreamer is known to lack an element.

    OpenCV 4.6 waits for ever on a pipeline with one that does not exist.
    """
    inspect = shutil.which("gst-inspect-1.0")
    if inspect is None:
        return False
    try:
        found = subprocess.run(
            [inspect, "--exists", element], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 1


class CsiCapture:
    """One running GStreamer pipeline."""

    def __init__(self, name: str, pipeline: str) -> None:
        """Start the pipeline. Raises SourceOpenError."""
        cv2 = imported_cv2("a CSI camera")
        self._name = name
        self._capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            raise SourceOpenError(
                f"{name}: the GStreamer pipeline does not start: {pipeline}",
                hint="Is the camera plugged in, and no other program using it? "
                "Then: sudo systemctl restart nvargus-daemon",
            )
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0 < fps <= 1000 else None

    def read(self) -> NDArray[np.uint8]:
        """Give the next picture, uint8[H, W, 3] BGR. Raises SourceLostError."""
        good, image = self._capture.read()
        if not good or image is None or not image.size:
            raise SourceLostError(f"{self._name}: the pipeline gives no pictures")
        return as_bgr(image)

    def drops(self) -> Mapping[str, int]:
        """Give nothing: GStreamer's sink drops in silence."""
        return {}

    def close(self) -> None:
        """Stop the pipeline."""
        self._capture.release()
