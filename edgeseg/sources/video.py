"""Video files, from disk or over HTTP: every frame, in order, with its time."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av

from edgeseg.errors import SourceLostError, SourceOpenError
from edgeseg.sources.base import SourceInfo
from edgeseg.sources.decoding import (
    MAX_PIXELS,
    PictureConverter,
    best_video,
    bound_decoder,
    open_container,
    plausible_fps,
    reason_of,
)
from edgeseg.sources.uri import has_secrets
from edgeseg.types import Frame

log = logging.getLogger("edgeseg.sources")

CORRUPT = "corrupt packet"
CUT_OFF = "missing at the end: the file is cut off"
# Consecutive unreadable packets after which the rest is given up.
MOST_FAILURES = 20


def open_video_file(path: Path) -> VideoFile:
    """Open a video file of any container and codec that FFmpeg reads.

    Raises SourceOpenError when it is empty, not a video, or gives no frame.
    """
    if path.exists() and not path.is_file():
        raise SourceOpenError(
            f"{path}: not a regular file", hint="Raw frames from a pipe: stdin://?size=640x480."
        )
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            raise SourceOpenError(f"{path}: the file is empty")
    # `file:` keeps names with colons from being taken for protocols; a playlist
    # that lies about being a video must not reach the network.
    return VideoFile(f"file:{path}", name=str(path), options={"protocol_whitelist": "file"})


class VideoFile:
    """Decodes one finite video."""

    def __init__(
        self,
        address: str,
        *,
        name: str,
        options: dict[str, str],
        timeout_s: tuple[float, float] | None = None,
    ) -> None:
        """Open and decode the first frame; `timeout_s` bounds open and read over a network."""
        self._name = name
        self._secret = has_secrets(address)
        self._remote = timeout_s is not None
        self._lock = threading.Lock()
        self._closed = False
        self._drops: Counter[str] = Counter()
        self._packets_seen = 0
        self._gave_up = False
        self._count = 0
        self._clock = Clock()
        self._converter = PictureConverter()
        self._container = self._opened(address, options, timeout_s)
        try:
            self._stream = self._video_stream()
            self._frames = self._decoded()
            self._next: Frame | None = self._first_frame()
            self.info = self._describe(self._next)
        except BaseException:
            self._container.close()
            raise

    def _opened(
        self, address: str, options: dict[str, str], timeout_s: tuple[float, float] | None
    ) -> Any:
        try:
            return open_container(address, options, timeout_s)
        except av.FFmpegError as error:
            hint = None
            if isinstance(error, av.InvalidDataError):
                hint = (
                    "It is not a video, or its recording was never finished. "
                    "`ffprobe FILE` says more."
                )
            elif isinstance(error, av.error.PermissionError):
                hint = "Its owner must allow reading: chmod a+r FILE."
            raise SourceOpenError(
                f"{self._name}: cannot be opened: {reason_of(error)}", hint=hint
            ) from self._cause(error)

    def _cause(self, error: Exception) -> Exception | None:
        # FFmpeg's own text repeats the address, with its password.
        return None if self._secret else error

    def _video_stream(self) -> Any:
        stream = best_video(self._container)
        if stream is None:
            raise SourceOpenError(f"{self._name}: no video in it that can be decoded")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise SourceOpenError(
                f"{self._name}: {width}x{height} is more than {MAX_PIXELS // 10**6} megapixels"
            )
        bound_decoder(stream, live=False)
        return stream

    def _first_frame(self) -> Frame:
        try:
            frame = self._decode_one()
        except SourceLostError as error:
            raise SourceOpenError(error.message, hint=error.hint) from error
        if frame is None:
            raise SourceOpenError(
                f"{self._name}: no frame in it can be decoded",
                hint="The file is damaged or cut off. `ffprobe FILE` says more.",
            )
        return frame

    def _describe(self, first: Frame) -> SourceInfo:
        stream = self._stream
        fps = plausible_fps(stream.average_rate) or plausible_fps(stream.guessed_rate)
        count = stream.frames or None
        if count is None and fps and self._container.duration:
            count = max(1, round(self._container.duration / av.time_base * fps))
        return SourceInfo(self._name, live=False, size_px=first.size_px, fps=fps, frame_count=count)

    def read(self) -> Frame | None:
        """Give the next frame; None at the end. Raises SourceLostError."""
        with self._lock:
            if self._closed:
                return None
            if self._next is not None:
                frame, self._next = self._next, None
                return frame
            return self._decode_one()

    def _decode_one(self) -> Frame | None:
        for picture in self._frames:
            time_s = self._clock.time_s(picture, self._stream)
            try:
                image = self._converter.bgr(picture)
            except av.FFmpegError:
                self._drops[CORRUPT] += 1
                continue
            self._count += 1
            return Frame(image, self._count - 1, time_s, captured_s=time.monotonic())
        return None

    def _decoded(self) -> Iterator[Any]:
        corrupt_end = flushed = False
        for packet in self._packets():
            if packet.size:
                self._packets_seen += 1
                corrupt_end = packet.is_corrupt
            flushed = not packet.size
            try:
                pictures = packet.decode()
            except av.FFmpegError as error:
                log.debug("%s: packet %d: %s", self._name, self._packets_seen, reason_of(error))
                self._drops[CORRUPT] += 1
                continue
            yield from pictures
        if not flushed:
            with contextlib.suppress(av.FFmpegError):
                yield from self._stream.decode(None)
        if corrupt_end or self._gave_up:
            self._drops[CUT_OFF] += max(1, self._stream.frames - self._packets_seen)
            log.warning("%s: the file is cut off", self._name)

    def _packets(self) -> Iterator[Any]:
        failures = 0
        packets = self._container.demux(self._stream)
        while failures < MOST_FAILURES:
            try:
                for packet in packets:
                    failures = 0
                    yield packet
            except IndexError:
                # PyAV's end of a file in which a stream appeared late.
                return
            except av.FFmpegError as error:
                if self._remote and not isinstance(error, av.InvalidDataError):
                    raise SourceLostError(
                        f"{self._name}: reading failed: {reason_of(error)}"
                    ) from self._cause(error)
                failures += 1
                packets = self._container.demux(self._stream)
            else:
                return
        self._gave_up = True

    def drops(self) -> Mapping[str, int]:
        """Give what could not be decoded, by reason."""
        return dict(self._drops)

    def close(self) -> None:
        """Release the file; a read in another thread ends first, within a second."""
        self._closed = True
        if self._lock.acquire(timeout=1.0):
            try:
                self._frames.close()  # type: ignore[attr-defined]
                self._container.close()
            finally:
                self._lock.release()


class Clock:
    """Turns presentation times into seconds from the first frame that never go back."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last_s = 0.0

    def time_s(self, picture: Any, stream: Any) -> float:
        """Give the time of a decoded picture."""
        step_s = 1.0 / (plausible_fps(stream.average_rate) or 25.0)
        if picture.pts is None or picture.time_base is None:
            now_s = 0.0 if self._offset_s is None else self._last_s + step_s
            self._offset_s = self._offset_s or 0.0
        else:
            stamp_s = float(picture.pts * picture.time_base)
            if self._offset_s is None:
                self._offset_s = stamp_s
            now_s = stamp_s - self._offset_s
            if now_s < self._last_s:
                # Joined recordings begin their clock anew.
                now_s = self._last_s + step_s
                self._offset_s = stamp_s - now_s
        self._last_s = now_s
        return now_s
