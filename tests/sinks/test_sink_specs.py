"""How sinks are named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.errors import ConfigError
from edgeseg.sinks import EXTENSIONS, KINDS, Sink, default_sinks, make_sink, make_sinks
from edgeseg.sinks.spec import parse_spec
from edgeseg.sources.base import SourceInfo


@pytest.mark.parametrize(
    ("text", "kind", "target", "options"),
    [
        ("out.mp4", "video", "out.mp4", {}),
        ("a/b.MKV", "video", "a/b.MKV", {}),
        ("video:a.mp4?crf=20&preset=fast", "video", "a.mp4", {"crf": "20", "preset": "fast"}),
        ("jsonl:-", "jsonl", "-", {}),
        ("jsonl:why?.jsonl", "jsonl", "why?.jsonl", {}),
        ("./12:30.jsonl", "jsonl", "./12:30.jsonl", {}),
        ("csv:12:30.csv", "csv", "12:30.csv", {}),
        ("out.json", "coco", "out.json", {}),
        ("yolo:labels/", "yolo", "labels/", {}),
        ("window", "window", "", {}),
        ("null:", "null", "", {}),
    ],
)
def test_a_spec_is_taken_apart(text, kind, target, options):
    spec = parse_spec(text, KINDS, EXTENSIONS)
    assert (spec.kind, spec.target, dict(spec.options)) == (kind, target, options)


@pytest.mark.parametrize(
    "text",
    ["", " ", "out", "out.txt", "vidio:out.mp4", "http://x/y.txt", "a\0.mp4", "video:", "csv:-"],
)
def test_a_bad_spec_is_refused(text):
    with pytest.raises(ConfigError):
        make_sink(text)


def test_a_bad_spec_lists_the_kinds_with_examples():
    with pytest.raises(ConfigError) as caught:
        make_sink("vidio:out.mp4")
    for kind in KINDS:
        assert kind in str(caught.value)
    assert "--sink out.mp4" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "video:out.mp4?crf=99",
        "video:out.mp4?crf=x",
        "video:out.mp4?crf=nan",
        "video:out.mp4?preset=quick",
        "video:out.mp4?fps=0",
        "video:out.mp4?size=3",
        "video:out.gif",
        "csv:a.csv?scores=yes",
        "yolo:a?scores=maybe",
        "pictures:a?format=bmp",
        "window:here",
    ],
)
def test_options_are_checked_when_the_sink_is_made(text):
    with pytest.raises(ConfigError, match="sink"):
        make_sink(text)


@given(st.text())
def test_any_text_makes_a_sink_or_a_config_error(text):
    try:
        spec = parse_spec(text, KINDS, EXTENSIONS)
    except ConfigError:
        return
    assert spec.kind in KINDS


@pytest.mark.parametrize(
    "kind",
    [
        "window:",
        "video:a.mp4",
        "jsonl:a",
        "csv:a",
        "yolo:a",
        "yolo-seg:a",
        "coco:a",
        "masks:a",
        "pictures:a",
        "null:",
    ],
)
def test_every_kind_can_be_made_and_closed_unopened(kind):
    sink: Sink = make_sink(kind)
    assert sink.name == kind
    assert sink.close() is None


def test_two_sinks_to_one_place_are_refused(tmp_path):
    (tmp_path / "here").symlink_to(tmp_path)
    for pair in (
        (f"{tmp_path}/a.csv", f"csv:{tmp_path}/x/../a.csv"),
        (f"{tmp_path}/a.jsonl", f"csv:{tmp_path}/here/a.jsonl"),
        ("window:", "window"),
        ("jsonl:-", "jsonl:-"),
    ):
        with pytest.raises(ConfigError, match="two sinks"):
            make_sinks(pair)


def test_different_places_are_not():
    sinks = make_sinks(["null:", "null:", "yolo:out", "pictures:out", "a.csv", "a.jsonl"])
    assert len(sinks) == 6


def test_without_a_display_the_run_says_so_and_writes_files(monkeypatch, caplog):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    sinks = default_sinks(SourceInfo("street 1.avi", live=False), Path("out"))
    assert [sink.name for sink in sinks] == ["video:out/street-1.mp4", "jsonl:out/street-1.jsonl"]
    assert "no display" in caplog.text


def test_defaults_suit_the_source():
    folder = Path("out")
    live = default_sinks(SourceInfo("rtsp://cam/live", live=True), folder, headless=True)
    assert live[0].name.startswith("video:out/live-2")
    pictures = default_sinks(
        SourceInfo("a/photos", live=False, pictures=True), folder, headless=True
    )
    assert [sink.name for sink in pictures] == ["pictures:out", "jsonl:out/photos.jsonl"]
    odd = default_sinks(SourceInfo("///", live=False), folder, headless=True)
    assert odd[1].name == f"jsonl:out{os.sep}edgeseg.jsonl"
