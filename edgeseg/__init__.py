"""edgeseg: from a Darknet checkpoint to annotated video on an edge device.

Command line: `edgeseg --help`. Python:

    import edgeseg

    for result in edgeseg.stream("clip.mp4", model="yolov3-tiny"):
        print(result.frame.index, result.to_dict()["objects"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from edgeseg.errors import (
    ConfigError,
    DarknetError,
    DeviceError,
    DownloadError,
    EdgesegError,
    EngineError,
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
    OnnxModelError,
    SinkError,
    SourceError,
    SourceLostError,
    SourceOpenError,
)

if TYPE_CHECKING:
    from edgeseg.segmenter import Segmenter, stream
    from edgeseg.settings import Settings
    from edgeseg.types import Detections, Frame, Letterbox, Result

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "DarknetError",
    "Detections",
    "DeviceError",
    "DownloadError",
    "EdgesegError",
    "EngineError",
    "Frame",
    "Letterbox",
    "MissingDependencyError",
    "ModelError",
    "ModelNotFoundError",
    "OnnxModelError",
    "Result",
    "Segmenter",
    "Settings",
    "SinkError",
    "SourceError",
    "SourceLostError",
    "SourceOpenError",
    "stream",
]

# Loaded on first use: NumPy alone would take longer than `edgeseg --help` may.
_LAZY = {
    "Detections": "edgeseg.types",
    "Frame": "edgeseg.types",
    "Letterbox": "edgeseg.types",
    "Result": "edgeseg.types",
    "Segmenter": "edgeseg.segmenter",
    "Settings": "edgeseg.settings",
    "stream": "edgeseg.segmenter",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'edgeseg' has no attribute {name!r}")
