"""A video file that grows as NAME.part and plays even when the process is killed."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ConfigError, SinkError
from edgeseg.files import part_path
from edgeseg.sinks.aside import claimed, prepare_file, sink_error, writing
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.encoder import ALPHA, FORMATS, PRESETS, Encoder, Quality
from edgeseg.sinks.spec import Spec
from edgeseg.sinks.timeline import Timeline
from edgeseg.types import Result

log = logging.getLogger(__name__)

_PICTURES_FPS = 1.0


class VideoSink:
    """Writes annotated frames as they came in time; pictures are shown a second each.

    Options: `crf` (0 best to 51), `preset` and `codec` (FFmpeg's names), `fps`
    (a constant rate instead of the frames' own times). A cut-out background
    stays transparent in .mov (ProRes 4444) and .webm (VP9); elsewhere it is black.
    """

    needs_picture = True

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._path = spec.path
        self._container = FORMATS.get(spec.path.suffix.lower(), "")
        if not self._container:
            raise ConfigError(
                f"sink {spec.text}: no video format is called {spec.path.suffix or '(nothing)'}",
                hint=f"Use one of {' '.join(FORMATS)}",
            )
        self._quality = Quality(
            crf=round(spec.number("crf", 23, 0, 51)),
            preset=spec.choice("preset", "ultrafast", PRESETS),
            codec=spec.options.get("codec"),
        )
        self.takes_alpha = self._container in ALPHA and self._quality.codec is None
        self._fps = spec.number("fps", 0, 0.01, 1000) if "fps" in spec.options else None
        self._part: Path | None = None
        self._claim: BinaryIO | None = None
        self._encoder: Encoder | None = None
        self._timeline = Timeline(None)

    def open(self, run: RunInfo) -> None:
        """Create NAME.part, so that a path that cannot be written is known at once."""
        self._path = prepare_file(self._path, run)
        fps = self._fps or (_PICTURES_FPS if run.source.pictures else run.source.fps)
        self._timeline = Timeline(
            fps,
            constant=self._fps is not None or run.source.pictures,
            whole_frames=self._container == "avi",
        )
        with writing(self._path):
            self._claim = claimed(self._path)
        self._part = part_path(self._path)

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:
        """Encode one picture; the first one decides the size. Raises SinkError."""
        if self._part is None or picture is None:
            raise SinkError(f"{self.name} is not open, or has no picture")
        try:
            if self._encoder is None:
                self._encoder = Encoder(
                    self._part,
                    self._container,
                    (picture.shape[1], picture.shape[0]),
                    self._timeline.rate,
                    self._timeline.ticks_per_s,
                    self._quality,
                    alpha=picture.shape[2] == 4,
                )
                log.debug("%s: encoder %s", self.name, self._encoder.codec)
            self._encoder.write(picture, self._timeline.tick(result.frame.time_s))
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        except SinkError:  # no encoder
            self._part.unlink(missing_ok=True)
            self._release()
            raise

    def close(self) -> str | None:
        """Finish the file and give its name; None, and no file, when no picture came."""
        if self._part is None:
            return None
        try:
            if self._encoder is None:
                self._part.unlink(missing_ok=True)
                self._release()
                return None
            self._encoder.finish()
            self._part.replace(self._path)
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        self._release()
        return str(self._path)

    def _release(self) -> None:
        if self._claim is not None:
            self._claim.close()
        self._encoder = self._part = self._claim = None

    def _failed(self, error: Exception) -> SinkError:
        """Close what is there, and tell why and what is left."""
        encoder, part = self._encoder, self._part
        self._release()
        if encoder is not None:
            encoder.abandon()
        cause = error if isinstance(error, OSError) else OSError(None, str(error))
        told = sink_error(self._path, cause)
        if part is not None and _plays(part):
            return SinkError(told.message, hint=f"{told.hint} What was written plays: {part}")
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return told


def _plays(path: Path) -> bool:
    """Whether a frame can be read from a video."""
    try:
        with av.open(str(path)) as container:
            return next(container.decode(video=0), None) is not None
    except (av.FFmpegError, OSError, IndexError):
        return False
