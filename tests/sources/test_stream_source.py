"""Streams over HTTP and RTSP, from servers that drop, freeze and come back."""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.errors import SourceLostError, SourceOpenError
from edgeseg.sources import SourceOptions, open_source
from edgeseg.sources.live import LiveSource

OPTIONS = SourceOptions(open_timeout_s=5, read_timeout_s=1, reconnect_s=20)


def mjpeg(
    pictures: Iterator[np.ndarray], pause_s: float
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with pictures for ever, as network cameras do."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        for picture in pictures:
            body = cv2.imencode(".jpg", picture)[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
            request.wfile.write(head.encode() + body + b"\r\n")
            time.sleep(pause_s)

    return answer


def endless(scene: Any, first: int = 0) -> Iterator[np.ndarray]:
    number = first
    while True:
        yield scene(number)
        number += 1


def file_answer(path: Path, *, break_at: int | None = None) -> Callable[..., None]:
    """Answer with a file and byte ranges; the first answer breaks off at `break_at`."""
    broken = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        data = path.read_bytes()
        wanted = request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        begin, end = int(wanted[0]), int(wanted[2] or len(data) - 1)
        request.send_response(206)
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Range", f"bytes {begin}-{end}/{len(data)}")
        request.send_header("Content-Length", str(end + 1 - begin))
        request.end_headers()
        if break_at is not None and len(broken) < 2:
            broken.append(begin)
            request.wfile.write(data[begin : max(begin, break_at)])
            request.wfile.flush()
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        request.wfile.write(data[begin : end + 1])

    return answer


def test_an_mjpeg_stream_is_live(serve: Any, scene: Any, read_number: Any) -> None:
    with serve(mjpeg(endless(scene), 0.02)) as (port, _):
        source = open_source(f"http://127.0.0.1:{port}/video", OPTIONS)
        frames = [source.read() for _ in range(20)]
        source.close()
    assert source.info.live
    assert source.info.size_px == (160, 120)
    assert source.info.fps is None
    numbers = [read_number(frame.image) for frame in frames if frame]
    steps = np.diff(numbers) % 8
    assert steps.max() <= 3
    assert np.count_nonzero(steps == 1) > 10
    times = [frame.time_s for frame in frames if frame]
    assert times == sorted(times)


def test_a_slow_reader_of_a_stream_sees_the_present(serve: Any, scene: Any) -> None:
    sent = []

    def counted() -> Iterator[np.ndarray]:
        for number in range(10**6):
            sent.append(number)
            picture = np.zeros((64, 256, 3), np.uint8)
            for bit in range(16):
                picture[:, bit * 16 : bit * 16 + 16] = 255 * (number >> bit & 1)
            yield picture

    with serve(mjpeg(counted(), 0.01)) as (port, _):
        source = open_source(f"http://127.0.0.1:{port}/", OPTIONS)
        source.read()
        time.sleep(1.0)
        source.read()
        frame = source.read()
        now = sent[-1]
        source.close()
    assert frame is not None
    got = sum((int(frame.image[32, bit * 16 + 8].mean()) > 127) << bit for bit in range(16))
    assert now > 50
    assert now - got < 15
    assert sum(source.drops().values()) > 20


def test_a_stream_that_drops_comes_back(serve: Any, scene: Any) -> None:
    with serve(mjpeg(endless(scene), 0.02)) as (port, stop):
        source = open_source(f"http://127.0.0.1:{port}/", OPTIONS)
        assert isinstance(source, LiveSource)
        first = [source.read() for _ in range(5)]
        stop()
    restart = threading.Event()

    def serve_again() -> None:
        time.sleep(1.0)
        with serve(mjpeg(endless(scene), 0.02), port=port):
            restart.wait(20)

    thread = threading.Thread(target=serve_again)
    thread.start()
    try:
        frames = [source.read() for _ in range(30)]
    finally:
        restart.set()
        source.close()
        thread.join()
    assert source.reconnects >= 1
    indices = [frame.index for frame in (*first, *frames) if frame]
    assert len(indices) == 35
    assert indices == sorted(indices)
    assert np.diff([frame.time_s for frame in (*first, *frames) if frame]).max() > 0.5


def test_a_stream_that_stays_away_is_lost_within_the_limit(serve: Any, scene: Any) -> None:
    options = SourceOptions(open_timeout_s=2, read_timeout_s=0.5, reconnect_s=1.5)
    with serve(mjpeg(endless(scene), 0.02)) as (port, stop):
        source = open_source(f"http://user:SECRET@127.0.0.1:{port}/?key=SECRET", options)
        source.read()
        stop()
        begun_s = time.monotonic()
        with pytest.raises(SourceLostError) as caught:
            while source.read() is not None:
                pass
    assert time.monotonic() - begun_s < 8
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))
    source.close()


