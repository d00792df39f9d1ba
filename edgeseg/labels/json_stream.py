"""Read the arrays of a large JSON file element by element.

The file is read once, from front to back; no more than one element and a
megabyte of it is in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from edgeseg.errors import LabelError

MAX_ELEMENT_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_SPACE = " \t\r\n"
_NUMBER = re.compile(r"[0-9.eE+-]*[^0-9.eE+-]")


@dataclass(frozen=True, slots=True)
class Element:
    """A value of the top object, or one element of an array in it."""

    key: str
    value: Any
    """Strings in it may be garbled where the file is not ASCII; `data` parses right."""
    data: Callable[[], bytes]
    """The element's text."""
    offset: int
    """Where it begins in the file."""
    length: int
    line: int
    listed: bool
    """True for an element of an array."""


class JsonStream:
    """The elements of one file whose top is an object. Raises LabelError."""

    def __init__(
        self, file: BinaryIO, name: str, advance: Callable[[int], None] | None = None
    ) -> None:
        """Take an open file; `advance` is told how many bytes were read."""
        self._file = file
        self._name = name
        self._advance = advance
        # A character for each byte: positions in the text are positions in the file.
        self._text = ""
        self._position = 0
        self._base = 0
        self._line = 1
        self._counted = 0
        self._ended = False
        self._decoder = json.JSONDecoder()

    def elements(self) -> Iterator[Element]:
        """Give each value of the top object; of arrays each element."""
        self._fill(4)
        if self._text.startswith("\xef\xbb\xbf"):
            self._position = 3
        if (found := self._next()) != "{":
            what = "a list" if found == "[" else "no JSON" if found else "empty"
            raise self._wrong(f"is {what}, where an object {{…}} was expected")
        self._position += 1
        first = True
        while (sign := self._next()) != "}":
            if not first:
                self._expect(",", sign)
            first = False
            key = self._value()
            if not isinstance(key, str):
                raise self._wrong("a name in double quotes was expected")
            self._expect(":", self._next())
            if self._next() == "[":
                yield from self._array(key)
            else:
                yield self._element(key, listed=False)
        self._position += 1
        if self._next():
            raise self._wrong("there is something behind the end")

    def _array(self, key: str) -> Iterator[Element]:
        self._position += 1
        first = True
        while (sign := self._next()) != "]":
            if not first:
                self._expect(",", sign)
            first = False
            yield self._element(key, listed=True)
        self._position += 1

    def _element(self, key: str, *, listed: bool) -> Element:
        self._next()
        line = self._line_here()
        value = self._value()
        start = self._started
        text, end = self._text, self._position
        return Element(
            key,
            value,
            lambda: text[start:end].encode("latin-1"),
            self._base + start,
            end - start,
            line,
            listed,
        )

    def _value(self) -> Any:
        """Parse one value; more of the file is read as long as it is not whole."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                # Only an open string or the very end may become right by reading on.
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - 16
                if self._ended or not cut:
                    raise self._wrong(f"is no JSON: {error.msg}", error.pos) from None
            except RecursionError:
                raise self._wrong("is nested too deeply") from None
            except ValueError:
                raise self._wrong("a number has thousands of digits") from None
            else:
                # What was read of a number may be its beginning: 1 of 1.5, or of 1e5.
                known = not isinstance(value, (int, float)) or _NUMBER.match(self._text, end)
                if (known and end < len(self._text)) or self._ended:
                    self._started, self._position = self._position, end
                    return value
            if len(self._text) - self._position > MAX_ELEMENT_BYTES:
                raise self._wrong(f"one element is longer than {MAX_ELEMENT_BYTES >> 20} MiB")
            self._fill(max(_CHUNK_BYTES, len(self._text) - self._position))

    _started = 0

    def _next(self) -> str:
        """Skip white space; give the next character without taking it, or nothing at the end."""
        while True:
            text, position, length = self._text, self._position, len(self._text)
            while position < length and text[position] in _SPACE:
                position += 1
            self._position = position
            if position < length:
                return text[position]
            if self._ended:
                return ""
            self._fill(_CHUNK_BYTES)

    def _expect(self, wanted: str, sign: str) -> None:
        if sign != wanted:
            found = repr(sign) if sign else "the end of the file"
            raise self._wrong(f"is no JSON: {wanted!r} was expected, not {found}")
        self._position += 1

    def _fill(self, count: int) -> None:
        """Forget what is behind, and read on."""
        try:
            data = self._file.read(count)
        except OSError as error:
            raise LabelError(f"cannot be read: {error.strerror}", file=self._name) from error
        self._ended = len(data) < count
        if self._advance is not None:
            self._advance(len(data))
        self._line_here()
        self._base += self._position
        self._text = self._text[self._position :] + data.decode("latin-1")
        self._position = self._counted = 0

    def _line_here(self) -> int:
        """Count lines up to the position."""
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    def _wrong(self, message: str, at: int | None = None) -> LabelError:
        line = self._line_here()
        if at is not None:
            line += self._text.count("\n", self._position, at)
        return LabelError(message, file=self._name, line=line)
