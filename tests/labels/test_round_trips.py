"""Every format to each other and back, with the shapes that break careless code."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_shapes import NAMES, difficult_pictures, shapes, thing, within_one_pixel, without_overlap
from PIL import Image

from edgeseg.labels.convert import convert
from edgeseg.labels.formats import ReadOptions, WriteOptions, create_labels, open_labels
from edgeseg.labels.problems import Problems
from edgeseg.labels.types import Classes, LabelObject, LabelPicture

EXACT = {
    "coco": WriteOptions("coco"),
    "coco polygons": WriteOptions("coco", segmentation="polygon"),
    "yolo-seg": WriteOptions("yolo-seg"),
    "masks": WriteOptions("masks"),
    "jsonl": WriteOptions("jsonl"),
}
"""The formats that keep every pixel."""
ENDINGS = {"coco": ".json", "jsonl": ".jsonl"}


def place(folder: Path, options: WriteOptions, name: str = "labels") -> Path:
    return folder / f"{name}{ENDINGS.get(options.format, '')}"


def written(folder: Path, options: WriteOptions, pictures, classes) -> Path:
    path = place(folder, options)
    writer = create_labels(path, classes, options)
    for picture in pictures:
        writer.add(picture)
    assert writer.finish(classes) == str(path)
    return path


def read(path: Path, options: WriteOptions, images: Path) -> dict[str, LabelPicture]:
    reader = open_labels(path, Problems(), ReadOptions(options.format, pictures=images))
    return {picture.name: picture for picture in reader.pictures()}


def as_compared(picture: LabelPicture) -> LabelPicture:
    """Round what text formats round."""
    return replace(
        picture,
        objects=tuple(
            replace(item, box_px=tuple(round(edge, 2) for edge in item.box_px))
            for item in picture.objects
        ),
        time_s=None,
    )


def same(found: dict[str, LabelPicture], wanted: list[LabelPicture]) -> None:
    assert sorted(found) == sorted(picture.name for picture in wanted)
    for picture in wanted:
        assert as_compared(found[picture.name]) == as_compared(picture)


@pytest.mark.parametrize("format_", EXACT)
def test_what_is_written_is_read(tmp_path, save_pictures, classes, format_):
    pictures = difficult_pictures()
    images = save_pictures(tmp_path / "images", pictures)
    path = written(tmp_path, EXACT[format_], pictures, classes)
    same(read(path, EXACT[format_], images), pictures)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(EXACT, 2)))
def test_every_format_to_each_other_and_back_keeps_every_pixel(
    tmp_path, save_pictures, classes, one, other
):
    pictures = difficult_pictures()
    images = save_pictures(tmp_path / "images", pictures)
    names = tmp_path / "some.names"
    names.write_text("\n".join(NAMES))
    first = written(tmp_path / "first", EXACT[one], pictures, classes)
    there, back = (place(tmp_path / name, EXACT[f]) for name, f in (("to", other), ("back", one)))
    for source, target, reading, writing in (
        (first, there, EXACT[one], EXACT[other]),
        (there, back, EXACT[other], EXACT[one]),
    ):
        done = convert(
            source, target, ReadOptions(reading.format, names=names, pictures=images), writing
        )
        assert done.place == str(target)
        assert (done.pictures, done.left_out) == (len(pictures), 0)
        assert done.masks == done.objects == sum(len(p.objects) for p in pictures)
    same(read(back, EXACT[one], images), pictures)


@pytest.mark.parametrize("format_", ["class-masks", "index"])
@pytest.mark.parametrize("extra", [(), ("background",), ("x",) * 300])
def test_class_masks_keep_every_pixel_of_each_class(tmp_path, save_pictures, format_, extra):
    classes = Classes((*NAMES, *extra))
    found = shapes(16, 13)
    objects = without_overlap([thing(p, n % 3) for n, p in enumerate(found.values())], (16, 13))
    picture = LabelPicture("a.png", (16, 13), tuple(objects))
    images = save_pictures(tmp_path / "images", [picture])
    options = WriteOptions(format_)
    back = read(written(tmp_path, options, [picture], classes), options, images)["a.png"]
    for class_id in range(3):
        wanted = np.zeros((13, 16), bool)
        for item in objects:
            if item.class_id == class_id:
                wanted |= item.mask.dense((16, 13))
        (got,) = [item.mask for item in back.objects if item.class_id == class_id]
        np.testing.assert_array_equal(got.dense((16, 13)), wanted)


@pytest.mark.parametrize("turned", [False, True])
def test_small_objects_lie_above_large_ones_and_crowds_below_all(tmp_path, classes, turned):
    found = shapes(16, 13)
    objects = [thing(found["the whole picture"], 0), thing(found["box"], 1)]
    objects.append(thing(found["one pixel"], 2, crowd=True))
    if turned:
        objects.reverse()
    picture = LabelPicture("a.png", (16, 13), tuple(objects))
    for options, values in (
        (WriteOptions("class-masks"), [1, 2, 3]),
        (WriteOptions("masks"), [3, 2, 1] if turned else [1, 2, 3]),
    ):
        path = written(tmp_path / options.format, options, [picture], classes)
        with Image.open(path / "masks/a.png") as image:
            painted = np.asarray(image)
        np.testing.assert_array_equal(painted, np.where(found["box"], values[1], values[0]))


def test_boxes_come_back_within_a_hundredth_of_a_pixel(tmp_path, save_pictures, classes):
    rng = np.random.default_rng(3)
    corners = np.sort(rng.random((50, 2, 2)) * (640, 427), axis=1)
    objects = tuple(LabelObject(n % 3, tuple(c.ravel().tolist())) for n, c in enumerate(corners))
    picture = LabelPicture("sub/a.png", (640, 427), objects)
    images = save_pictures(tmp_path / "images", [picture])
    for options in (WriteOptions("yolo"), *EXACT.values()):
        folder = tmp_path / f"{options.format}{options.segmentation}"
        back = read(written(folder, options, [picture], classes), options, images)["sub/a.png"]
        assert [item.class_id for item in back.objects] == [item.class_id for item in objects]
        np.testing.assert_allclose(
            [item.box_px for item in back.objects],
            [item.box_px for item in objects],
            rtol=0,
            atol=0.01,
        )


@pytest.mark.parametrize("format_", ["coco", "jsonl", "masks"])
def test_crowds_scores_and_identities_are_kept(tmp_path, save_pictures, classes, format_):
    found = shapes(16, 13)
    objects = (
        thing(found["noise"], 2, crowd=True),
        thing(found["a hole"], 1, score=0.25, track_id=7),
        LabelObject(0, (1.0, 2.0, 3.0, 4.5), score=1.0),
    )
    picture = LabelPicture("a.png", (16, 13), objects)
    images = save_pictures(tmp_path / "images", [picture])
    same(
        read(
            written(tmp_path, WriteOptions(format_), [picture], classes),
            WriteOptions(format_),
            images,
        ),
        [picture],
    )


@pytest.mark.parametrize(
    "options", [WriteOptions("yolo", scores=True), WriteOptions("yolo-seg", scores=True)]
)
def test_yolo_keeps_scores_when_asked(tmp_path, save_pictures, classes, options):
    picture = LabelPicture("a.png", (16, 13), (thing(shapes(16, 13)["disc"], 1, score=0.25),))
    images = save_pictures(tmp_path / "images", [picture])
    back = read(written(tmp_path, options, [picture], classes), options, images)["a.png"]
    assert [item.score for item in back.objects] == [0.25]


@pytest.mark.parametrize("options", [EXACT["coco polygons"], EXACT["yolo-seg"]])
@pytest.mark.parametrize("tolerance_px", [0.5, 1.0])
def test_simplified_polygons_stay_within_a_pixel(
    tmp_path, save_pictures, classes, options, tolerance_px
):
    size_px = (90, 70)
    rows, columns = np.mgrid[:70, :90]
    disc = (rows - 30) ** 2 + (columns - 40) ** 2 < 28**2
    hole = disc & ((rows - 33) ** 2 + (columns - 42) ** 2 >= 9**2)
    wave = abs(rows - 35 - 20 * np.sin(columns / 9)) < 6
    picture = LabelPicture("a.png", size_px, tuple(thing(m) for m in (disc, hole, wave)))
    images = save_pictures(tmp_path / "images", [picture])
    options = replace(options, tolerance_px=tolerance_px)
    back = read(written(tmp_path, options, [picture], classes), options, images)["a.png"]
    for got, wanted in zip(back.objects, picture.objects, strict=True):
        assert within_one_pixel(got.mask.dense(size_px), wanted.mask.dense(size_px))


PIXELS = st.tuples(st.integers(1, 14), st.integers(1, 14), st.binary(min_size=25, max_size=25))


def drawn(width: int, height: int, bits: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bits, np.uint8))[: width * height].reshape(height, width) > 0


@given(st.lists(PIXELS.map(lambda drawing: drawn(*drawing)), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_any_pixels_survive_any_format(tmp_path_factory, masks):
    size_px = (14, 14)
    objects = []
    for number, pixels in enumerate(masks):
        whole = np.zeros((14, 14), bool)
        whole[: pixels.shape[0], : pixels.shape[1]] = pixels
        if whole.any():
            objects.append(thing(whole, number % 3))
    picture = LabelPicture("7.png", size_px, tuple(objects))
    for options in EXACT.values():
        folder = tmp_path_factory.mktemp("any")
        path = written(folder, options, [picture], Classes(NAMES))
        reader = open_labels(path, Problems(), ReadOptions(options.format, size_px=size_px))
        (got,) = reader.pictures()
        assert as_compared(got).objects == as_compared(picture).objects
