"""Network streams: RTSP and HTTP through FFmpeg."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SourceLostError, SourceOpenError
from edgeseg.sources.decoding import (
    PictureConverter,
    best_video,
    bound_decoder,
    open_container,
    plausible_fps,
    reason_of,
)
from edgeseg.sources.live import LiveSource
from edgeseg.sources.options import SourceOptions
from edgeseg.sources.uri import check_address, has_secrets, shown
from edgeseg.sources.video import CORRUPT, VideoFile

# Found by trial on a loopback RTSP server: probesize takes the first frame from
# 2.0 s to 0.2 s (the session description names the codec already); interleaved
# TCP loses no packets and passes firewalls.
RTSP_OPTIONS = {"rtsp_transport": "tcp", "probesize": "32", "fflags": "nobuffer"}
# HTTP has no description: its first bytes are needed to know the format.
HTTP_OPTIONS = {"analyzeduration": "500000", "fflags": "nobuffer"}
# Lets FFmpeg fetch the rest of a file after the connection broke.
HTTP_FILE_OPTIONS = {
    "reconnect": "1",
    "reconnect_on_network_error": "1",
    "reconnect_delay_max": "4",
}
HTTP_FILE_PATIENCE_S = 20.0


class StreamCapture:
    """One connection to a network stream."""

    def __init__(self, uri: str, options: SourceOptions, protocol: Mapping[str, str]) -> None:
        """Connect, bounded by `open_timeout_s`. Raises SourceOpenError."""
        self._name = shown(uri)
        self._secret = has_secrets(uri)
        self._options = options
        self._drops: Counter[str] = Counter()
        self._converter = PictureConverter()
        self._seen = False
        self._container = self._connected(uri, dict(protocol))
        try:
            stream = best_video(self._container)
            if stream is None:
                raise SourceOpenError(f"{self._name}: no video in it that can be decoded")
            bound_decoder(stream, live=True)
        except BaseException:
            self._container.close()
            raise
        self._packets = self._container.demux(stream)
        self._ready: list[Any] = []
        # FFmpeg makes up 25 where the format carries no times.
        timeless = self._container.format.name == "mpjpeg"
        self.fps = None if timeless else plausible_fps(stream.average_rate)

    def _connected(self, uri: str, protocol: dict[str, str]) -> Any:
        limits = (self._options.open_timeout_s, self._options.read_timeout_s)
        try:
            return open_container(uri, protocol, limits)
        except av.FFmpegError as error:
            raise SourceOpenError(
                f"{self._name}: cannot be opened: {reason_of(error)}", hint=_open_hint(error)
            ) from self._cause(error)

    def _cause(self, error: Exception) -> Exception | None:
        # FFmpeg's own text repeats the address, with its password.
        return None if self._secret else error

    @property
    def finite(self) -> bool:
        """Whether the container reports an end: a video file rather than a live stream."""
        return bool(self._container.duration) or (self._container.size or 0) > 0

    def read(self) -> NDArray[np.uint8]:
        """Give the next picture, uint8[H, W, 3] BGR. Raises SourceLostError."""
        options = self._options
        # The first picture may have to wait for a key frame.
        limit_s = 2 * options.read_timeout_s if self._seen else options.open_timeout_s
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            if not self._ready:
                self._decode_packet()
                continue
            try:
                image = self._converter.bgr(self._ready.pop(0))
            except av.FFmpegError:
                self._drops[CORRUPT] += 1
                continue
            self._seen = True
            return image
        raise SourceLostError(
            f"{self._name}: data come, but no picture for {limit_s:g} s",
            hint="The camera may send key frames too rarely; lower its key frame interval.",
        )

    def _decode_packet(self) -> None:
        try:
            packet = next(self._packets, None)
        except IndexError:
            # PyAV's end of a stream in which another appeared late.
            packet = None
        except av.FFmpegError as error:
            raise SourceLostError(f"{self._name}: lost: {reason_of(error)}") from self._cause(error)
        if packet is None:
            raise SourceLostError(f"{self._name}: the stream ended")
        try:
            self._ready.extend(packet.decode())
        except av.FFmpegError:
            self._drops[CORRUPT] += 1

    def drops(self) -> Mapping[str, int]:
        """Give the packets that could not be decoded."""
        return self._drops

    def close(self) -> None:
        """Hang up."""
        self._packets.close()
        self._container.close()


def open_rtsp(uri: str, options: SourceOptions) -> LiveSource:
    """Open `rtsp://` or `rtsps://`; it reconnects by itself.

    Raises SourceOpenError.
    """
    check_address(uri)
    return LiveSource(shown(uri), lambda: StreamCapture(uri, options, RTSP_OPTIONS), options)


def open_http(uri: str, options: SourceOptions) -> LiveSource | VideoFile:
    """Open `http://` or `https://`: a file when the server tells its length, else a live stream.

    Raises SourceOpenError.
    """
    check_address(uri)
    first = StreamCapture(uri, options, HTTP_OPTIONS)
    if not first.finite:
        return LiveSource(
            shown(uri), lambda: StreamCapture(uri, options, HTTP_OPTIONS), options, first=first
        )
    first.close()
    patience_s = max(options.read_timeout_s, min(options.reconnect_s, HTTP_FILE_PATIENCE_S))
    protocol = HTTP_FILE_OPTIONS if options.reconnect_s > 0 else {}
    protocol = {**protocol, "rw_timeout": str(round(options.read_timeout_s * 1e6))}
    return VideoFile(
        uri, name=shown(uri), options=protocol, timeout_s=(options.open_timeout_s, patience_s)
    )


def _open_hint(error: av.FFmpegError) -> str | None:
    hints = {
        "HTTPUnauthorizedError": "Put user and password into the address: "
        "rtsp://user:password@host/path.",
        "HTTPForbiddenError": "The server knows the user and refuses; check the account's rights.",
        "HTTPNotFoundError": "The host answers; the path behind it is wrong.",
        "ConnectionRefusedError": "The host answers; nothing listens on that port.",
        "ExitError": "Check host, port and network; `open_timeout_s` sets how long to wait.",
        "InvalidDataError": "It is not a video stream, or the server hung up.",
        "OSError": "Check that the host's name and the network are right.",
    }
    return hints.get(type(error).__name__)
