"""What a service tells systemd: the protocol of sd_notify(3), without its library.

Outside of a service manager every call does nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable

BUILD_STEP_S = 900.0
_LONGEST_WAIT_S = 2.0

Progress = Callable[[float, str], None]

log = logging.getLogger(__name__)


def managed() -> bool:
    """Tell whether a service manager waits for messages of this process."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(*states: str, wait: bool = True) -> bool:
    """Send states such as `READY=1`; give False when nobody took them. Never raises OSError.

    Without `wait`, a manager that does not read at this moment is not waited
    for: right for what is said again and again.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # a name in the abstract space
        address = "\0" + address[1:]
    message = "\n".join(states).encode("utf-8", "replace")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(_LONGEST_WAIT_S if wait else 0.0)
            sender.connect(address)
            sender.sendall(message)
    except OSError as error:
        log.debug("the service manager was not told %s: %s", states[0], error)
        return False
    return True


def status(text: str) -> str:
    """Give the state that shows `text`, one line, in `systemctl status`."""
    return "STATUS=" + " ".join(text.split())


def reloading() -> tuple[str, str]:
    """Give the states that begin a reload; READY=1 ends it."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"


def watchdog_s() -> float | None:
    """Give the longest silence that the watchdog of this process allows; None without one."""
    try:
        limit_us = int(os.environ.get("WATCHDOG_USEC", ""))
        process = int(os.environ.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    return limit_us / 1e6 if limit_us > 0 and process == os.getpid() else None


def starting(text: str, *, at_most_s: float) -> None:
    """Say what the start is busy with, and ask for that much time from now on.

    For a step that reports its progress, call it at each report with a bound
    for the time to the next one; a step that hangs is then still found.
    """
    notify(f"EXTEND_TIMEOUT_USEC={round(at_most_s * 1e6)}", status(text))


def telling(progress: Progress | None) -> Progress | None:
    """Let a progress of an engine's build also ask the service manager for time.

    One tactic of TensorRT can take a minute, and a phase without steps longer.
    """
    if not managed():
        return progress
    told_s = [float("-inf")]

    def tell(share: float, phase: str) -> None:
        if time.monotonic() - told_s[0] >= 1.0:
            told_s[0] = time.monotonic()
            starting(f"building the engine, {share:.0%}: {phase}", at_most_s=BUILD_STEP_S)
        if progress is not None:
            progress(share, phase)

    return tell
