"""How sources are named, what is shown of the name, and what a wrong one is answered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.errors import EdgesegError, SourceOpenError
from edgeseg.sources import FORMS, OPENERS, SourceOptions, open_source
from edgeseg.sources.uri import SCHEMES, has_secrets, scheme_of, shown

WORD = st.text("abcXYZ019-._~%!$&'()*+,;=:", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("rtsp://user:pass@host:554/live?token=1#x", "rtsp://host:554/live"),
        ("rtsp://user@host/live", "rtsp://host/live"),
        ("https://host/a@b/c.mp4?sig=abc", "https://host/a@b/c.mp4"),
        ("rtsp://user:p@ss@host/x", "rtsp://host/x"),
        ("clip@home.mp4", "clip@home.mp4"),
        ("/media/what?.mp4", "/media/what?.mp4"),
        ("0", "0"),
    ],
)
def test_only_the_harmless_part_is_shown(uri: str, expected: str) -> None:
    assert shown(uri) == expected
    assert has_secrets(uri) == (uri != expected)


@given(user=WORD, password=WORD, query=WORD)
def test_no_password_and_no_query_is_ever_shown(user: str, password: str, query: str) -> None:
    uri = f"rtsp://{user}:SECRET{password}@host:554/path?token=SECRET{query}"
    assert "SECRET" not in shown(uri)
    assert shown(uri) == "rtsp://host:554/path"


def test_every_scheme_has_an_opener_and_a_line_in_the_list() -> None:
    assert set(SCHEMES) == set(OPENERS)
    for scheme in SCHEMES:
        assert f"{scheme}:" in FORMS


def test_a_mistyped_scheme_is_guessed() -> None:
    with pytest.raises(SourceOpenError, match="Did you mean rtsp://"):
        open_source("rstp://camera/live")
    with pytest.raises(SourceOpenError, match="What can be opened"):
        open_source("gopher://x")


def test_schemes_are_read_in_any_case_and_paths_have_none() -> None:
    assert scheme_of("RTSP://x") == "rtsp"
    assert scheme_of("a/b://c") is None
    assert scheme_of("clip.mp4") is None


def test_a_missing_file_names_what_lies_nearby(tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").write_bytes(b"x")
    with pytest.raises(SourceOpenError, match=r"Did you mean holiday\.mp4"):
        open_source(tmp_path / "holyday.mp4")
    with pytest.raises(SourceOpenError, match="does not exist either"):
        open_source(tmp_path / "no/such.mp4")


def test_a_file_uri_is_a_path(tmp_path: Path, clip: Path) -> None:
    odd = clip.rename(tmp_path / "my clip.mp4")
    source = open_source(f"file://{str(odd).replace(' ', '%20')}")
    assert source.read() is not None
    source.close()
    with pytest.raises(SourceOpenError, match="another host"):
        open_source("file://elsewhere/a.mp4")


def test_the_home_folder_is_expanded(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_source(f"~/{clip.name}").close()


@pytest.mark.parametrize(
    "uri", ["rtsp://", "rtsp://h:99999/x", "http://h:port/x", "rtsp://[::1/x", "rtsp://h:0/x"]
)
def test_impossible_addresses_are_refused_without_trying(uri: str) -> None:
    with pytest.raises(SourceOpenError):
        open_source(uri)


@pytest.mark.parametrize("uri", ["", "  ", "a\0b"])
def test_nothing_is_no_source(uri: str) -> None:
    with pytest.raises(SourceOpenError, match="no source"):
        open_source(uri)


def test_a_demo_clip_that_does_not_exist_is_refused() -> None:
    with pytest.raises(EdgesegError):
        open_source("demo://no-such-clip")


@pytest.mark.parametrize(
    "wrong",
    [
        {"size_px": (0, 4)},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"pixel_format": "MJPEG"},
        {"reconnect_s": -1.0},
        {"reconnect_s": float("nan")},
        {"open_timeout_s": 0.0},
        {"read_timeout_s": float("inf")},
    ],
)
def test_impossible_options_are_a_value_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SourceOptions(**wrong)


def test_heavy_packages_are_imported_only_when_used() -> None:
    code = (
        "import sys, edgeseg.sources\n"
        "print([name for name in ('cv2', 'av', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().strip() == "[]"
