"""Promises of the downloader, against a real server that misbehaves."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import Answer, FileServer, Handler, file_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg.errors import DownloadError
from edgeseg.models.fetch.download import Patience, download, locked
from edgeseg.models.fetch.pinned import PinnedFile, disk_errors

BODY = random.Random(1).randbytes(40_000)
FAST = Patience(silence_s=1.0, stall_s=0.4, stall_bytes=4000, rounds=2, backoff_s=0.0, lock_s=5.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server() as running:
        running.files["/x.bin"] = BODY
        yield running


def pinned(*urls: str, body: bytes = BODY) -> PinnedFile:
    return PinnedFile("x.bin", len(body), hashlib.sha256(body).hexdigest(), urls)


def fetch(tmp_path: Path, *urls: str) -> Path:
    return download(pinned(*urls), tmp_path, patience=FAST)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def cut_after(count: int) -> Answer:
    """Promise everything from the asked byte on, and hang up after `count` bytes."""

    def answer(handler: Handler) -> None:
        start = handler.start()
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        handler.send(BODY[start : start + count], length=len(BODY) - start)

    return answer


def trickle(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    for at in range(0, len(BODY), 200):
        handler.wfile.write(BODY[at : at + 200])
        if handler.server.ending.wait(0.1):
            return


def test_a_file_lands_whole_and_alone(server: FileServer, tmp_path: Path) -> None:
    path = fetch(tmp_path / "new" / "folder", server.url("/x.bin"))
    assert path.read_bytes() == BODY
    assert visible(path.parent) == ["x.bin"]


def test_a_partial_file_is_continued(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "x.bin.part").write_bytes(BODY[:12_345])
    assert fetch(tmp_path, server.url("/x.bin")).read_bytes() == BODY
    assert [asked.range for asked in server.asked] == ["bytes=12345-"]


def test_a_complete_partial_file_needs_no_request(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "x.bin.part").write_bytes(BODY)
    assert fetch(tmp_path, server.url("/x.bin")).read_bytes() == BODY
    assert server.asked == []


@pytest.mark.parametrize("rest", [BODY[:100], b"x" * 100, b"x" * len(BODY), b"x" * 50_000])
def test_a_server_that_ignores_ranges_starts_over(
    server: FileServer, tmp_path: Path, rest: bytes
) -> None:
    def whole(handler: Handler) -> None:
        handler.send_response(200)
        handler.send(BODY)

    server.answers["/x.bin"] = whole
    (tmp_path / "x.bin.part").write_bytes(rest)
    assert fetch(tmp_path, server.url("/x.bin")).read_bytes() == BODY


def test_what_lay_there_is_cut_off_when_a_server_starts_over(
    server: FileServer, tmp_path: Path
) -> None:
    def whole_but_cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send(BODY[:1000], length=len(BODY))

    server.answers["/x.bin"] = whole_but_cut
    (tmp_path / "x.bin.part").write_bytes(b"\0" * 30_000)
    with pytest.raises(DownloadError, match="closed after 1,000"):
        fetch(tmp_path, server.url("/x.bin"))
    assert (tmp_path / "x.bin.part").read_bytes() == BODY[:1000]


def test_a_partial_file_of_other_bytes_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "x.bin.part").write_bytes(b"\0" * 20_000)
    assert fetch(tmp_path, server.url("/x.bin")).read_bytes() == BODY
    assert [asked.range for asked in server.asked] == ["bytes=20000-", None]


def test_other_bytes_are_refused_and_leave_nothing(server: FileServer, tmp_path: Path) -> None:
    server.files["/x.bin"] = BODY[:-1] + b"\0"
    with pytest.raises(DownloadError, match=r"x\.bin could not be fetched\n.*has other bytes"):
        fetch(tmp_path, server.url("/x.bin"))
    assert visible(tmp_path) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [BODY + b"more", BODY[:-1]])
def test_a_file_of_another_length_is_refused(
    server: FileServer, tmp_path: Path, body: bytes
) -> None:
    server.files["/x.bin"] = body
    with pytest.raises(DownloadError, match=rf"has {len(body):,} bytes, not 40,000"):
        fetch(tmp_path, server.url("/x.bin"))


def test_a_dropped_connection_is_continued(server: FileServer, tmp_path: Path) -> None:
    server.answers["/x.bin"] = cut_after(30_000)
    assert fetch(tmp_path, server.url("/x.bin")).read_bytes() == BODY
    assert [asked.range for asked in server.asked] == [None, "bytes=30000-"]


def test_drops_without_end_give_up_and_keep_what_came(server: FileServer, tmp_path: Path) -> None:
    server.answers["/x.bin"] = cut_after(1000)
    with pytest.raises(DownloadError, match=r"closed after 2,000 of 40,000 bytes"):
        fetch(tmp_path, server.url("/x.bin"))
    assert (tmp_path / "x.bin.part").read_bytes() == BODY[:2000]
    assert visible(tmp_path) == ["x.bin.part"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=5))
def test_wherever_connections_drop_the_bytes_are_right(
    server: FileServer, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    left = list(cuts)

    def answer(handler: Handler) -> None:
        cut_after(left.pop() if left else len(BODY))(handler)

    server.answers["/x.bin"] = answer
    patience = Patience(silence_s=2, rounds=len(cuts) + 1, backoff_s=0)
    folder = tmp_path_factory.mktemp("cuts")
    path = download(pinned(server.url("/x.bin")), folder, patience=patience)
    assert path.read_bytes() == BODY


def test_a_silent_server_is_left_in_time(server: FileServer, tmp_path: Path) -> None:
    server.answers["/x.bin"] = lambda handler: handler.server.ending.wait(20) and None
    began_s = time.monotonic()
    with pytest.raises(DownloadError, match="no answer in time"):
        fetch(tmp_path, server.url("/x.bin"))
    assert time.monotonic() - began_s < 2 * FAST.silence_s + 2


def test_a_trickle_is_a_stall(server: FileServer, tmp_path: Path) -> None:
    server.answers["/x.bin"] = trickle
    began_s = time.monotonic()
    with pytest.raises(DownloadError, match=r"stalled at [\d,]+ of 40,000 bytes"):
        fetch(tmp_path, server.url("/x.bin"))
    assert time.monotonic() - began_s < 8


def test_the_next_address_is_tried(server: FileServer, tmp_path: Path) -> None:
    assert fetch(tmp_path, server.url("/none"), server.url("/x.bin")).read_bytes() == BODY


def test_every_address_says_why_it_failed(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, server.url("/none"), "http://127.0.0.1:9/x.bin", "ftp://127.0.0.1/x.bin")
    text = str(caught.value)
    assert f"{server.url('/none')}: HTTP 404" in text
    assert "http://127.0.0.1:9/x.bin: Connection refused" in text
    assert "ftp://127.0.0.1/x.bin: is no http(s) address" in text


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (503, 2), (429, 2), (204, 1)])
def test_only_what_may_pass_is_tried_again(
    server: FileServer, tmp_path: Path, status: int, times: int
) -> None:
    server.answers["/x.bin"] = lambda handler: handler.status(status)
    with pytest.raises(DownloadError, match=f"HTTP {status}"):
        fetch(tmp_path, server.url("/x.bin"))
    assert len(server.asked) == times


def test_a_disk_without_room_is_told_before_the_download(
    server: FileServer, tmp_path: Path
) -> None:
    huge = PinnedFile("huge", 1 << 60, "0" * 64, (server.url("/x.bin"),))
    with pytest.raises(DownloadError, match=r"needs .* MB .* are free") as caught:
        download(huge, tmp_path, patience=FAST)
    assert "EDGESEG_CACHE_DIR" in str(caught.value)
    assert server.asked == []


def test_a_folder_that_cannot_be_made_is_an_error(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="Not a directory"):
        fetch(tmp_path / "file" / "folder", server.url("/x.bin"))


def test_a_folder_that_cannot_be_written_is_an_error(server: FileServer) -> None:
    if not Path("/sys/kernel").is_dir():
        pytest.skip("there is no /sys, the one folder that root cannot write either")
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch(Path("/sys/edgeseg"), server.url("/x.bin"))


def test_a_full_disk_has_its_own_words(tmp_path: Path) -> None:
    with (
        pytest.raises(DownloadError, match="the disk is full"),
        disk_errors(tmp_path / "x"),
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        file.write(b"x")


def test_two_at_once_fetch_once(server: FileServer, tmp_path: Path) -> None:
    gate = threading.Event()

    def late(handler: Handler) -> None:
        gate.wait(5)
        handler.file()

    server.answers["/x.bin"] = late
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch(tmp_path, server.url("/x.bin"))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    gate.set()
    for thread in threads:
        thread.join(20)
    assert [path.read_bytes() == BODY for path in paths] == [True] * 3
    assert len(server.asked) == 1


def test_waiting_for_another_process_is_bounded(tmp_path: Path) -> None:
    target = tmp_path / "x.bin"
    with (
        locked(target, 1.0),
        pytest.raises(DownloadError, match="another process"),
        locked(target, 0.2),
    ):
        pass


def test_after_ctrl_c_the_next_call_continues(server: FileServer, tmp_path: Path) -> None:
    server.answers["/x.bin"] = trickle
    program = (
        "import signal, sys; from pathlib import Path;"
        "from edgeseg.models.fetch.download import download;"
        "from edgeseg.models.fetch.pinned import PinnedFile;"
        # A suite that runs in a shell's background hands an ignored SIGINT down.
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "download(PinnedFile('x.bin', int(sys.argv[1]), sys.argv[2], (sys.argv[3],)),"
        " Path(sys.argv[4]))"
    )
    whole = pinned(server.url("/x.bin"))
    arguments = [str(len(BODY)), whole.sha256, whole.urls[0], str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE)
    until_s = time.monotonic() + 20
    while not server.asked and time.monotonic() < until_s:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    arrived = (tmp_path / "x.bin.part").stat().st_size
    assert 0 < arrived < len(BODY)
    del server.answers["/x.bin"]
    assert fetch(tmp_path, *whole.urls).read_bytes() == BODY
    assert server.asked[-1].range == f"bytes={arrived}-"


def test_without_a_terminal_there_is_one_line(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(tmp_path, server.url("/x.bin"))
    assert capsys.readouterr().err == "downloading x.bin (0.0 MB)\n"


def test_on_a_terminal_there_is_a_bar() -> None:
    program = (
        "from edgeseg.models.fetch.progress import shown_progress\n"
        "with shown_progress('x.bin', 1000) as show: show(1000)"
    )
    ours, theirs = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", program], stderr=theirs, check=True, timeout=30)
        shown = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "x.bin" in shown
    assert "1.0/1.0 kB" in shown


@pytest.mark.parametrize(
    ("size", "sha256"), [(0, "0" * 64), (1, "0" * 63), (1, "G" * 64), (1, "A" * 64)]
)
def test_a_pin_that_pins_nothing_is_a_mistake(size: int, sha256: str) -> None:
    with pytest.raises(ValueError, match="x"):
        PinnedFile("x", size, sha256)
