"""Raw frames through a pipe."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edgeseg.errors import SourceLostError, SourceOpenError
from edgeseg.sources import SourceOptions, open_source
from edgeseg.sources.raw import PARTIAL, RawFormat, RawSource

WIDTH, HEIGHT = 36, 20


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.FileIO]]:
    """The reading end's number, and the writing end."""
    reading, writing = os.pipe()
    with io.FileIO(writing, "w") as writer:
        yield reading, writer
    os.close(reading)


def source_of(fd: int, query: str, **options: float) -> RawSource:
    raw = RawFormat.from_uri(f"stdin://?size={WIDTH}x{HEIGHT}&{query}")
    return RawSource(raw, SourceOptions(**options), fd=fd)  # type: ignore[arg-type]


def encoded(bgr: np.ndarray, pixel_format: str) -> bytes:
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    if pixel_format == "i420":
        return i420.tobytes()
    luma, chroma = i420[:HEIGHT], i420[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    if pixel_format == "nv12":
        return luma.tobytes() + chroma.transpose(1, 2, 0).tobytes()
    if pixel_format == "yuyv":
        full = chroma.repeat(2, axis=1)
        pairs = np.stack([luma[:, 0::2], full[0], luma[:, 1::2], full[1]], axis=2)
        return pairs.tobytes()
    return {
        "bgr24": lambda: bgr,
        "rgb24": lambda: bgr[:, :, ::-1],
        "gray": lambda: bgr[:, :, 1],
    }[pixel_format]().tobytes()


@pytest.mark.parametrize("pixel_format", ["bgr24", "rgb24", "gray", "yuyv", "nv12", "i420"])
def test_every_format_becomes_bgr(pipe: tuple[int, io.FileIO], pixel_format: str) -> None:
    colour = (90, 90, 90) if pixel_format == "gray" else (200, 60, 30)
    picture = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
    picture[:, WIDTH // 2 :] = 10
    pipe[1].write(encoded(picture, pixel_format) * 2)
    pipe[1].close()
    source = source_of(pipe[0], f"format={pixel_format}&fps=5")
    frames = [source.read(), source.read()]
    assert source.read() is None
    for frame in frames:
        assert frame is not None
        np.testing.assert_allclose(frame.image.astype(int), picture, atol=4)
    assert frames[1] is not None
    assert (frames[1].index, frames[1].time_s) == (1, 0.2)
    assert source.drops() == {}
    assert not source.info.live


def test_a_partial_last_frame_is_counted(pipe: tuple[int, io.FileIO]) -> None:
    pipe[1].write(bytes(WIDTH * HEIGHT * 5))
    pipe[1].close()
    source = source_of(pipe[0], "format=bgr24")
    assert source.read() is not None
    assert source.read() is None
    assert source.read() is None
    assert source.drops() == {PARTIAL: 1}


def test_frames_larger_than_the_pipe_come_whole_through_standard_input() -> None:
    reader = (
        "import hashlib\n"
        "from edgeseg.sources import open_source\n"
        "source = open_source('-?size=640x360&format=rgb24')\n"
        "while (frame := source.read()) is not None:\n"
        "    print(hashlib.sha256(frame.image[:, :, ::-1].tobytes()).hexdigest())\n"
        "print(dict(source.drops()))\n"
    )
    frames = np.random.default_rng(2).integers(0, 256, (3, 360, 640, 3), dtype=np.uint8)
    done = subprocess.run(
        [sys.executable, "-c", reader],
        input=frames.tobytes(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    expected = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in frames]
    assert done.stdout.decode().split("\n")[:4] == [*expected, "{}"]


def test_input_that_ends_before_the_first_frame_is_an_error(pipe: tuple[int, io.FileIO]) -> None:
    pipe[1].write(b"abc")
    pipe[1].close()
    with pytest.raises(SourceOpenError, match="after 3 bytes"):
        source_of(pipe[0], "format=bgr24").read()


def test_silence_is_bounded(pipe: tuple[int, io.FileIO]) -> None:
    source = source_of(pipe[0], "format=gray", reconnect_s=0.0, open_timeout_s=0.3)
    begun_s = time.monotonic()
    with pytest.raises(SourceLostError, match="nothing came"):
        source.read()
    assert 0.2 < time.monotonic() - begun_s < 3


def test_close_from_another_thread_ends_a_waiting_read(pipe: tuple[int, io.FileIO]) -> None:
    source = source_of(pipe[0], "format=gray")
    threading.Timer(0.1, source.close).start()
    begun_s = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - begun_s < 2
    source.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "need a size"),
        ("?format=gray", "need a size"),
        ("?size=3x3&format=i420", "even size"),
        ("?size=3x2&format=yuyv", "even size"),
        ("?size=4x4&format=h264", "no raw format"),
        ("?size=99999x99999", "megapixels"),
        ("?size=4x4&fps=-1", "fps"),
        ("?size=4x4&formt=gray", "Did you mean format"),
    ],
)
def test_wrong_options_are_explained(query: str, words: str) -> None:
    with pytest.raises(SourceOpenError, match=words):
        open_source(f"stdin://{query}")


def test_a_terminal_is_no_source() -> None:
    leader, follower = os.openpty()
    try:
        with pytest.raises(SourceOpenError, match="terminal"):
            source_of(follower, "format=gray")
    finally:
        os.close(leader)
        os.close(follower)
