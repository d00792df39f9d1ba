"""Promises of --segment foreground: what counts, what stands behind, what is written."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from small_net import write_small_net

from edgeseg.cli import call
from edgeseg.errors import ConfigError
from edgeseg.foreground.follower import ForegroundFollower
from edgeseg.foreground.painter import ForegroundPainter
from edgeseg.masks.certainty import certainty
from edgeseg.pictures import on_black, over
from edgeseg.settings import Settings
from edgeseg.sinks import make_sink
from edgeseg.sinks.base import takes_alpha
from edgeseg.types import Detections, Frame, Masks, Result

SCENE = "test://?size=160x120&fps=25&frames=25"
HW = (120, 160)


def still(noise: int) -> NDArray[np.uint8]:
    ground = np.kron(np.random.default_rng(1).uniform(60, 200, (12, 16, 3)), np.ones((10, 10, 1)))
    image = ground + np.random.default_rng(noise).normal(0, 1, ground.shape)
    return image.clip(0, 255).astype(np.uint8)


def found(box: tuple[float, ...] | None) -> Detections:
    if box is None:
        return Detections.empty()
    return Detections(np.array([box], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))


def result(image: NDArray[np.uint8], index: int = 0, **more: object) -> Result:
    detections = more.pop("detections", Detections.empty())
    return Result(Frame(image, index, index / 25), detections, ("thing",), **more)  # type: ignore[arg-type]


def test_an_object_with_a_mask_counts_though_it_stands_still() -> None:
    follower = ForegroundFollower()
    region = np.array([[20, 30, 60, 70]], np.float32)
    masks = Masks((np.full((8, 8), 255, np.uint8),), region, region.copy(), (160, 120))
    for i in range(20):
        got = follower.follow(result(still(i), i, detections=found((20, 30, 60, 70)), masks=masks))
    expected = np.zeros(HW, np.uint8)
    expected[30:70, 20:60] = 255
    np.testing.assert_array_equal(got.foreground, expected)


def test_what_moves_counts_without_an_object_and_a_box_alone_does_not() -> None:
    follower = ForegroundFollower()
    for i in range(40):
        image = still(i)
        if i >= 30:
            image[40:80, 60 + i : 90 + i] = (20, 20, 250)
        got = follower.follow(result(image, i, detections=found((5, 5, 40, 40))))
    assert got.foreground is not None
    assert got.foreground.shape == HW
    assert got.foreground[60, 114] == 255
    assert got.foreground[60, 20] == got.foreground[20, 20] == 0


def test_over_mixes_at_the_edge_only_and_exactly() -> None:
    image, ground = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 100, np.uint8)
    out = over(image, np.array([[0, 51, 255]], np.uint8), ground)
    assert out[0, :, 0].tolist() == [100, 120, 200]
    bgra = np.dstack((image, np.array([[0, 51, 255]], np.uint8)))
    assert on_black(bgra)[0, :, 0].tolist() == [0, 40, 200]


@pytest.fixture
def halves() -> Result:
    """A frame whose left half is foreground."""
    foreground = np.zeros(HW, np.uint8)
    foreground[:, :80] = 255
    return result(still(0), foreground=foreground)


def test_a_colour_stands_behind(halves: Result) -> None:
    drawn = ForegroundPainter("#00B140").draw(halves)
    np.testing.assert_array_equal(drawn[:, :80], halves.frame.image[:, :80])
    assert (drawn[:, 80:] == (0x40, 0xB1, 0x00)).all(), "BGR"


def test_a_picture_covers_the_frame_whatever_its_shape(halves: Result, tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    Image.new("RGB", (50, 400), (10, 20, 30)).save(path)
    drawn = ForegroundPainter(str(path)).draw(halves)
    assert (drawn[:, 80:] == (30, 20, 10)).all()


def test_a_blur_is_smooth_and_free_of_the_foregrounds_colours(halves: Result) -> None:
    image = halves.frame.image.copy()
    image[:, :80] = (0, 0, 255)
    bright = result(image, foreground=halves.foreground)
    drawn = ForegroundPainter("blur").draw(bright).astype(int)
    np.testing.assert_array_equal(drawn[:, :80], image[:, :80])
    assert np.abs(np.diff(drawn[:, 82:], axis=1)).max() < 25, "smooth"
    reference = ForegroundPainter("blur").draw(halves).astype(int)
    assert np.abs(drawn[:, 80:] - reference[:, 80:]).max() <= 4, "no red runs over"


def test_cut_gives_the_frame_with_its_opacity(halves: Result) -> None:
    drawn = ForegroundPainter("cut").draw(halves)
    np.testing.assert_array_equal(drawn[:, :, :3], halves.frame.image)
    np.testing.assert_array_equal(drawn[:, :, 3], halves.foreground)


def test_a_result_without_foreground_is_all_background() -> None:
    assert (ForegroundPainter("cut").draw(result(still(0)))[:, :, 3] == 0).all()


def test_a_wrong_background_is_told_at_once(tmp_path: Path) -> None:
    for text in ("#12", "#12345G"):
        with pytest.raises(ConfigError, match="no colour"):
            Settings(background=text)
    (tmp_path / "text.png").write_text("no picture")
    for path in (tmp_path / "absent.png", tmp_path / "text.png", tmp_path):
        with pytest.raises(ConfigError, match="no picture can be read"):
            ForegroundPainter(str(path))


def test_certainty_is_that_of_the_grid() -> None:
    grid = np.array([[0, 255], [0, 255]], np.uint8)
    region = np.array([[10, 10, 14, 14]], np.float32)
    clip = np.array([[10, 11, 14, 13]], np.float32)
    box, sure = certainty(Masks((grid,), region, clip, (100, 100)), 0)
    assert box == (10, 11, 14, 13)
    assert sure.tolist() == [[0, 63, 191, 255]] * 2
    outside = region + 1000
    assert certainty(Masks((grid,), outside, outside, (100, 100)), 0)[1].size == 0


def alpha_of(path: Path, decoder: str | None = None) -> NDArray[np.uint8]:
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        if decoder is None:
            frame = next(clip.decode(stream))
        else:  # FFmpeg's own VP9 decoder leaves the transparency out
            context = av.CodecContext.create(decoder, "r")
            frame = next(f for packet in clip.demux(stream) for f in context.decode(packet))
        return frame.to_ndarray(format="bgra")[:, :, 3]


def test_transparency_is_written_and_read_back(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    cfg = write_small_net(tmp_path)
    sinks = ("a.webm", "a.mov", "a.mp4", "pictures:png", "pictures:jpg?format=jpg")
    tokens = [item for sink in sinks for item in ("--sink", sink)]
    tokens += ["--model", str(cfg), "--segment", "foreground", "--background", "cut"]
    assert call(["run", SCENE, "--max-frames", "20", *tokens]) == 0
    png = np.asarray(Image.open("png/000000.png"))
    assert png.shape == (*HW, 4)
    assert np.asarray(Image.open("jpg/000000.jpg")).shape == (*HW, 3)
    for alpha in (alpha_of(Path("a.webm"), "libvpx-vp9"), alpha_of(Path("a.mov"))):
        assert alpha.shape == HW
        assert np.abs(alpha.astype(int) - png[:, :, 3]).mean() < 3
    with av.open("a.mp4") as clip:
        assert next(clip.decode(video=0)).format.name == "yuv420p"


@pytest.mark.parametrize(
    ("spec", "takes"),
    [
        ("a.webm", True), ("a.mov", True), ("a.mp4", False), ("video:a.mov?codec=libx264", False),
        ("pictures:x", True), ("pictures:x?format=jpg", False), ("a.jsonl", False),
    ],
)  # fmt: skip
def test_sinks_say_whether_they_keep_transparency(spec: str, takes: bool) -> None:
    assert takes_alpha(make_sink(spec)) is takes
