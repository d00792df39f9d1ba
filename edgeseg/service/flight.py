"""The flight recorder: keeps the last seconds of a run for the day it crashes."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import os
import platform
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import __version__
from edgeseg.errors import ConfigError
from edgeseg.service.records import save_record
from edgeseg.service.ring import LOG, SLOTS, STACKS, Moment, Ring
from edgeseg.sinks.base import RunInfo, StopRequested
from edgeseg.types import Result

SECONDS = 10
EVERY_S = SECONDS / SLOTS
WIDTH_PX = 320
_JPEG_QUALITY = 70
_MOST_OBJECTS = 50
_MOST_TIMINGS = 200
_LOG_LINES = 200

log = logging.getLogger(__name__)


class Recorder:
    """A sink that keeps small copies of the newest frames, with timings and log lines.

    The pipeline only hands over a shrunken copy, five times a second; a thread
    of its own encodes and writes it, and what it cannot write in time is
    skipped.
    """

    name = "flight record"
    needs_picture = False

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self._lines = _LogLines()
        self._timings: deque[dict[str, Any]] = deque(maxlen=_MOST_TIMINGS)
        self._due_s = 0.0
        self._waiting: deque[tuple[dict[str, Any], NDArray[np.uint8]]] = deque(maxlen=2)
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="edgeseg-flight", daemon=True)

    def begin(self, about: dict[str, Any]) -> None:
        """Empty the ring and begin to record log lines. Raises OSError."""
        self.ring.begin(about)
        logging.getLogger().addHandler(self._lines)
        self._thread.start()

    def open(self, run: RunInfo) -> None:
        """Do nothing: `begin` came before."""

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:
        """Note the timings of a result; keep a copy of its frame when one is due."""
        del picture
        now_s = time.monotonic()
        frame = result.frame
        self._timings.append(
            {"frame": frame.index, "age_ms": round((now_s - frame.captured_s) * 1e3, 1)}
            | {name: round(ms, 2) for name, ms in result.stages_ms.items()}
        )
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        facts = replace(result, masks=None, class_map=None).to_dict()
        objects = facts["objects"]
        facts["objects"] = objects[:_MOST_OBJECTS] if isinstance(objects, list) else []
        facts["timings"] = list(self._timings)
        facts["wall_s"] = round(time.time(), 3)
        self._timings.clear()
        step = max(1, -(-frame.size_px[0] // WIDTH_PX))
        image = np.asarray(frame.image)  # it may lie on a GPU
        self._waiting.append((facts, np.ascontiguousarray(image[::step, ::step, ::-1])))
        self._wake.set()

    def close(self) -> str | None:
        """Do nothing: whether it was a crash is known later."""
        return None

    def stop(self) -> None:
        """Write what waits, and end the thread."""
        self._ended = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        logging.getLogger().removeHandler(self._lines)
        self._flush()

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(1.0)
            self._wake.clear()
            self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting:
                facts, image = self._waiting.popleft()
                self.ring.keep(Moment(facts, _jpeg(image)))
            if self._lines.changed:
                self.ring.write(LOG, self._lines.text().encode("utf-8", "replace"))
        except OSError as error:
            log.debug("flight record: %s", error)  # a full disk ends no run


@contextlib.contextmanager
def recording(ring_dir: Path, records_dir: Path, about: dict[str, Any]) -> Iterator[Recorder]:
    """Record a run inside the block; an error that leaves it becomes a flight record.

    What a run before left in `ring_dir` becomes one first: that run was killed.
    Ctrl-C, the user's stop and wrong options are no crashes, and a start that
    fails leaves no record. Raises SinkError.
    """
    ring = Ring(ring_dir)
    with contextlib.closing(ring):
        if ring.used:
            _save(ring, records_dir, "killed")
        recorder = Recorder(ring)
        with contextlib.suppress(OSError):
            recorder.begin(_facts() | about)
        try:
            with _stacks_kept(ring):
                yield recorder
        except (KeyboardInterrupt, SystemExit, GeneratorExit, StopRequested, ConfigError):
            recorder.stop()
            ring.clear()
            raise
        except BaseException as error:
            recorder.stop()
            text = "".join(traceback.format_exception(error))
            _save(ring, records_dir, type(error).__name__, text)
            ring.clear()
            raise
        recorder.stop()
        ring.clear()


def _save(ring: Ring, folder: Path, reason: str, error: str = "") -> None:
    stacks = ring.read(STACKS).decode("utf-8", "replace").splitlines()
    if not stacks and next(ring.moments(), None) is None:
        return  # a start that failed, perhaps for want of a camera: the log says it all
    try:
        path = save_record(ring, folder, reason=reason, error=error)
    except (OSError, ValueError) as failure:
        log.warning("no flight record could be kept: %s", failure)
        return
    before = " of the run before, which was killed," if reason == "killed" else ""
    log.warning("a flight record%s is in %s; see it with: edgeseg replay %s", before, path, path)
    if stacks:
        log.warning("where it was:\n%s", "\n".join(stacks[:40]))


@contextlib.contextmanager
def _stacks_kept(ring: Ring) -> Iterator[None]:
    """Let an abort, as the watchdog's, write every thread's stack into the ring."""
    if faulthandler.is_enabled():  # another one's: python -X faulthandler, or a test's
        yield
        return
    try:
        file = (ring.folder / STACKS).open("wb", buffering=0)
    except OSError:
        yield
        return
    with file:
        faulthandler.enable(file)
        try:
            yield
        finally:
            faulthandler.disable()


def _facts() -> dict[str, Any]:
    return {
        "version": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {platform.release()}",
        "process": os.getpid(),
        "began_utc": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    """Encode uint8[H, W, 3] RGB."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


class _LogLines(logging.Handler):
    """The newest log lines, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self.changed = False
        self.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s")
        )

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record)[:2000])
        self.changed = True

    def text(self) -> str:
        self.changed = False
        return "\n".join(self._lines.copy()) + "\n"
