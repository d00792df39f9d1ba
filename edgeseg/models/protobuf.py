"""Walks the fields of a protobuf file: enough to read an ONNX file without loading its weights."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

MAX_FIELDS = 1_000_000
"""Of one message; an ONNX graph has one for each node and each tensor of weights."""


def fields(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Walk the fields from here to `end`: number and size; the caller consumes the content.

    Whole numbers are passed over. Raises ValueError and IndexError for what is no
    protobuf message.
    """
    for _ in range(MAX_FIELDS):
        if file.tell() >= end:
            return
        number, wire = _tag(file)
        if wire == 0:
            varint(file)
            continue
        size = {1: 8, 5: 4}.get(wire) or varint(file)
        if file.tell() + size > end:
            raise ValueError("it is cut off")
        yield number, size
    raise ValueError("too many fields")


def values(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Give the fields of a small message: number, and its whole number or its bytes.

    Raises ValueError and IndexError for what is no protobuf message.
    """
    file = io.BytesIO(content)
    while file.tell() < len(content):
        number, wire = _tag(file)
        if wire == 0:
            yield number, varint(file)
            continue
        size = {1: 8, 5: 4}.get(wire) or varint(file)
        if file.tell() + size > len(content):
            raise ValueError("it is cut off")
        yield number, file.read(size)


def texts(content: bytes, wanted: dict[int, str]) -> dict[int, str]:
    """Give `wanted`, field number to text, with what a small message says of them."""
    found = dict(wanted)
    for number, value in values(content):
        if number in found and isinstance(value, bytes):
            found[number] = value.decode()
    return found


def varint(file: BinaryIO) -> int:
    """Read a whole number of up to 64 bits."""
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise ValueError("broken number")


def _tag(file: BinaryIO) -> tuple[int, int]:
    tag = varint(file)
    number, wire = tag >> 3, tag & 7
    if wire not in (0, 1, 2, 5) or (number == 0 and wire != 0):
        raise ValueError("unknown field")
    return number, wire
