"""Clips, pictures and servers that the source tests make for themselves."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def scene_picture(number: int, size_px: tuple[int, int] = (160, 120)) -> Picture:
    """A grey gradient whose brightness step tells the frame number (mod 8)."""
    width, height = size_px
    image = np.full((height, width, 3), 40 + 20 * (number % 8), np.uint8)
    image[height // 2 :, width // 2 :] = 20
    return image


def number_of(image: Picture) -> int:
    """Read back what scene_picture wrote, mod 8."""
    return round((float(image[2:10, 2:10].mean()) - 40) / 20) % 8


@pytest.fixture
def write_clip() -> Callable[..., Path]:
    def write(
        path: Path,
        pictures: Sequence[Picture],
        *,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        fps: int = 25,
        times_ms: Sequence[int] | None = None,
        container_options: dict[str, str] | None = None,
        color: tuple[int, int] | None = None,
        options: dict[str, str] | None = None,
    ) -> Path:
        height, width = pictures[0].shape[:2]
        with av.open(str(path), "w", options=container_options or {}) as container:
            stream = container.add_stream(codec, rate=fps, options=options or {})
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            if times_ms is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            if color is not None:
                stream.codec_context.colorspace, stream.codec_context.color_range = color
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
                    format=pix_fmt,
                    dst_colorspace=color[0] if color else None,
                    dst_color_range=color[1] if color else None,
                )
                if times_ms is not None:
                    frame.pts, frame.time_base = times_ms[number], Fraction(1, 1000)
                else:
                    frame.pts, frame.time_base = number, Fraction(1, fps)
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path

    return write


@pytest.fixture
def clip(tmp_path: Path, write_clip: Callable[..., Path]) -> Path:
    """Sixty frames of H.264, index first, a key frame every ten."""
    pictures = [scene_picture(number) for number in range(60)]
    return write_clip(
        tmp_path / "clip.mp4",
        pictures,
        container_options={"movflags": "faststart"},
        options={"g": "10"},
    )


@contextlib.contextmanager
def http_server(
    answer: Callable[[BaseHTTPRequestHandler], None], port: int = 0
) -> Iterator[tuple[int, Callable[[], None]]]:
    """Serve GET with `answer` on the loopback; gives the port and a way to hang up at once."""
    ended = threading.Event()
    open_sockets: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            open_sockets.append(self.connection)
            with contextlib.suppress(OSError):
                answer(self)

        def log_message(self, *args: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *args: Any) -> None: ...

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def stop() -> None:
        if ended.is_set():
            return
        ended.set()
        server.shutdown()
        server.server_close()
        for each in open_sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)

    try:
        yield server.server_address[1], stop
    finally:
        stop()


@pytest.fixture
def serve() -> Callable[..., Any]:
    return http_server


@pytest.fixture
def scene() -> Callable[..., Picture]:
    return scene_picture


@pytest.fixture
def read_number() -> Callable[[Picture], int]:
    return number_of
