"""What is wrong with labels: one line each, with file and line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import LabelError

SKIP_HINT = "`edgeseg labels check` lists all such places; --skip-bad leaves them out."


class BadLabel(ValueError):  # noqa: N818 - not an error yet: the reader knows file and line
    """What a parser found; becomes a Problem where file and line are known."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    line: int | None
    message: str
    serious: bool = True
    """True when the label cannot be used; False when it can, perhaps mended."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return _one_line(f"{place}: {self.message}")


class Problems:
    """Takes problems as they are found: raises the first serious one, or hands all on.

    `take` gets every problem; without it a serious one is raised as LabelError.
    """

    def __init__(
        self, take: Callable[[Problem], None] | None = None, *, thorough: bool = False
    ) -> None:
        self._take = take
        self.thorough = thorough
        """True when readers should look also at what they can do without."""
        self.errors = 0
        """Labels that cannot be used."""
        self.warnings = 0
        """Labels that can, perhaps mended."""

    def error(self, file: str, line: int | None, message: str) -> None:
        """Note a label that cannot be used. Raises LabelError when nobody takes problems."""
        self.errors += 1
        if self._take is None:
            raise LabelError(_one_line(message), file=_one_line(file), line=line, hint=SKIP_HINT)
        self._take(Problem(file, line, message))

    def warning(self, file: str, line: int | None, message: str) -> None:
        """Note a label that is odd, and used."""
        self.warnings += 1
        if self._take is not None:
            self._take(Problem(file, line, message, serious=False))

    @contextlib.contextmanager
    def at(self, file: str, line: int | None) -> Iterator[None]:
        """Note a BadLabel of the block as an error at this place."""
        try:
            yield
        except BadLabel as bad:
            self.error(file, line, str(bad))


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the system says about reading `path` into LabelError."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LabelError(f"cannot be read: {reason}", file=str(path)) from error


def _one_line(text: str) -> str:
    """Make text that came from a file one printable line."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else " " for char in text)