def test_a_frozen_stream_is_noticed_and_tried_again(serve: Any, scene: Any) -> None:
    connections = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        connections.append(time.monotonic())
        pictures = (scene(number) for number in range(5))
        mjpeg(pictures, 0.02)(request)
        time.sleep(30)

    options = SourceOptions(open_timeout_s=3, read_timeout_s=0.5, reconnect_s=20)
    with serve(answer) as (port, _):
        source = open_source(f"http://127.0.0.1:{port}/", options)
        while len(connections) < 3:
            assert source.read() is not None
        source.close()
    assert connections[2] - connections[1] < 8


def test_a_video_file_over_http_is_not_live(serve: Any, clip: Path, read_number: Any) -> None:
    with serve(file_answer(clip)) as (port, _):
        source = open_source(f"http://127.0.0.1:{port}/clip.mp4", OPTIONS)
        numbers = []
        while (frame := source.read()) is not None:
            numbers.append(read_number(frame.image))
    assert not source.info.live
    assert numbers == [i % 8 for i in range(60)]
    assert source.info.frame_count == 60


def test_a_video_file_whose_download_breaks_is_fetched_on(
    tmp_path: Path, serve: Any, write_clip: Any, read_number: Any, scene: Any
) -> None:
    rng = np.random.default_rng(0)
    noise = [np.maximum(scene(i, (640, 480)), 0) for i in range(80)]
    for picture in noise:
        picture[240:] = rng.integers(0, 256, (240, 640, 3))
    path = write_clip(
        tmp_path / "large.mp4",
        noise,
        container_options={"movflags": "faststart"},
        options={"preset": "ultrafast"},
    )
    size = path.stat().st_size
    assert size > 2_000_000
    with serve(file_answer(path, break_at=size // 2)) as (port, _):
        source = open_source(f"http://127.0.0.1:{port}/clip.mp4", OPTIONS)
        numbers = []
        while (frame := source.read()) is not None:
            numbers.append(read_number(frame.image))
    assert numbers == [i % 8 for i in range(80)]
    assert source.drops() == {}


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_server_that_never_answers_is_given_up_in_time(scheme: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        begun_s = time.monotonic()
        with pytest.raises(SourceOpenError, match="cannot be opened"):
            open_source(f"{scheme}://127.0.0.1:{port}/x", SourceOptions(open_timeout_s=0.7))
        assert time.monotonic() - begun_s < 5


def refusing(status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda request: request.send_error(status)


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "user and password"), (403, "rights"), (404, "path"), (500, "")]
)
def test_refusals_are_explained(serve: Any, status: int, hint: str) -> None:
    with serve(refusing(status)) as (port, _), pytest.raises(SourceOpenError) as caught:
        open_source(f"http://127.0.0.1:{port}/x", OPTIONS)
    assert hint in str(caught.value)


def test_a_web_page_is_no_video(serve: Any) -> None:
    def page(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"<html>camera login</html>" * 50)

    with serve(page) as (port, _), pytest.raises(SourceOpenError):
        open_source(f"http://127.0.0.1:{port}/", OPTIONS)


def test_passwords_and_keys_never_show(
    serve: Any, scene: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for uri in (
        "rtsp://user:SECRET@127.0.0.1:1/live?key=SECRET",
        "http://user:SECRET@127.0.0.1:1/live?key=SECRET",
        "http://SECRET@127.0.0.1:1/",
        "rtsp://user:SECRET@no-such-host.invalid/",
        "rtsp://user:SECRET@h:bad/",
    ):
        with pytest.raises(SourceOpenError) as caught:
            open_source(uri, OPTIONS)
        texts += traceback.format_exception(caught.value, chain=True)
    with serve(mjpeg((scene(i) for i in range(20)), 0.02)) as (port, _):
        options = SourceOptions(open_timeout_s=2, read_timeout_s=0.5, reconnect_s=1)
        source = open_source(f"http://user:SECRET@127.0.0.1:{port}/?key=SECRET", options)
        assert source.info.name == f"http://127.0.0.1:{port}/"
        source.read()
        source.close()
    texts += [caplog.text, *capfd.readouterr()]
    source_lines = 'open_source(f"http'  # pytest's own traceback quotes this file
    assert "SECRET" not in "".join(text for text in texts if source_lines not in text)


GST_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1"); server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch(
    "( videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 "
    "! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 )")
server.get_mount_points().add_factory("/test", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


def have_gst_rtsp() -> bool:
    code = (
        'import gi; gi.require_version("GstRtspServer", "1.0"); gi.require_version("Gst", "1.0")\n'
        "from gi.repository import Gst, GstRtspServer\n"
        'Gst.init(None); assert Gst.ElementFactory.find("x264enc")'
    )
    try:
        done = subprocess.run(
            ["/usr/bin/python3", "-c", code], check=False, capture_output=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class RtspServer:
    """gst-rtsp-server in a process of its own."""

    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", GST_SERVER, str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def rtsp_port() -> int:
    if shutil.which("/usr/bin/python3") is None or not have_gst_rtsp():
        pytest.skip(
            "no gst-rtsp-server: apt install gir1.2-gst-rtsp-server-1.0 python3-gi "
            "gstreamer1.0-plugins-ugly"
        )
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def rtsp(rtsp_port: int) -> Iterator[tuple[str, list[RtspServer]]]:
    """Address of a running server, and the list whose last entry it is."""
    servers = [RtspServer(rtsp_port)]
    yield f"rtsp://127.0.0.1:{rtsp_port}/test", servers
    for server in servers:
        server.end()


def test_rtsp_gives_frames_soon(rtsp: tuple[str, list[RtspServer]]) -> None:
    begun_s = time.monotonic()
    source = open_source(rtsp[0], OPTIONS)
    frames = [source.read() for _ in range(25)]
    took_s = time.monotonic() - begun_s
    source.close()
    assert (source.info.live, source.info.size_px) == (True, (320, 240))
    assert took_s < 6
    assert all(frame is not None and frame.image.std() > 20 for frame in frames)


def test_an_rtsp_server_that_is_killed_and_comes_back(rtsp: tuple[str, list[RtspServer]]) -> None:
    address, servers = rtsp
    source = open_source(address, OPTIONS)
    assert isinstance(source, LiveSource)
    source.read()
    servers[-1].end()
    time.sleep(0.5)
    servers.append(RtspServer(int(address.split(":")[2].split("/")[0])))
    while source.reconnects == 0:
        assert source.read() is not None
    assert source.read() is not None
    source.close()


def test_a_frozen_rtsp_server_is_noticed_in_time(rtsp: tuple[str, list[RtspServer]]) -> None:
    address, servers = rtsp
    options = SourceOptions(open_timeout_s=2, read_timeout_s=0.5, reconnect_s=1)
    source = open_source(address, options)
    source.read()
    servers[-1].process.send_signal(signal.SIGSTOP)
    begun_s = time.monotonic()
    with pytest.raises(SourceLostError):
        while source.read() is not None:
            pass
    assert time.monotonic() - begun_s < 12
    source.close()
