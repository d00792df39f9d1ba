"""A list of checks, each with its outcome; one that breaks does not stop those after it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from edgeseg.errors import EdgesegError, MissingDependencyError

log = logging.getLogger(__name__)

State = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    says: str
    figures: dict[str, object] = field(default_factory=dict)
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tested."""

    name: str
    state: State
    says: str
    seconds: float
    figures: dict[str, object]


class Skipped(Exception):  # noqa: N818 - no error
    """A check has nothing to test here; the text says why."""


class Checks:
    """Runs checks and keeps what came out."""

    def __init__(self, show: Callable[[Check], None]) -> None:
        self._show = show
        self.done: list[Check] = []

    def run(self, name: str, check: Callable[[], Finding]) -> bool:
        """Run one check; say whether it passed."""
        start_s = time.monotonic()
        figures: dict[str, object] = {}
        state: State
        try:
            found = check()
        except (Skipped, MissingDependencyError) as reason:
            state, says = "skipped", str(reason)
        except EdgesegError as error:
            state, says = "failed", str(error)
        except Exception as error:
            log.debug("check %s", name, exc_info=error)
            state, says = "failed", f"{type(error).__name__}: {error}"
        else:
            state, says, figures = "passed" if found.ok else "failed", found.says, found.figures
        seconds = round(time.monotonic() - start_s, 3)
        self.done.append(Check(name, state, says, seconds, figures))
        self._show(self.done[-1])
        return state == "passed"

    def states(self) -> set[State]:
        """Give the outcomes there were."""
        return {check.state for check in self.done}
