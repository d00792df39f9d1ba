"""What files and streams share: containers are opened alike with every PyAV."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from edgeseg.sources.decoding import open_container


def test_a_title_that_is_no_utf8_does_not_hinder(tmp_path: Path) -> None:
    path = tmp_path / "title.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "caf@ caf@ caf@"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 32, 32
        for packet in [*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode()]:
            container.mux(packet)
    content = path.read_bytes()
    assert content.count(b"caf@") == 3
    path.write_bytes(content.replace(b"caf@", b"caf\xe9"))
    with open_container(f"file:{path}", {"protocol_whitelist": "file"}, None) as opened:
        assert len(list(opened.decode(video=0))) == 1


def test_what_is_missing_is_an_error_of_ffmpeg(tmp_path: Path) -> None:
    with pytest.raises(av.FFmpegError):
        open_container(str(tmp_path / "absent.mp4"), {}, (1.0, 1.0))
