"""A stand-in for the service manager's end of NOTIFY_SOCKET."""

from __future__ import annotations

import queue
import socket
import threading
from pathlib import Path


class Manager:
    """Reads what a service tells, as long as it lives."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._messages: queue.Queue[list[str]] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self, timeout_s: float = 10.0) -> list[str]:
        """Wait for a message and give its lines."""
        return self._messages.get(timeout=timeout_s)

    def all(self) -> list[str]:
        """Give the lines of all messages that came."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mark:
            mark.sendto(b"MARK", self._socket.getsockname())  # after what was sent before
        lines: list[str] = []
        while (message := self._messages.get(timeout=10)) != ["MARK"]:
            lines += message
        return lines

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mark:
            mark.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()

    def _read(self) -> None:
        while message := self._socket.recv(8192):
            self._messages.put(message.decode().splitlines())
