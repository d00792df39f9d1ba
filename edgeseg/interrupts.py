"""Ctrl-C, SIGTERM and a closed terminal: the signals that ask a command to end."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RETRY_S = 0.02
_LONGEST_IMPORT_S = 10.0

Handler = Callable[[int, "FrameType | None"], None]


@contextlib.contextmanager
def answered_by(handler: Handler) -> Iterator[None]:
    """Let `handler` answer these signals inside the block.

    Only the main thread can; elsewhere nothing changes. What `nohup` ignores
    stays ignored. Under a service manager SIGHUP asks for a reload, not for the
    end: it is left to the service.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    if before[signal.SIGHUP] is signal.SIG_IGN or os.environ.get("NOTIFY_SOCKET"):
        del before[signal.SIGHUP]
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


@contextlib.contextmanager
def raised_as_keyboard_interrupt() -> Iterator[None]:
    """Let these signals raise KeyboardInterrupt(number) inside the block, but in no import.

    An import that is cut short looks like a missing package, and one of an
    extension module can crash the process; there the signal waits.
    """
    with answered_by(_interrupt):
        try:
            yield
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    until_s = time.monotonic() + _LONGEST_IMPORT_S

    def try_again(_: int, where: FrameType | None) -> None:
        if _importing(where) and time.monotonic() < until_s:
            signal.setitimer(signal.ITIMER_REAL, _RETRY_S)
            return
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGALRM, try_again)
    try_again(number, frame)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
