"""Promises of HTTP for downloads: redirects, passwords, proxies, certificates."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import Answer, FileServer, Handler, file_server

from edgeseg.errors import DownloadError
from edgeseg.models.fetch.download import Patience, download
from edgeseg.models.fetch.pinned import PinnedFile
from edgeseg.models.fetch.web import Web

BODY = random.Random(1).randbytes(40_000)
FAST = Patience(silence_s=1.0, rounds=2, backoff_s=0.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server() as running:
        running.files["/x.bin"] = BODY
        yield running


def fetch(tmp_path: Path, *urls: str) -> Path:
    pinned = PinnedFile("x.bin", len(BODY), hashlib.sha256(BODY).hexdigest(), urls)
    return download(pinned, tmp_path, patience=FAST)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_range(
    server: FileServer, tmp_path: Path, status: int
) -> None:
    server.answers["/old"] = lambda handler: handler.status(status, Location="/x.bin")
    (tmp_path / "x.bin.part").write_bytes(BODY[:7])
    assert fetch(tmp_path, server.url("/old")).read_bytes() == BODY
    assert [(asked.path, asked.range) for asked in server.asked] == [
        ("/old", "bytes=7-"),
        ("/x.bin", "bytes=7-"),
    ]


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "/old"])
def test_redirects_elsewhere_or_in_circles_are_refused(
    server: FileServer, tmp_path: Path, target: str
) -> None:
    server.answers["/old"] = lambda handler: handler.status(302, Location=target)
    with pytest.raises(DownloadError, match=r"(?i)redirect"):
        fetch(tmp_path, server.url("/old"))


def test_a_password_is_sent_shown_and_carried_nowhere_else(
    server: FileServer, tmp_path: Path
) -> None:
    with file_server() as other:
        server.answers["/old"] = lambda handler: handler.status(302, Location=other.url("/none"))
        with pytest.raises(DownloadError) as caught:
            fetch(tmp_path, server.url("/old", login="me:s%40cret@"))
        assert "authorization" not in other.asked[0].headers
    assert server.asked[0].headers["authorization"] == "Basic bWU6c0BjcmV0"  # me:s@cret
    assert "cret" not in str(caught.value)


def wrong_range(handler: Handler) -> None:
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 0-{len(BODY) - 1}/{len(BODY)}")
    handler.send(BODY)


def gzipped(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send(BODY)


@pytest.mark.parametrize(
    ("answer", "reason"), [(wrong_range, "answers the range"), (gzipped, "encoding gzip")]
)
def test_an_answer_of_another_form_is_refused(
    server: FileServer, tmp_path: Path, answer: Answer, reason: str
) -> None:
    server.answers["/x.bin"] = answer
    (tmp_path / "x.bin.part").write_bytes(BODY[:10])
    with pytest.raises(DownloadError, match=reason):
        fetch(tmp_path, server.url("/x.bin"))


def test_what_is_no_http_is_an_error_not_a_crash(tmp_path: Path, server: FileServer) -> None:
    server.answers["/x.bin"] = lambda handler: handler.wfile.write(b"220 ftp.example ready\r\n")
    with pytest.raises(DownloadError, match="BadStatusLine"):
        fetch(tmp_path, server.url("/x.bin"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/x", "http://[::1/x", "http:///x", "x"])
def test_a_broken_address_is_an_error_not_a_crash(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="could not be fetched"):
        fetch(tmp_path, url)


def test_a_proxy_of_the_environment_is_used(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", server.url(""))
    server.files["http://weights.invalid/x.bin"] = BODY
    assert fetch(tmp_path, "http://weights.invalid/x.bin").read_bytes() == BODY


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_certificates_are_verified(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {cert}"
    extra = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *extra], check=True, capture_output=True, timeout=60)
    server.use_tls(str(cert), str(key))
    with pytest.raises(DownloadError, match="set SSL_CERT_FILE"):
        fetch(tmp_path, server.url("/x.bin"))
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    assert fetch(tmp_path / "trusted", server.url("/x.bin")).read_bytes() == BODY


def test_a_certificate_file_that_is_missing_is_named() -> None:
    with pytest.raises(DownloadError, match=r"certificates /no/such\.pem"):
        Web(cert_file="/no/such.pem")
