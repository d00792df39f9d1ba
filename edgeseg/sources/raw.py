"""`stdin://`: raw frames from a pipe, as another program writes them."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SourceLostError, SourceOpenError
from edgeseg.sources.base import SourceInfo
from edgeseg.sources.camera import imported_cv2
from edgeseg.sources.options import SourceOptions
from edgeseg.sources.uri import number_field, query_of, size_field
from edgeseg.types import Frame, Size

KNOWN = ("size", "format", "fps")
# Bytes per two pixels.
FORMATS = {"bgr24": 6, "rgb24": 6, "gray": 2, "yuyv": 4, "nv12": 3, "i420": 3}
PARTIAL = "partial frame at the end"
MAX_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True)
class RawFormat:
    """How the bytes become pictures."""

    size_px: Size
    pixel_format: str = "bgr24"
    fps: float = 25.0

    @classmethod
    def from_uri(cls, uri: str) -> RawFormat:
        """Read `stdin://?size=&format=&fps=` (or `-?…`). Raises SourceOpenError."""
        fields = query_of(uri, KNOWN)
        size_px = size_field(fields, uri)
        if size_px is None:
            raise SourceOpenError(
                "raw frames from standard input need a size",
                hint="For example: ffmpeg -i clip.mp4 -f rawvideo -pix_fmt bgr24 - | "
                "edgeseg run --source 'stdin://?size=640x480&format=bgr24&fps=25'",
            )
        pixel_format = fields.get("format", "bgr24")
        if pixel_format not in FORMATS:
            raise SourceOpenError(
                f"no raw format {pixel_format}", hint=f"Known: {', '.join(FORMATS)}."
            )
        width, height = size_px
        if width * height > MAX_PIXELS:
            raise SourceOpenError(f"{width}x{height} is more than {MAX_PIXELS // 10**6} megapixels")
        if (pixel_format in ("nv12", "i420", "yuyv") and width % 2) or (
            pixel_format in ("nv12", "i420") and height % 2
        ):
            raise SourceOpenError(f"{pixel_format} needs an even size, not {width}x{height}")
        fps = number_field(fields, "fps", uri, low=0.01, high=1000) or 25.0
        return cls(size_px, pixel_format, fps)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.size_px[0] * self.size_px[1] * FORMATS[self.pixel_format] // 2


class RawSource:
    """Reads raw frames from a file descriptor: every frame, in order."""

    def __init__(self, raw: RawFormat, options: SourceOptions, *, fd: int | None = None) -> None:
        """Read from `fd`, by default standard input; it is left open at the end.

        Raises SourceOpenError when standard input is a terminal or closed.
        """
        try:
            self._fd = sys.stdin.fileno() if fd is None else fd
            if os.isatty(self._fd):
                raise SourceOpenError(
                    "standard input is the terminal, not a program that writes frames",
                    hint="Put one before it: ffmpeg … -f rawvideo - | edgeseg run …",
                )
        except (OSError, ValueError, AttributeError) as error:
            raise SourceOpenError("standard input is closed") from error
        self._raw = raw
        # Zero patience would end before the other program has started.
        self._patience_s = max(options.reconnect_s, options.open_timeout_s)
        self._closed = threading.Event()
        self._count = 0
        self._partial = 0
        self._ended = False
        self.info = SourceInfo("stdin://", live=False, size_px=raw.size_px, fps=raw.fps)

    def read(self) -> Frame | None:
        """Give the next frame; None at the end of input.

        Raises SourceOpenError when it ended before the first frame,
        SourceLostError after long silence.
        """
        buffer = np.empty(self._raw.frame_bytes, np.uint8)
        if self._ended or not self._filled(buffer.data):
            return None
        image = _bgr(buffer, self._raw)
        time_s = self._count / self._raw.fps
        frame = Frame(image, self._count, time_s, captured_s=time.monotonic())
        self._count += 1
        return frame

    def _filled(self, view: memoryview) -> bool:
        """Fill the buffer from the pipe; False at the end."""
        done = 0
        while done < len(view):
            if not self._readable():
                return False
            count = os.readv(self._fd, [view[done:]])
            if count == 0:
                self._end(done)
                return False
            done += count
        return True

    def _readable(self) -> bool:
        """Wait for bytes, or the end; False when closed. Raises SourceLostError."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        deadline_s = time.monotonic() + self._patience_s
        while not self._closed.is_set():
            # Short naps: close() must not wait for the other program.
            if poll.poll(100):
                return True
            if time.monotonic() > deadline_s:
                raise SourceLostError(
                    f"stdin://: nothing came for {self._patience_s:g} s",
                    hint="The program that writes the frames stands still.",
                )
        return False

    def _end(self, done: int) -> None:
        self._ended = True
        if done:
            self._partial += 1
        if self._count == 0:
            raise SourceOpenError(
                f"stdin://: ended before the first frame, after {done} bytes",
                hint=f"A frame has {self._raw.frame_bytes} bytes; check size and format.",
            )

    def drops(self) -> Mapping[str, int]:
        """Give 1 when the input ended inside a frame."""
        return {PARTIAL: self._partial} if self._partial else {}

    def close(self) -> None:
        """End; a waiting `read()` returns within 0.1 s."""
        self._closed.set()


def _bgr(buffer: NDArray[np.uint8], raw: RawFormat) -> NDArray[np.uint8]:
    width, height = raw.size_px
    if raw.pixel_format == "bgr24":
        return buffer.reshape(height, width, 3)
    if raw.pixel_format == "rgb24":
        return np.ascontiguousarray(buffer.reshape(height, width, 3)[:, :, ::-1])
    if raw.pixel_format == "gray":
        return np.repeat(buffer.reshape(height, width, 1), 3, axis=2)
    cv2: Any = imported_cv2(f"the raw format {raw.pixel_format}")
    if raw.pixel_format == "yuyv":
        picture = cv2.cvtColor(buffer.reshape(height, width, 2), cv2.COLOR_YUV2BGR_YUYV)
    else:
        code = cv2.COLOR_YUV2BGR_NV12 if raw.pixel_format == "nv12" else cv2.COLOR_YUV2BGR_I420
        picture = cv2.cvtColor(buffer.reshape(height * 3 // 2, width), code)
    return np.asarray(picture, np.uint8)
