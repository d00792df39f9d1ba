"""The bounded queue between two threads of the pipeline."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Closed(Exception):  # noqa: N818 - an end, not an error
    """The channel was closed, and is empty."""


class NotYet(TimeoutError):  # noqa: N818 - not an error: ask again
    """Nothing came in the time that was given."""


class Channel(Generic[Item]):
    """Hands items from one thread to another, in order.

    When it is full, `put` waits; with `newest_wins` it throws the oldest item
    away instead and counts it in `dropped`. Closing it, with or without an
    error, wakes both sides; what was put before is still delivered.
    """

    def __init__(self, capacity: int, *, newest_wins: bool = False) -> None:
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None
        self.dropped = 0

    def put(self, item: Item) -> bool:
        """Add an item; give False when the channel is closed, and the item is not taken."""
        with self._changed:
            if self._newest_wins and len(self._items) == self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self, timeout_s: float | None = None) -> Item:
        """Give the oldest item.

        Raises the error the channel was closed with, Closed after a clean end,
        NotYet when nothing came in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not self._items:
                if self._error is not None:
                    raise self._error
                if self._closed:
                    raise Closed
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise NotYet
                self._changed.wait(left)
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self, error: BaseException | None = None, *, discard: bool = False) -> None:
        """End the channel; the first error given wins. `discard` throws waiting items away."""
        with self._changed:
            self._closed = True
            if self._error is None:
                self._error = error
            if discard:
                self._items.clear()
            self._changed.notify_all()
