"""Sinks that make training sets: YOLO segments, instance masks, COCO with masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeseg.errors import ConfigError, SinkError
from edgeseg.labels.formats import ReadOptions, open_labels
from edgeseg.labels.problems import Problems
from edgeseg.labels.survey import survey
from edgeseg.sinks import make_sink
from edgeseg.types import Detections, Frame, Masks, Result, Tracks

NAMES = ("person", "traffic light")
SIZE = (100, 50)


@pytest.fixture
def masked():
    """Make a result of three objects: a full mask, a mask with a hole, and none."""

    def make(index: int = 0, path: str | None = None) -> Result:
        image = np.random.default_rng(index).integers(0, 256, (50, 100, 3), dtype=np.uint8)
        boxes = np.array([[10, 20, 30, 40], [60, 0, 100, 40], [1, 2, 5, 9]], np.float32)
        ring = np.full((10, 10), 255, np.uint8)
        ring[3:6, 4:7] = 0
        masks = Masks(
            (np.full((4, 4), 255, np.uint8), ring, np.zeros((0, 0), np.uint8)),
            boxes,
            boxes,
            SIZE,
        )
        found = Detections(
            boxes, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 0], np.int32)
        )
        tracks = Tracks(np.array([4, 7, 0], np.int32), np.zeros(3, np.int32), np.zeros(3, np.bool_))
        return Result(
            Frame(image, index, index / 25, path), found, NAMES, masks=masks, tracks=tracks
        )

    return make


def deliver(spec, run, results):
    sink = make_sink(spec)
    assert not sink.needs_picture
    sink.open(run)
    for one in results:
        sink.write(one, None)
    return sink.close()


def read(source, **options):
    return list(open_labels(Path(source), Problems(), ReadOptions(**options)).pictures())


def expected(result: Result) -> list[np.ndarray]:
    """Give bool[H, W] of the two masks."""
    dense = []
    for row in range(2):
        left, top, right, bottom = result.masks.box(row)
        frame = np.zeros((50, 100), bool)
        frame[top:bottom, left:right] = result.masks.pixels(row)
        dense.append(frame)
    assert dense[1].sum() < 40 * 40 > dense[0].sum() == 400
    return dense


def test_a_clip_becomes_a_yolo_data_set(tmp_path, run_info, masked):
    results = [masked(n) for n in range(5)]
    assert deliver(f"yolo-seg:{tmp_path}/d?images=png&every=2", run_info(), results) == (
        f"{tmp_path}/d"
    )
    pictures = read(tmp_path / "d")
    assert [p.name for p in pictures] == ["000000.png", "000002.png", "000004.png"]
    assert 'names:\n  0: "person"\n  1: "traffic light"\n' in (tmp_path / "d/data.yaml").read_text()
    for picture in pictures:
        for item, wanted in zip(picture.objects, expected(results[0]), strict=False):
            np.testing.assert_array_equal(item.mask.dense(SIZE), wanted)
        # Without a mask an object is the rectangle of its box.
        assert picture.objects[2].mask.box_px == (1, 2, 5, 9)
        assert picture.objects[2].mask.area_px == 28
    with Image.open(tmp_path / "d/images/000002.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[:, :, ::-1], results[2].frame.image)


def test_pictures_keep_their_names_in_a_data_set(tmp_path, run_info, masked):
    results = [masked(0, "in/a.png"), masked(1, "in/b.jpeg"), masked(2, "elsewhere/a.png")]
    for kind in ("yolo", "yolo-seg", "masks"):
        deliver(f"{kind}:{tmp_path}/{kind}?images=yes", run_info(pictures=True), results)
        names = sorted(path.name for path in (tmp_path / kind / "images").iterdir())
        assert names == ["a.png", "a_2.png", "b.jpg"]
        result = survey(tmp_path / kind, ReadOptions())
        assert (result.format, result.pictures, result.objects) == (kind, 3, 9)
        assert (result.errors, result.warnings) == (0, 0)
        assert list(result.classes) == list(NAMES)


def test_labels_without_pictures_lie_in_the_folder_itself(tmp_path, run_info, masked):
    deliver(f"yolo-seg:{tmp_path}?scores=yes", run_info(), [masked(3)])
    assert [path.name for path in tmp_path.iterdir()] == ["000003.txt"]
    lines = (tmp_path / "000003.txt").read_text().splitlines()
    assert lines[0].split()[-1] == "0.900000"
    assert lines[2] == (
        "0 0.010000 0.040000 0.050000 0.040000 0.050000 0.180000 0.010000 0.180000 0.700000"
    )
    (picture,) = read(tmp_path, size_px=SIZE)
    assert [item.score for item in picture.objects] == [0.9, 0.8, 0.7]


def test_a_data_set_never_replaces_the_source(tmp_path, run_info, masked):
    original = tmp_path / "images/a.png"
    original.parent.mkdir()
    original.write_bytes(b"precious")
    with pytest.raises(SinkError, match="picture of the source"):
        deliver(f"yolo-seg:{tmp_path}?images=yes", run_info(), [masked(0, str(original))])
    assert original.read_bytes() == b"precious"


def test_masks_are_painted_and_listed(tmp_path, run_info, masked):
    result = masked(7)
    assert deliver(f"masks:{tmp_path}/m", run_info(), [result]) == f"{tmp_path}/m"
    values = np.asarray(Image.open(tmp_path / "m/masks/000007.png"))
    assert values.dtype == np.uint8
    for number, wanted in enumerate(expected(result), 1):
        np.testing.assert_array_equal(values == number, wanted)
    lines = [json.loads(line) for line in (tmp_path / "m/instances.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "image": "000007",
        "id": 1,
        "class_id": 0,
        "cls": "person",
        "bbox": [10.0, 20.0, 20.0, 20.0],
        "area": 400.0,
        "fill": 1.0,
        "visible": 400,
        "score": 0.9,
        "track_id": 4,
    }
    assert (tmp_path / "m/names.txt").read_text() == "person\ntraffic light\n"
    (picture,) = read(tmp_path / "m")
    assert [item.track_id for item in picture.objects] == [4, 7, 0]


@pytest.mark.parametrize("option", ["", "?masks=polygon"])
def test_coco_carries_masks_and_identities(tmp_path, run_info, masked, option):
    result = masked(0)
    path = deliver(f"coco:{tmp_path}/out.json{option}", run_info(), [result])
    (picture,) = read(path)
    assert picture.time_s == 0.0
    for item, wanted in zip(picture.objects, expected(result), strict=False):
        np.testing.assert_array_equal(item.mask.dense(SIZE), wanted)
    assert [item.track_id for item in picture.objects] == [4, 7, 0]
    assert picture.objects[2].mask is None
    kinds = {type(a["segmentation"]) for a in json.loads(Path(path).read_text())["annotations"][:2]}
    assert kinds == ({list} if option else {dict})


def test_coco_leaves_masks_out_when_asked(tmp_path, run_info, masked):
    path = deliver(f"coco:{tmp_path}/out.json?masks=none", run_info(), [masked(0)])
    assert "segmentation" not in Path(path).read_text()


def test_boxes_without_size_are_no_labels(tmp_path, run_info, masked):
    result = masked(0)
    boxes = np.array([[5, 5, 5, 9], [1, 2, 3, 4]], np.float32)
    found = Detections(boxes, np.ones(2, np.float32), np.zeros(2, np.int32))
    flat = Result(result.frame, found, NAMES)
    deliver(f"yolo-seg:{tmp_path}/y", run_info(), [flat])
    assert len((tmp_path / "y/000000.txt").read_text().splitlines()) == 1
    deliver(f"masks:{tmp_path}/m", run_info(), [flat])
    assert len((tmp_path / "m/instances.jsonl").read_text().splitlines()) == 1


def test_a_masks_list_appears_when_it_is_complete(tmp_path, run_info, masked):
    sink = make_sink(f"masks:{tmp_path}")
    sink.open(run_info())
    sink.write(masked(0), None)
    assert not (tmp_path / "instances.jsonl").exists()
    sink.close()
    assert (tmp_path / "instances.jsonl").exists()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    "spec",
    [
        "yolo-seg:x?images=maybe",
        "yolo-seg:x?every=0",
        "masks:x?scores=yes",
        "coco:x.json?masks=all",
        "yolo-seg:x?tolerance=-1",
    ],
)
def test_options_of_label_sinks_are_checked(spec):
    with pytest.raises(ConfigError):
        make_sink(spec)
