"""Fetch a pinned file over HTTP: resumed, bounded, verified, and landed whole.

Bytes go to NAME.part, which stays after an interruption and is continued the
next time. Only when size and SHA-256 are right does it become NAME.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import IO

from edgeseg.errors import DownloadError
from edgeseg.files import part_path, sha256_of
from edgeseg.models.fetch.pinned import PinnedFile, disk_errors
from edgeseg.models.fetch.progress import shown_progress
from edgeseg.models.fetch.web import Interrupted, Refused, Web, network_errors, shown_url

log = logging.getLogger(__name__)

PIECE_BYTES = 1 << 18
GOOD_PROGRESS_BYTES = 1 << 20
"""An attempt that brought this much is continued at once, not counted as a failure."""
SPARE_BYTES = 16 << 20
"""What stays free on the disk."""
LOCK_TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download waits for what."""

    silence_s: float = 15.0
    """For a connection, and for each further byte."""
    stall_s: float = 60.0
    stall_bytes: int = 64 << 10
    """Fewer bytes than this in `stall_s` is a stall."""
    rounds: int = 3
    """How often each address is tried."""
    backoff_s: float = 2.0
    """Wait before the second round; doubled before each further one."""
    lock_s: float = 1800.0
    """For another process that fetches the same file."""


class Download:
    """One file on its way from one of its addresses to NAME.part."""

    def __init__(
        self,
        pinned: PinnedFile,
        part: Path,
        *,
        web: Web,
        patience: Patience,
        show: Callable[[int], None],
    ) -> None:
        self.pinned = pinned
        self.part = part
        self._web = web
        self._patience = patience
        self._show = show

    def run(self) -> None:
        """Complete and verify the part. Raises DownloadError with each address's reason."""
        self._check_space()
        reasons: dict[str, str] = {}
        open_urls = list(self.pinned.urls)
        for turn in range(self._patience.rounds):
            if turn and open_urls:
                time.sleep(self._patience.backoff_s * 2 ** (turn - 1))
            for url in tuple(open_urls):
                error = self._try(url)
                if error is None:
                    return
                reasons[url] = str(error)
                if isinstance(error, Refused):
                    open_urls.remove(url)
        lines = "".join(f"\n    {shown_url(url)}: {reason}" for url, reason in reasons.items())
        raise DownloadError(f"{self.pinned.name} could not be fetched{lines}")

    def _try(self, url: str) -> Refused | Interrupted | None:
        try:
            self._fetch_from(url)
        except (Refused, Interrupted) as error:
            log.info("%s: %s", shown_url(url), error)
            return error
        return None

    def _check_space(self) -> None:
        needed = self.pinned.size_bytes - self._done() + SPARE_BYTES
        free = shutil.disk_usage(self.part.parent).free
        if free < needed:
            raise DownloadError(
                f"{self.pinned.name} needs {needed / 1e6:,.0f} MB in {self.part.parent}, "
                f"{free / 1e6:,.0f} MB are free",
                hint="Free some space, or name another folder with EDGESEG_CACHE_DIR.",
            )

    def _done(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _fetch_from(self, url: str) -> None:
        """Complete and verify the part from one address; wrong bytes are removed."""
        resumed = self._done() > 0
        while True:
            before = self._done()
            try:
                self._receive(url)
            except Interrupted:
                if self._done() - before < GOOD_PROGRESS_BYTES:
                    raise
                continue
            digest = sha256_of(self.part)
            if digest == self.pinned.sha256:
                return
            self.part.unlink()
            if not resumed:
                raise Refused(f"has other bytes: sha256 {digest}, not {self.pinned.sha256}")
            # What lay there from an older download may be what is wrong: once, from the start.
            resumed = False

    def _receive(self, url: str) -> None:
        """Append what is missing."""
        total = self.pinned.size_bytes
        if self._done() > total:
            self.part.unlink()
        done = self._done()
        if done == total:
            return
        headers = {"Range": f"bytes={done}-"} if done else {}
        with self._web.get(url, silence_s=self._patience.silence_s, headers=headers) as response:
            start = _start_of(response, done, total)
            with self.part.open("r+b" if done else "wb") as out:
                out.truncate(start)
                out.seek(start)
                self._copy(response, out, start)
                out.flush()
                os.fsync(out.fileno())

    def _copy(self, response: HTTPResponse, out: IO[bytes], done: int) -> None:
        total = self.pinned.size_bytes
        window_s, window_start = time.monotonic(), done
        while done < total:
            self._show(done)
            with network_errors():
                # read1 gives what has arrived; read would wait for the whole piece.
                piece = response.read1(min(PIECE_BYTES, total - done))
            if not piece:
                raise Interrupted(f"the connection closed after {done:,} of {total:,} bytes")
            out.write(piece)
            done += len(piece)
            now_s = time.monotonic()
            if now_s - window_s >= self._patience.stall_s:
                if done - window_start < self._patience.stall_bytes:
                    raise Interrupted(f"stalled at {done:,} of {total:,} bytes")
                window_s, window_start = now_s, done
        self._show(done)


def _start_of(response: HTTPResponse, done: int, total: int) -> int:
    """Give the offset where the answer begins. Raises Refused for one of another length."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise Refused(f"answers in the encoding {encoding}")
    if response.status == 206:
        wanted = f"bytes {done}-{total - 1}/{total}"
        got = response.headers.get("Content-Range", "nothing")
        if got != wanted:
            raise Refused(f"answers the range {got}, asked for {wanted}")
        return done
    if response.status != 200:
        raise Refused(f"HTTP {response.status} {response.reason}")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) != total:
        raise Refused(f"has {int(length):,} bytes, not {total:,}")
    return 0


def download(
    pinned: PinnedFile, folder: Path, *, patience: Patience | None = None, web: Web | None = None
) -> Path:
    """Fetch `pinned` into `folder` from the first of its addresses that has it.

    An interrupted download (also one ended by Ctrl-C) is continued by the next
    call. When two processes ask for the same file, one fetches and one waits.
    A file that is there already is replaced only when the new one is complete.
    Raises DownloadError with the reason of each address.
    """
    patience = patience or Patience()
    target = folder / pinned.name
    with disk_errors(target), locked(target, patience.lock_s) as replaced:
        if replaced and sha256_of(target) == pinned.sha256:
            return target
        part = part_path(target)
        with shown_progress(pinned.name, pinned.size_bytes) as show:
            Download(pinned, part, web=web or Web(), patience=patience, show=show).run()
        part.replace(target)
    return target


@contextlib.contextmanager
def locked(target: Path, wait_s: float) -> Iterator[bool]:
    """Hold `target` against other processes and threads; its folder is made.

    Gives whether another one put a new `target` there meanwhile. The lock ends
    with its process, so none is ever stale. Raises DownloadError when it is not
    free within `wait_s`, and OSError of the disk.
    """
    import fcntl

    before = _identity(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    until_s = time.monotonic() + wait_s
    told = False
    with target.with_name(f".{target.name}.lock").open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until_s:
                    raise DownloadError(
                        f"another process has been fetching {target.name} for {wait_s:.0f} s",
                        hint="Wait for it or end it, then try again.",
                    ) from None
                if not told:
                    log.info("waiting for another process that fetches %s", target.name)
                    told = True
                time.sleep(LOCK_TICK_S)
        yield _identity(target) not in (None, before)


def _identity(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.is_file() else None
