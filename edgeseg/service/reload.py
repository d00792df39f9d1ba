"""`systemctl reload`: read the options again, and take those that can change without a gap."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from edgeseg.errors import EdgesegError
from edgeseg.service.notify import managed, notify, reloading
from edgeseg.settings import Settings, option_names

LIVE = frozenset({"conf", "iou", "classes", "labels", "nms", "agnostic", "verbose"})
"""Fields of Settings that a running service takes over at a reload."""

Reread = Callable[[], Settings]
Take = Callable[[Settings], bool]

log = logging.getLogger(__name__)


class Reloader:
    """Answers SIGHUP: reads the options in a thread of its own, between two frames."""

    def __init__(
        self, settings: Settings, reread: Reread, take: Take, remark: Callable[[str], None]
    ) -> None:
        """`take` puts options into force and tells whether it could; `remark` shows the outcome."""
        self._settings = settings
        self._reread = reread
        self._take = take
        self._remark = remark
        self._asked = False
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Heed SIGHUP inside the block, under a service manager and in the main thread."""
        main = threading.current_thread() is threading.main_thread()
        if not (managed() and main):
            yield
            return
        before = signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)

    def tick(self) -> None:
        """Begin a reload that was asked for, unless one is under way."""
        if self._asked and (self._thread is None or not self._thread.is_alive()):
            self._asked = False
            self._thread = threading.Thread(target=self.reload, name="edgeseg-reload", daemon=True)
            self._thread.start()

    def reload(self) -> None:
        """Read the options again; on an error say so and go on with the old ones."""
        notify(*reloading())
        try:
            told = self._changed(self._reread())
        except EdgesegError as error:
            log.error("%s", error.message)  # noqa: TRY400 - the user's mistake, not ours
            told = "the reload was refused, see the log"
        except Exception:
            log.exception("the reload failed")
            told = "the reload failed, see the log"
        self._remark(told)
        log.warning("reload: %s", told or "nothing to change")
        notify("READY=1")

    def _changed(self, new: Settings) -> str:
        """Put what can change into force, and tell the names of the options that did not."""
        names = option_names()
        changed = {
            field.name
            for field in dataclasses.fields(Settings)
            if getattr(new, field.name) != getattr(self._settings, field.name)
        }
        live = {name: getattr(new, name) for name in changed & LIVE}
        if live:
            settled = dataclasses.replace(self._settings, **live)
            if self._take(settled):
                self._settings = settled
                log.warning("in force: %s", _listed(live, names))
            else:
                changed |= live.keys()
                live = {}
        late = changed - live.keys()
        return f"after a restart: {', '.join(sorted(names[name] for name in late))}" if late else ""

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        """Only note the wish: a handler may come at any moment, inside any lock."""
        del number, frame
        self._asked = True


def _listed(values: dict[str, object], names: dict[str, str]) -> str:
    return ", ".join(f"{names[name]} = {values[name]}" for name in sorted(values))
