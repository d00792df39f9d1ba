"""The same source again and again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from edgeseg.sources.base import Source
from edgeseg.types import Frame


class LoopingSource:
    """Opens a finite source anew at its end; index and time go on."""

    def __init__(self, first: Source, reopen: Callable[[], Source]) -> None:
        """Begin with `first`."""
        self._reopen = reopen
        self._source = first
        self.info = replace(first.info, frame_count=None)
        self._lock = threading.Lock()
        self._closed = False
        self._earlier_drops: Counter[str] = Counter()
        self._count = 0
        self._offset_s = 0.0
        self._last_s = 0.0

    def read(self) -> Frame | None:
        """Give the next frame; None only after `close()`, or when a round gave nothing."""
        frame = self._source.read()
        if frame is None and self._begin_again():
            frame = self._source.read()
        if frame is None:
            return None
        self._last_s = self._offset_s + frame.time_s
        self._count += 1
        return replace(frame, index=self._count - 1, time_s=self._last_s)

    def _begin_again(self) -> bool:
        with self._lock:
            if self._closed:
                return False
            self._earlier_drops.update(self._source.drops())
            self._source.close()
            self._source = self._reopen()
        step_s = 1.0 / self.info.fps if self.info.fps else 0.0
        self._offset_s = self._last_s + step_s
        return True

    def drops(self) -> Mapping[str, int]:
        """Give the losses of all rounds."""
        return dict(self._earlier_drops + Counter(self._source.drops()))

    def close(self) -> None:
        """Release the source and do not begin again."""
        with self._lock:
            self._closed = True
            self._source.close()
