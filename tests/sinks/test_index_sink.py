"""The index sink: PNG files whose pixels are the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeseg.colors import class_color
from edgeseg.errors import ConfigError, SinkError
from edgeseg.sinks import make_sink
from edgeseg.sinks.base import RunInfo
from edgeseg.sources.base import SourceInfo
from edgeseg.types import NO_CLASS, ClassMap, Detections, Frame, Result

CLASSES = np.array([[0, 1, 2], [3, 254, NO_CLASS]], np.uint16)


def run(count: int = 5) -> RunInfo:
    source = SourceInfo("clip.mp4", live=False, size_px=(6, 4), fps=25.0, frame_count=1)
    return RunInfo(source, tuple(map(str, range(count))), "net")


def result(classes: np.ndarray | None = CLASSES, background: int | None = 0, **frame) -> Result:
    picture = Frame(np.zeros((4, 6, 3), np.uint8), **frame)
    found = None
    if classes is not None:
        found = ClassMap(classes, (0.0, 0.0, 3.0, 2.0), background)
    return Result(picture, Detections.empty(), (), class_map=found)


def written(folder: Path, *results: Result, count: int = 5) -> list[Path]:
    sink = make_sink(f"index:{folder}")
    sink.open(run(count))
    for each in results:
        sink.write(each, None)
    assert sink.close() == str(folder)
    return sorted(folder.iterdir())


def test_a_pixel_is_its_class_at_the_frames_size(tmp_path):
    (path,) = written(tmp_path / "maps", result(index=7))
    assert path.name == "000007.png"
    image = Image.open(path)
    assert image.mode == "P"
    expected = np.minimum(CLASSES, 255).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(np.asarray(image), expected)
    colors = np.array(image.getpalette()).reshape(-1, 3)
    assert colors[0].tolist() == colors[255].tolist() == [0, 0, 0]
    assert tuple(colors[2]) == class_color(2)[::-1]


def test_more_classes_than_a_byte_holds_take_two(tmp_path):
    classes = np.array([[0, 300, NO_CLASS]], np.uint16)
    (path,) = written(tmp_path / "maps", result(classes), count=400)
    np.testing.assert_array_equal(np.unique(np.asarray(Image.open(path))), [0, 300, NO_CLASS])


def test_pictures_keep_their_names_and_are_never_replaced(tmp_path):
    (path,) = written(tmp_path / "maps", result(path="/somewhere/dog.jpg"))
    assert path.name == "dog.png"
    original = tmp_path / "dog.png"
    original.write_bytes(b"x")
    with pytest.raises(SinkError, match="is a picture of the source"):
        written(tmp_path, result(path=str(original)))
    assert original.read_bytes() == b"x"


def test_no_map_is_an_error_that_says_how_to_get_one(tmp_path):
    with pytest.raises(SinkError, match=r"no classes of pixels.*\n.*--segment semantic"):
        written(tmp_path / "maps", result(None))


def test_it_needs_a_folder_and_takes_no_options():
    with pytest.raises(ConfigError, match="no path"):
        make_sink("index:")
    with pytest.raises(ConfigError, match="unknown option"):
        make_sink("index:maps?format=png")
