"""Promises of log lines in the journal."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.service import journal
from edgeseg.service.journal import JournalHandler, entry, journal_handler


def fields_of(datagram: bytes) -> dict[str, bytes]:
    """Read an entry as https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ says."""
    fields, rest = {}, datagram
    while rest:
        line, _, rest = rest.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name, length = line, int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        fields[name.decode()] = value
    return fields


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True), st.text(max_size=30)))
def test_an_entry_says_what_was_put_in(fields: dict[str, str]) -> None:
    wanted = {name: value.encode("utf-8", "replace") for name, value in fields.items()}
    assert fields_of(entry(fields)) == wanted


def test_a_record_arrives_with_priority_and_place(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        handler = JournalHandler(str(path))
        record = logging.LogRecord(
            "edgeseg.x", logging.ERROR, "file.py", 7, "two\nlines", None, None
        )
        handler.handle(record)
        handler.close()
        fields = fields_of(receiver.recv(65536))
    assert fields["MESSAGE"] == b"two\nlines"
    assert fields["PRIORITY"] == b"3"
    assert fields["EDGESEG_LOGGER"] == b"edgeseg.x"
    assert (fields["CODE_FILE"], fields["CODE_LINE"]) == (b"file.py", b"7")


def test_without_a_journal_there_is_no_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    assert journal_handler() is None
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    assert journal_handler() is None


def test_what_cannot_be_sent_goes_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        handler = JournalHandler(str(path))
    handler.handle(logging.LogRecord("x", logging.INFO, "f", 1, "still here", None, None))
    handler.close()
    assert "still here" in capsys.readouterr().err


def test_the_journals_own_stream_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        seen = os.fstat(stream.fileno())
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("JOURNAL_STREAM", f"{seen.st_dev}:{seen.st_ino}")
        assert journal.stderr_is_journal()
