"""From what PyAV decodes to BGR pictures, for files and streams alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

MAX_PIXELS = 100_000_000
"""Larger pictures are refused: 300 MB each as BGR, and the usual sign of a hostile file."""
# Titles that are no UTF-8 are common; from version 19 on PyAV takes them without being told.
_METADATA = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def open_container(
    address: str, options: Mapping[str, str], timeout_s: tuple[float, float] | None
) -> Any:
    """Open a file or stream for reading; `timeout_s` bounds opening and each read.

    Raises av.FFmpegError.
    """
    more: dict[str, Any] = dict(_METADATA)
    return av.open(address, options=dict(options), timeout=timeout_s, **more)


class PictureConverter:
    """Turns decoded frames into upright BGR pictures that own their memory.

    swscale converts, with the matrix and range the stream names. Measured on
    mpeg4 at 768x576 it costs 0.2 ms a frame; cv2.cvtColor saves 0.03 ms of it,
    and knows only BT.601 limited range. Threads inside swscale cost more CPU
    than the conversion itself, hence one.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def bgr(self, frame: Any) -> NDArray[np.uint8]:
        """Give uint8[H, W, 3] of an `av.VideoFrame`, turned as its display matrix says.

        Raises av.FFmpegError.
        """
        try:
            picture = self._reformatter.reformat(frame, format="bgr24", threads=1)
        except av.error.OSError:
            # swscale refuses reserved matrix codes, which real recordings carry.
            usual = Colorspace.ITU601
            picture = self._reformatter.reformat(
                frame, format="bgr24", threads=1, src_colorspace=usual, dst_colorspace=usual
            )
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(picture.height, plane.line_size)
        image = rows[:, : picture.width * 3].reshape(picture.height, picture.width, 3)
        # A decoder that gives bgr24 itself may keep the frame as its reference.
        image = image.copy() if picture is frame else np.ascontiguousarray(image)
        return turned(image, frame.rotation)


def turned(image: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Turn a picture counterclockwise by the nearest quarter."""
    quarters = round(degrees / 90) % 4
    if quarters == 0:
        return image
    try:
        import cv2
    except ImportError:
        return np.ascontiguousarray(np.rot90(image, quarters))
    # Four times as fast as NumPy's strided copy.
    codes = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
    return np.asarray(cv2.rotate(image, codes[quarters - 1]), np.uint8)


def best_video(container: Any) -> Any | None:
    """Give the stream to watch; None without one, or without a decoder for it."""
    try:
        stream = container.streams.best("video")
    except IndexError:
        # FFmpeg found one that appeared after PyAV had made its list.
        return None
    return stream if stream is not None and stream.codec_context is not None else None


def bound_decoder(stream: Any, *, live: bool) -> None:
    """Set threads and limits of a stream's decoder before its first packet.

    Frame threads save time and cost a tenth more CPU and a frame of delay each,
    so live streams and machines of two cores, busy with the network, go without.
    """
    cores = len(os.sched_getaffinity(0))
    context = stream.codec_context
    context.thread_type = "SLICE" if live or cores < 4 else "AUTO"
    context.thread_count = min(cores, 4)
    context.options = {"max_pixels": str(MAX_PIXELS)}


def plausible_fps(rate: Any) -> float | None:
    """Give a stream's frame rate; None when it is missing or a mere clock rate."""
    if not rate:
        return None
    fps = float(rate)
    return fps if 0.01 <= fps <= 1000 else None


def reason_of(error: av.FFmpegError) -> str:
    """Say what FFmpeg says, without the address that its messages carry."""
    if isinstance(error, av.error.ExitError):
        return "no answer in time"
    return str(error.strerror or type(error).__name__)
