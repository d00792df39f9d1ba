"""Results as lines of text: JSONL and CSV."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.sinks.aside import AsideFile
from edgeseg.sinks.base import RunInfo, StopRequested
from edgeseg.sinks.spec import Spec
from edgeseg.types import Result

CSV_COLUMNS = (
    "frame",
    "time_s",
    "path",
    "class_id",
    "class",
    "score",
    "left",
    "top",
    "right",
    "bottom",
)


class LinesSink:
    """Writes each result as lines to a file that appears when it is complete."""

    needs_picture = False

    def __init__(self, spec: Spec, lines: Callable[[Result], str], header: str = "") -> None:
        self.name = spec.text
        self._path = spec.path
        self._lines = lines
        self._header = header
        self._file: AsideFile | None = None
        self._results = 0

    def open(self, run: RunInfo) -> None:
        """Create NAME.part. Raises SinkError."""
        self._file = AsideFile(self._path, run)
        self._file.write(self._header)

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write one result. Raises SinkError."""
        if self._file is None:
            raise SinkError(f"{self.name} is not open")
        self._file.write(self._lines(result))
        self._results += 1

    def close(self) -> str | None:
        """Give the file its name, and return it; None, and no file, when no result came."""
        file, self._file = self._file, None
        if file is None or file.gone:
            return None
        if not self._results:
            file.discard()
            return None
        return file.finish()


class StdoutSink:
    """Writes JSONL to standard output; ends the run when nobody reads it any more."""

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text

    def open(self, run: RunInfo) -> None:  # noqa: ARG002
        """Raise SinkError when standard output is closed."""
        if sys.stdout is None:
            raise SinkError(f"sink {self.name}: standard output is closed")

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write one line. Raises StopRequested after `| head`, SinkError on other failures."""
        try:
            # With PYTHONUNBUFFERED a signal leaves a half line, and print would not notice.
            left = memoryview(json_line(result).encode("ascii"))
            while left:
                left = left[sys.stdout.buffer.write(left) :]
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Python flushes standard output once more when it ends.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            raise StopRequested from None
        except OSError as error:
            raise SinkError(f"standard output: {error.strerror}") from error

    def close(self) -> str | None:
        """Give None: the reader has it."""
        return None


def json_line(result: Result) -> str:
    """Give a result as one line of JSON, ASCII only."""
    return json.dumps(result.to_dict(), separators=(",", ":")) + "\n"


def csv_rows(result: Result) -> str:
    """Give a result as CSV: one row for each object, none for a frame without."""
    record = result.to_dict()
    objects = cast("list[dict[str, Any]]", record["objects"])
    place = (record["frame"], record["time_s"], record.get("path", ""))
    return csv_text(
        (*place, item["class_id"], item["class"], item["score"], *item["box"]) for item in objects
    )


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Give rows as RFC 4180 text, lines ended by a line feed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
