"""Promises of the health pages' server: right answers, and no harm from any client."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from edgeseg.errors import ConfigError, SinkError
from edgeseg.service import server as server_module
from edgeseg.service.address import Address, parse_address
from edgeseg.service.pages import health_pages
from edgeseg.service.server import MAX_CLIENTS, MAX_PER_S, Page, Server
from edgeseg.service.vitals import Vitals


def broken() -> Page:
    raise RuntimeError("no page today")


@pytest.fixture
def server() -> Iterator[Server]:
    pages = {"/": lambda: Page(b"hello"), "/broken": broken, "/big": lambda: Page(b"x" * 3_000_000)}
    server = Server(Address(), pages)
    yield server
    server.close()
    assert not server._thread.is_alive()


def ask(server: Server, target: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=10)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.address.port), timeout=10) as client:
        with contextlib.suppress(OSError):
            client.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while received := client.recv(65536):
                answer += received
        return answer


def test_pages_are_given_by_path(server: Server) -> None:
    assert ask(server, "/") == (200, b"hello")
    assert ask(server, "/?a=b") == (200, b"hello")
    assert ask(server, "/", "HEAD") == (200, b"")
    assert ask(server, "/nothing")[0] == 404
    assert ask(server, "/", "POST")[0] == 405
    status, body = ask(server, "/big")
    assert (status, len(body)) == (200, 3_000_000)


def test_a_page_that_fails_is_a_500_and_the_next_one_comes(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(server, "/broken")[0] == 500
    assert "no page today" in caplog.text
    assert ask(server, "/")[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"\xff\xfe\x00\x80 \xff HTTP/1.1\r\n\r\n", 405),
        (b"GET /\xff%00../../etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"a" * 100_000, 431),
    ],
)
def test_rubbish_gets_a_plain_refusal(server: Server, request_: bytes, status: int) -> None:
    answer = raw(server, request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()) or not answer  # or a reset
    assert ask(server, "/")[0] == 200


def test_random_bytes_do_no_harm(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    random_ = random.Random(1)
    for _ in range(30):
        words = [b"GET", b"/", b"HTTP/1.1", b"\r\n", b"\n", b" ", random_.randbytes(20)]
        raw(server, b"".join(random_.choices(words, k=8)) + b"\r\n\r\n")
    assert ask(server, "/")[0] == 200
    assert not caplog.records


def test_who_stalls_is_cut_off_and_the_others_are_served(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "DEADLINE_S", 0.5)
    stalled = [
        socket.create_connection(("127.0.0.1", server.address.port)) for _ in range(MAX_CLIENTS)
    ]
    slow_reader = stalled[0]
    slow_reader.sendall(b"GET /big HTTP/1.1\r\n\r\n")  # and reads nothing
    stalled[1].sendall(b"GET / HT")
    start_s = time.monotonic()
    assert ask(server, "/")[0] == 200
    assert time.monotonic() - start_s < 5
    deadline_s = time.monotonic() + 10
    while server._clients:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    for client in stalled:
        client.close()


def test_a_flood_is_taken_no_faster_than_the_rate(server: Server) -> None:
    ended = time.monotonic() + 1.5
    counts = [0] * 4

    def flood(number: int) -> None:
        while time.monotonic() < ended:
            with contextlib.suppress(OSError, http.client.HTTPException):
                counts[number] += ask(server, "/")[0] == 200

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(counts) <= MAX_PER_S * 2.5 + MAX_PER_S, "the first second's credit, and the rate"


def test_a_unix_socket_is_made_and_removed_and_a_stale_one_replaced(tmp_path: Path) -> None:
    path = tmp_path / "health.sock"
    for _ in range(2):
        server = Server(Address(path=path), {"/": lambda: Page(b"hello")})
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(4096).endswith(b"hello")
        assert path.stat().st_mode & 0o777 == 0o660
        with pytest.raises(SinkError, match="cannot listen"):
            Server(Address(path=path), {})
        server.close()
        assert not path.exists()
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))


def test_an_address_in_use_is_an_error_that_names_it(server: Server) -> None:
    with pytest.raises(SinkError, match=str(server.address)):
        Server(server.address, {})


def test_no_descriptor_or_thread_is_left() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before, threads = count(), threading.active_count()
    for _ in range(5):
        server = Server(Address(), {"/": lambda: Page(b"hello")})
        ask(server, "/")
        server.close()
    assert count() == before
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9090", Address("127.0.0.1", 9090)),
        (":9090", Address("127.0.0.1", 9090)),
        ("localhost:80", Address("127.0.0.1", 80)),
        ("0.0.0.0:1", Address("0.0.0.0", 1)),
        ("[::1]:9090", Address("::1", 9090)),
        ("unix:/run/a.sock", Address(path=Path("/run/a.sock"))),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert parse_address(text, "health") == address
    assert address.loopback is not text.startswith("0.0")


@pytest.mark.parametrize(
    "text", ["", "x", "host:80", "1.2.3.4:99999", "1:2:3", ":-1", "unix:a", "unix:/" + "a" * 200]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--health"):
        parse_address(text, "health")


def test_the_health_pages_follow_the_state() -> None:
    pytest.importorskip("prometheus_client")
    vitals = Vitals()
    pages = health_pages(vitals)
    answer = pages["/healthz"]()
    assert answer.status == HTTPStatus.OK
    assert json.loads(answer.body)["state"] == "starting"
    assert pages["/readyz"]().status == HTTPStatus.SERVICE_UNAVAILABLE
    text = pages["/metrics"]().body.decode()
    assert 'edgeseg_state{state="starting"} 1.0' in text
    assert "edgeseg_frames_total 0.0" in text
    assert "edgeseg_resident_memory_bytes" in text


def test_a_page_is_not_made_for_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("prometheus_client")
    vitals, made = Vitals(), [0]
    real = vitals.snapshot

    def counted() -> object:
        made[0] += 1
        return real()

    monkeypatch.setattr(vitals, "snapshot", counted)
    page = health_pages(vitals)["/metrics"]
    for _ in range(50):
        page()
    assert made[0] <= 3


def test_what_prometheus_reads_is_valid() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    vitals = Vitals()
    text = health_pages(vitals)["/metrics"]().body.decode()
    families = {family.name for family in parser.text_string_to_metric_families(text)}
    assert {"edgeseg_fps", "edgeseg_frames", "edgeseg_reconnects", "edgeseg_state"} <= families
