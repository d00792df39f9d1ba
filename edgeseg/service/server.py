"""A small HTTP server for the health pages: one thread, and bounds on everything.

Whoever connects can stall, flood or send rubbish; the run never notices. There
are at most `MAX_CLIENTS` connections with `DEADLINE_S` each, a request has at
most `MAX_REQUEST_BYTES`, and at most `MAX_PER_S` of them are taken in a second:
the rest waits in the kernel's queue or is refused there.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from edgeseg.errors import SinkError
from edgeseg.service.address import Address

MAX_CLIENTS = 16
MAX_REQUEST_BYTES = 4096
MAX_PER_S = 50
DEADLINE_S = 5.0
_TICK_S = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Page]]
"""What makes each page, by its path; called in the server's thread."""


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    until_s: float
    request: bytearray = field(default_factory=bytearray)
    answer: memoryview | None = None


class Server:
    """Serves pages until it is closed."""

    def __init__(self, address: Address, pages: Pages) -> None:
        """Listen at once. Raises SinkError when the address cannot be had."""
        self._pages = pages
        self._path = address.path
        self._listener = _listening(address)
        self.address = address
        if self._path is None:
            self.address = Address(address.host, self._listener.getsockname()[1])
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._listens = False
        self._credit, self._credited_s = float(MAX_PER_S), time.monotonic()
        self._ended, self._bell = socket.socketpair()
        self._selector.register(self._ended, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="edgeseg-health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop at once; whoever is connected is cut off."""
        self._bell.close()
        self._thread.join(2.0)

    def _run(self) -> None:
        try:
            while self._serve():
                pass
        except Exception:  # the run goes on without its page
            log.exception("the health page ended")
        finally:
            self._release()

    def _release(self) -> None:
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.close()
        self._listener.close()
        self._ended.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _serve(self) -> bool:
        """Do what is to be done now; False at the end."""
        self._open_or_shut_the_door()
        for key, _ in self._selector.select(_TICK_S):
            if key.fileobj is self._ended:
                return False
            if key.fileobj is self._listener:
                self._welcome()
            else:
                with self._dropped_on_error(key.data):
                    self._attend(key.data)
        now_s = time.monotonic()
        for client in [c for c in self._clients.values() if c.until_s < now_s]:
            self._drop(client)
        return True

    def _open_or_shut_the_door(self) -> None:
        """Listen only while there is room, and no more than the rate allows."""
        now_s = time.monotonic()
        earned = (now_s - self._credited_s) * MAX_PER_S
        self._credit, self._credited_s = min(MAX_PER_S, self._credit + earned), now_s
        wanted = self._credit >= 1 and len(self._clients) < MAX_CLIENTS
        if wanted and not self._listens:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._listens and not wanted:
            self._selector.unregister(self._listener)
        self._listens = wanted

    def _welcome(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again, or no descriptors left
            self._credit = 0.0
            return
        connection.setblocking(False)
        self._credit -= 1
        client = _Client(connection, time.monotonic() + DEADLINE_S)
        self._clients[connection.fileno()] = client
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _attend(self, client: _Client) -> None:
        """Read or write as much as goes without waiting."""
        if client.answer is None:
            received = client.connection.recv(MAX_REQUEST_BYTES)
            client.request += received
            whole = b"\r\n\r\n" in client.request or b"\n\n" in client.request
            if not received and not whole:
                self._drop(client)
                return
            if not whole and len(client.request) <= MAX_REQUEST_BYTES:
                return
            client.answer = memoryview(self._answer(bytes(client.request), whole=whole))
            self._selector.modify(client.connection, selectors.EVENT_WRITE, client)
        client.answer = client.answer[client.connection.send(client.answer) :]
        if not client.answer:
            with contextlib.suppress(OSError):
                client.connection.shutdown(socket.SHUT_WR)
            self._drop(client)

    def _answer(self, request: bytes, *, whole: bool) -> bytes:
        if not whole or len(request) > MAX_REQUEST_BYTES:
            return _response(_said(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        words = request.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _response(_said(HTTPStatus.BAD_REQUEST))
        method, target = words[0], words[1].decode("latin-1").partition("?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response(_said(HTTPStatus.METHOD_NOT_ALLOWED), allow=True)
        make = self._pages.get(target)
        try:
            page = make() if make is not None else _said(HTTPStatus.NOT_FOUND)
        except Exception:
            log.exception("health page %s", target)
            page = _said(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _response(page, head=method == b"HEAD")

    @contextlib.contextmanager
    def _dropped_on_error(self, client: _Client) -> Iterator[None]:
        try:
            yield
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.connection.fileno(), None) is not None:
            self._selector.unregister(client.connection)
        client.connection.close()


def _said(status: HTTPStatus) -> Page:
    return Page(f"{status.value} {status.phrase}\n".encode(), status)


def _response(page: Page, *, head: bool = False, allow: bool = False) -> bytes:
    lines = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Content-Security-Policy: default-src 'none'",
        *(["Allow: GET, HEAD"] if allow else []),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head else page.body)


def _listening(address: Address) -> socket.socket:
    family = socket.AF_UNIX if address.path else (
        socket.AF_INET6 if ":" in address.host else socket.AF_INET
    )  # fmt: skip
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if address.path is not None:
            _clear_stale(address.path)
            listener.bind(str(address.path))
            address.path.chmod(0o660)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
        listener.listen(MAX_CLIENTS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise SinkError(
            f"--health {address}: cannot listen there: {(error.strerror or str(error)).lower()}",
            hint="Another run may be there: choose another port or path.",
        ) from error
    return listener


def _clear_stale(path: Path) -> None:
    """Remove the socket that a killed run left; one that is answered stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
