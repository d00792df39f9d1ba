"""What the linter has to say about one place of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeseg.errors import DarknetError

Severity = Literal["error", "warning", "note"]
"""error: does not load, or cannot be right. warning: loads, but is probably not what was meant."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, with the place and the way out."""

    severity: Severity
    file: str
    line: int | None
    """From 1; None when it concerns the file as a whole."""
    message: str
    fix: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        text = f"{place}: {self.severity}: {self.message}"
        return f"{text}\n    fix: {self.fix}" if self.fix else text


def finding_of(error: DarknetError, severity: Severity = "error") -> Finding:
    """Turn an error of the importer into a finding."""
    place = error.file if error.line is None else f"{error.file}:{error.line}"
    message = error.message.removeprefix(f"{place}: ")
    return Finding(severity, error.file, error.line, message, error.hint)
