"""Pictures into a video file: codec, colours, sizes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.types import Letterbox, Size

Picture = NDArray[np.uint8]

FORMATS: Mapping[str, str] = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".avi": "avi",
    ".webm": "webm",
}
"""Container of each file ending."""

PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)

# The first one that opens is taken. H.264 in AVI has no proper times.
_CODECS: Mapping[str, tuple[str, ...]] = {"avi": ("mpeg4",), "webm": ("libvpx", "libvpx-vp9")}
_H264_FIRST = ("libx264", "libopenh264", "h264_v4l2m2m", "mpeg4")
ALPHA: Mapping[str, tuple[str, str]] = {
    "mov": ("prores_ks", "yuva444p10le"),
    "webm": ("libvpx-vp9", "yuva420p"),
}
"""Containers that players read transparency from, with codec and pixel format."""

# swscale's flags: fast bilinear, chroma from every pixel, no shortcuts in
# rounding. Its default makes greys greenish, this costs the same.
_EXACT = 0x1 | 0x4000 | 0x40000
# Half a minute of a camera must not be lost with a killed process.
_FRAGMENT_US = "1000000"
_KEYFRAME_S = 4
# Ticks of H.273: the matrix players expect for a size, and BT.709's primaries and curve.
_BT709, _SMPTE170M = 1, 6


@dataclass(frozen=True, slots=True)
class Quality:
    """How small and how good; the default costs the least CPU time."""

    crf: int = 23
    preset: str = "ultrafast"
    codec: str | None = None
    """Encoder by FFmpeg's name; None takes H.264, or the best there is."""


class Encoder:
    """One video file being written, in the size of the first picture.

    With `alpha` it takes BGRA and keeps the transparency, as ProRes 4444 in
    MOV or VP9 in WebM.

    Raises SinkError when no encoder works; PyAV's errors and OSError come
    through from `write` and `finish`.
    """

    def __init__(
        self,
        path: Path,
        container: str,
        size_px: Size,
        rate: Fraction,
        ticks_per_s: Fraction,
        quality: Quality,
        *,
        alpha: bool = False,
    ) -> None:
        self._size_px = size_px
        self._pixel_format = ALPHA[container][1] if alpha else "yuv420p"
        self._taken = "bgra" if alpha else "bgr24"
        # 4:2:0 has one colour sample for two by two pixels.
        self._even_px = size_px[0] + size_px[0] % 2, size_px[1] + size_px[1] % 2
        channels = 4 if alpha else 3
        self._canvas = np.zeros((self._even_px[1], self._even_px[0], channels), np.uint8)
        self._hd = size_px[1] >= 720
        self._time_base = 1 / ticks_per_s
        self._rate = rate
        # Kept: making one for each frame costs as much as the conversion.
        self._converter = VideoReformatter()
        names = (quality.codec,) if quality.codec else _CODECS.get(container, _H264_FIRST)
        if alpha:
            names = (ALPHA[container][0],)
        reasons = []
        for name in names:
            try:
                self._open(path, container, name, quality)
            except (av.FFmpegError, ValueError) as error:
                reasons.append(f"{name}: {error}")
            else:
                self.codec = name
                return
        raise SinkError(
            f"{path}: no encoder for {size_px[0]}x{size_px[1]} works ({'; '.join(reasons)})",
            hint="`edgeseg doctor` lists the codecs there are.",
        )

    def write(self, picture: Picture, tick: int) -> None:
        """Encode one picture of any size: uint8[H, W, 3] BGR, or BGRA with `alpha`."""
        frame = av.VideoFrame.from_numpy_buffer(self._fitted(picture), format=self._taken)
        frame = self._converter.reformat(
            frame,
            format=self._pixel_format,
            interpolation=_EXACT,
            dst_colorspace=Colorspace.ITU709 if self._hd else Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = tick
        frame.time_base = self._time_base
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self) -> None:
        """Write what the encoder still holds, and the index."""
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()

    def abandon(self) -> None:
        """Close the file as it is; no error."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()

    def _open(self, path: Path, container: str, name: str, quality: Quality) -> None:
        """Open the file with one encoder."""
        self._container = av.open(
            str(path), "w", format=container, options=_container_options(container)
        )
        try:
            self._stream: Any = self._container.add_stream(
                name, rate=self._rate, options=_codec_options(name, quality)
            )
            self._configure(self._stream.codec_context)
            self._stream.codec_context.open()
        except BaseException:
            self.abandon()
            raise

    def _configure(self, codec: Any) -> None:
        """Set size, time and colours."""
        codec.width, codec.height = self._even_px
        codec.pix_fmt = self._pixel_format
        codec.time_base = self._time_base
        codec.gop_size = max(12, min(250, round(_KEYFRAME_S * self._rate)))
        # The network owns the cores; an encoder thread more costs a sixth more.
        codec.thread_count = max(1, min(4, len(os.sched_getaffinity(0)) // 2))
        codec.color_range = ColorRange.MPEG
        codec.colorspace = _BT709 if self._hd else _SMPTE170M
        codec.color_primaries = _BT709
        codec.color_trc = _BT709

    def _fitted(self, picture: Picture) -> Picture:
        """Bring a picture to the video's size: letterboxed, never distorted, none lost."""
        size_px = picture.shape[1], picture.shape[0]
        if size_px == self._even_px:
            return np.ascontiguousarray(picture)
        canvas = self._canvas
        if size_px != self._size_px:
            canvas[:] = 0
            x, y, width, height = Letterbox.fit(size_px, self._size_px).region_net
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=self._taken)
            canvas[y : y + height, x : x + width] = frame.reformat(
                width=width, height=height, interpolation="AREA"
            ).to_ndarray()
            return canvas
        height, width = picture.shape[:2]
        canvas[:height, :width] = picture
        canvas[height:, :width] = picture[-1:]
        canvas[:, width:] = canvas[:, width - 1 : width]
        return canvas


def _container_options(container: str) -> dict[str, str]:
    """Choose options by which a killed process leaves a file that plays."""
    options = {"flush_packets": "1"}
    if container in ("mp4", "mov"):
        # Fragments while writing; newer FFmpeg turns them into a plain file at the end.
        hybrid = av.library_versions["libavformat"] >= (61, 7, 100)
        options["movflags"] = "hybrid_fragmented" if hybrid else "frag_keyframe+empty_moov"
        options["frag_duration"] = _FRAGMENT_US
    elif container in ("matroska", "webm"):
        options["cluster_time_limit"] = "1000"
    return options


def _codec_options(name: str, quality: Quality) -> dict[str, str]:
    """Translate the quality for one encoder."""
    if name == "prores_ks":
        return {"profile": "4444", "vendor": "apl0"}
    if name in ("libx264", "libx265"):
        return {"preset": quality.preset, "crf": str(quality.crf)}
    if name.startswith("libvpx"):
        return {"crf": str(quality.crf), "b": "4M", "deadline": "realtime", "cpu-used": "8"}
    if name in ("mpeg4", "mjpeg"):
        # A fixed quantizer; 118 are FFmpeg's lambda units of one.
        return {"flags": "+qscale", "global_quality": str(4 * 118)}
    return {"b": "4M"}
