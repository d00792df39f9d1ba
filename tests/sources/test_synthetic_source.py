"""The synthetic scene: the same every time, in real time when asked."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edgeseg.errors import SourceOpenError
from edgeseg.sources import open_source
from edgeseg.sources.live import SUPERSEDED


def test_the_scene_is_the_same_on_every_run_and_moves() -> None:
    uri = "test://?size=320x240&frames=5&objects=4"
    first, second = open_source(uri), open_source(uri)
    pictures = []
    while (frame := first.read()) is not None:
        other = second.read()
        assert other is not None
        np.testing.assert_array_equal(frame.image, other.image)
        assert (frame.index, frame.time_s) == (len(pictures), pytest.approx(len(pictures) / 30))
        pictures.append(frame.image)
    assert second.read() is None
    assert len(pictures) == 5 == first.info.frame_count
    below_the_number = [picture[20:] for picture in pictures]
    assert (below_the_number[0] != below_the_number[-1]).any()


def test_objects_cover_a_plausible_part_and_none_means_none() -> None:
    def picture(objects: int) -> np.ndarray:
        frame = open_source(f"test://?size=640x360&objects={objects}").read()
        assert frame is not None
        return frame.image

    changed = (picture(6) != picture(0)).any(axis=2).mean()
    assert 0.03 < changed < 0.6


@pytest.mark.parametrize("size", ["1x1", "2x300", "33x17", "1920x1080"])
def test_any_size_can_be_drawn(size: str) -> None:
    frame = open_source(f"test://?size={size}&frames=2").read()
    assert frame is not None
    assert "x".join(map(str, frame.size_px)) == size


def test_without_a_number_of_frames_it_is_finite_unless_live() -> None:
    assert open_source("test://").info.frame_count == 300
    live = open_source("test://?live=1").info
    assert (live.frame_count, live.live) == (None, True)


def test_live_keeps_real_time_and_counts_what_came_too_late() -> None:
    source = open_source("test://?live=1&fps=50&size=64x48&frames=40")
    begun_s = time.monotonic()
    indices, times = [], []
    while (frame := source.read()) is not None:
        indices.append(frame.index)
        times.append(frame.time_s)
        if frame.index == 4:
            time.sleep(0.2)
    assert time.monotonic() - begun_s > 0.7
    assert indices == list(range(len(indices)))
    assert times == sorted(times)
    assert source.drops()[SUPERSEDED] >= 8
    assert len(indices) + source.drops()[SUPERSEDED] == 40


def test_close_interrupts_a_waiting_read() -> None:
    source = open_source("test://?live=1&fps=0.05&size=64x48")
    assert source.read() is not None
    threading.Timer(0.1, source.close).start()
    begun_s = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - begun_s < 2


@pytest.mark.parametrize(
    "query",
    [
        "size=0x5",
        "size=big",
        "fps=0",
        "fps=nan",
        "frames=-1",
        "frames=1.5",
        "objects=x",
        "colour=1",
    ],
)
def test_impossible_options_are_refused(query: str) -> None:
    with pytest.raises(SourceOpenError):
        open_source(f"test://?{query}")
