"""Log lines for journald with their priority and fields, by its native protocol.

See https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. Used only when standard error
is the journal's own stream; a terminal or a file gets plain lines.
"""

from __future__ import annotations

import logging
import os
import socket
import sys

SOCKET = "/run/systemd/journal/socket"
_LONGEST_BYTES = 48 * 1024
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def journal_handler() -> logging.Handler | None:
    """Give a handler for the journal; None when standard error goes elsewhere."""
    if not stderr_is_journal():
        return None
    try:
        return JournalHandler(SOCKET)
    except OSError:
        return None


def stderr_is_journal() -> bool:
    """Tell whether standard error is the stream systemd connected to the journal."""
    try:
        seen = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{seen.st_dev}:{seen.st_ino}"


class JournalHandler(logging.Handler):
    """Sends each record as one entry; what cannot be sent goes to standard error."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(1.0)
        self._socket.connect(path)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(_priority(record.levelno)),
            "SYSLOG_IDENTIFIER": "edgeseg",
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
            "EDGESEG_LOGGER": record.name,
            "EDGESEG_THREAD": record.threadName or "",
        }
        try:
            self._socket.sendall(entry(fields))
        except OSError:
            print(fields["MESSAGE"], file=sys.stderr, flush=True)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        super().close()


def entry(fields: dict[str, str]) -> bytes:
    """Write fields as one datagram; a value with line ends is preceded by its length."""
    parts = []
    for name, value in fields.items():
        content = value.encode("utf-8", "replace")[:_LONGEST_BYTES]
        if b"\n" in content:
            length = len(content).to_bytes(8, "little")
            parts.append(name.encode() + b"\n" + length + content + b"\n")
        else:
            parts.append(name.encode() + b"=" + content + b"\n")
    return b"".join(parts)


def _priority(level: int) -> int:
    return next((number for least, number in _PRIORITIES if level >= least), 7)
