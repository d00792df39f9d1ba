"""A real HTTP server on 127.0.0.1 that can be told to misbehave."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    path: str
    range: str | None
    headers: dict[str, str]


class Handler(BaseHTTPRequestHandler):
    """Answers as its server says."""

    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Serve a file, or misbehave."""
        self.server.asked.append(
            Asked(self.path, self.headers["Range"], {k.lower(): v for k, v in self.headers.items()})
        )
        self.close_connection = True
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.server.answers.get(self.path, Handler.file)(self)

    def file(self) -> None:
        """Serve `files[path]`, with ranges."""
        body = self.server.files.get(self.path)
        if body is None:
            self.status(404)
            return
        start = self.start()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send(body[start:])

    def start(self) -> int:
        """First byte that was asked for."""
        return int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def status(self, code: int, **headers: str) -> None:
        """Answer with a status and no body."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send(b"")

    def send(self, body: bytes, *, length: int | None = None) -> None:
        """End the headers and send the body; `length` is what is claimed."""
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be quiet."""


Answer = Callable[[Handler], None]


class FileServer(ThreadingHTTPServer):
    """Serves `files`; `answers` replaces the answer for a path; `asked` is what came in."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.ending = threading.Event()
        self.scheme = "http"

    def url(self, path: str, *, login: str = "") -> str:
        """Address of a path."""
        return f"{self.scheme}://{login}127.0.0.1:{self.server_port}{path}"

    def use_tls(self, cert_file: str, key_file: str) -> None:
        """Speak https from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def handle_error(self, request: object, client_address: object) -> None:
        """Be quiet: clients of these tests hang up on purpose."""


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    """Run a server while the block lasts."""
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join(5)
