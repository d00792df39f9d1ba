"""Broken labels: one clear problem each, with file and line, and the rest is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from label_shapes import NAMES, difficult_pictures
from PIL import Image

from edgeseg.errors import LabelError
from edgeseg.labels.formats import ReadOptions, WriteOptions, create_labels, open_labels
from edgeseg.labels.problems import Problem, Problems
from edgeseg.labels.survey import survey
from edgeseg.labels.types import Classes

SIZE = (100, 50)


def problems_of(source: Path, **options) -> tuple[list[str], int]:
    """Give what is wrong, relative to the source's folder, and how many objects are usable."""
    found: list[Problem] = []
    result = survey(source, ReadOptions(size_px=SIZE, **options), found.append)
    assert result.errors == sum(problem.serious for problem in found)
    folder = source if source.is_dir() else source.parent
    return [str(problem).replace(f"{folder}/", "") for problem in found], result.objects


def yolo(tmp_path: Path, *lines: str) -> Path:
    (tmp_path / "labels").mkdir(exist_ok=True)
    (tmp_path / "names.txt").write_text("a\nb\n")
    (tmp_path / "labels/x.txt").write_text("0 0.5 0.5 0.1 0.1\n" + "\n".join(lines))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2 0.5 0.5 0.1 0.1", "class 2 is beyond the 2 names"),
        ("-1 0.5 0.5 0.1 0.1", "class is -1.0, not a whole number from 0 to 65533"),
        ("0.5 0.5 0.5 0.1 0.1", "class is 0.5, not a whole number"),
        ("person 0.5 0.5 0.1 0.1", "'person' is not a number"),
        ("0 0.5 0.5 0.1", "has 4 numbers; a box has 5, a segment 7 or more"),
        ("0 nan 0.5 0.1 0.1", "'nan' is not a number"),
        ("0 0.5 inf 0.1 0.1", "'inf' is not a number"),
        ("0 0.5 1_0 0.1 0.1", "'1_0' is not a number"),
        ("0 0.5 0.5 0 0.1", "the box has no size: 50, 22.5, 50, 27.5"),
        ("0 0.5 0.5 0.1 -0.1", "the box has no size"),
        ("0 1.5 0.5 0.1 0.1", "the box lies off the picture of 100x50: 145, 22.5, 155, 27.5"),
        ("0 50 25 10 10", "50 is no fraction of the picture; are these pixels?"),
        ("0 0.5 0.5 0.1 0.1 1.5", "score is 1.5, not from 0 to 1"),
        ("0 0.1 0.1 0.9 0.9 0.1 0.9 7", "score is 7, not from 0 to 1"),
        ("1 0.1 0.1 0.9 0.9 0.5 0.5 0.1 x", "'x' is not a number"),
        ("1 0.1 0.1 0.1 0.2 0.1 0.3", "the box has no size"),
        ("1 0.1 0.1 9 0.2 0.1 0.3", "9 is no fraction of the picture"),
    ],
)
def test_a_yolo_line_that_cannot_be_used(tmp_path, line, words):
    found, objects = problems_of(yolo(tmp_path, line, "1 0.2 0.2 0.1 0.1"))
    assert len(found) == 1
    assert found[0].startswith("labels/x.txt:2: ")
    assert words in found[0]
    assert objects == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.1 0.1", "x: the same object again (line 1)"),
        ("0 0.0 0.5 0.5 0.1", "the box reaches beyond the picture; it is cut"),
        ("0 -0.1 0.1 0.5 0.1 0.5 0.5", "the segment reaches beyond the picture; it is cut"),
        ("0 0.100 0.1 0.101 0.1 0.101 0.102", "the segment covers no pixel's centre; its box"),
    ],
)
def test_a_yolo_line_that_is_odd_and_used(tmp_path, line, words):
    found, objects = problems_of(yolo(tmp_path, line))
    assert len(found) == 1
    assert found[0].startswith("labels/x.txt:2: ")
    assert words in found[0]
    assert objects == 2


def test_a_box_cut_by_rounding_is_no_problem(tmp_path):
    assert problems_of(yolo(tmp_path, "0 0.500003 0.5 1.0 1.0")) == ([], 2)


def test_yolo_labels_without_a_picture_and_files_that_are_none(tmp_path):
    source = yolo(tmp_path)
    (tmp_path / "labels/z.txt").write_bytes(b"\x00\x01")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/w.png").write_bytes(b"\x89PNG nothing")
    Image.new("L", SIZE).save(tmp_path / "images/x.png")
    found: list[Problem] = []
    result = survey(source, ReadOptions(), found.append)
    words = [str(problem).replace(f"{tmp_path}/", "") for problem in found]
    assert words == [
        "labels/w.txt: its picture images/w.png cannot be read: not a picture",
        "labels/z.txt: there is no picture of that name, so its size is unknown (images)",
    ]
    assert result.objects == 1


def coco(tmp_path: Path, *annotations: object, **more: object) -> Path:
    good = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20]}
    whole = {
        "images": [{"id": 7, "file_name": "x.jpg", "width": 100, "height": 50}],
        "categories": [{"id": 3, "name": "a"}, {"id": 5, "name": "b"}],
        **more,
    }
    head = json.dumps(whole)[:-1]
    lines = ",\n".join(json.dumps(item) for item in (good, *annotations))
    path = tmp_path / "x.json"
    path.write_text(f'{head},\n"annotations":[{lines}\n]}}')
    return path


def annotation(**more: object) -> dict[str, object]:
    return {"id": 2, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 10], **more}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (annotation(category_id=4), "annotation 2: category 4 is not listed"),
        (annotation(category_id="a"), "category_id is 'a', not a number"),
        (annotation(image_id=8), "annotation 2 is of no picture listed"),
        (annotation(image_id=None), "the image's id is None, neither a number nor a text"),
        (annotation(bbox=[1, 2, 3]), "bbox is list, not a list of 4 numbers"),
        (annotation(bbox=[1, 2, 0, 3]), "the box has no size: 1, 2, 1, 5"),
        (annotation(bbox=[200, 2, 5, 3]), "the box lies off the picture of 100x50"),
        (annotation(bbox=[1, 2, float("nan"), 3]), "bbox is nan, not a finite number"),
        (annotation(bbox=[1, 2, 10**400, 3]), "not a finite number"),
        (annotation(bbox=[True, 2, 1, 3]), "bbox is True, not a number"),
        (annotation(bbox=None), "has neither bbox nor segmentation"),
        (annotation(segmentation=[[1, 2, 3, 4]]), "a polygon has 4 numbers, not 6 or more"),
        (annotation(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "a polygon has 7 numbers"),
        (annotation(segmentation=[["x"] * 6]), "a polygon is 'x', not a number"),
        (annotation(segmentation=[[1, 2, 3, 4, 5, 1e9]]), "a polygon lies off the picture"),
        (annotation(segmentation="x"), "segmentation is 'x', neither polygons nor run lengths"),
        (annotation(segmentation={"size": [50, 100]}), "counts is None, neither a text nor a"),
        (
            annotation(segmentation={"size": [100, 50], "counts": []}),
            "the run lengths are of 50x100, the picture is 100x50",
        ),
        (
            annotation(segmentation={"size": [50, 100], "counts": [1, 2]}),
            "the run lengths cover 3 pixels, not 100x50",
        ),
        (
            annotation(segmentation={"size": [50, 100], "counts": [-1, 5001]}),
            "counts is -1, not a whole number",
        ),
        (
            annotation(segmentation={"size": [50, 100], "counts": "zz\u00e9"}),
            "the run lengths are damaged",
        ),
        (annotation(segmentation={"size": [50, 100], "counts": "11"}), "run lengths are damaged"),
        (annotation(iscrowd=2), "iscrowd is 2, not a whole number from 0 to 1"),
        (annotation(score=-1), "score is -1, not from 0 to 1"),
        (annotation(track_id=-3), "track_id is -3, not a whole number"),
        ([1], "an annotation is list, not an object {…}"),
    ],
)
def test_a_coco_annotation_that_cannot_be_used(tmp_path, item, words):
    found, objects = problems_of(coco(tmp_path, item, annotation(id=3)))
    assert len(found) == 1
    assert found[0].startswith("x.json:3: ")
    assert words in found[0]
    assert objects == 2


def test_coco_annotations_that_are_odd_and_used(tmp_path):
    found, objects = problems_of(
        coco(
            tmp_path,
            annotation(id=1),
            annotation(id=3, segmentation=[[500, 500, 600, 500, 600, 600]], bbox=[5, 5, 9, 9]),
            annotation(id=4, bbox=[90, 5, 90, 9]),
            annotation(id=5),
        )
    )
    assert found == [
        "x.json:3: annotation 1 is there twice",
        "x.json:4: annotation 3: the segmentation covers no pixel; the box is kept",
        "x.json:5: annotation 4: the box reaches beyond the picture; it is cut",
        "x.json:6: x.jpg: the same object again (line 3)",
    ]
    assert objects == 5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"images": [{"id": 7}]}, "x.json:1: file_name is None, not a text"),
        ({"images": [{"id": 7, "file_name": ".."}]}, "file_name '..' names no file"),
        ({"images": [{"id": 7, "file_name": "a\ud800"}]}, r"file_name is 'a\ud800', not a text"),
        (
            {"images": [{"id": 7, "file_name": "x.jpg", "width": 0, "height": 5}]},
            "width is 0, not a whole number from 1",
        ),
        (
            {"images": [{"id": 7, "file_name": "x.jpg", "width": 10**8, "height": 10**8}]},
            "a picture of 100000000x100000000 is too large",
        ),
        ({"images": [7]}, "an image is 7, not an object {…}"),
        ({"categories": [{"id": 3}]}, "the category's name is None, not a text"),
        (
            {"categories": [{"id": 3, "name": "a"}, {"id": 3, "name": "b"}]},
            "category 3 is there twice",
        ),
    ],
)
def test_coco_images_and_categories_that_cannot_be_used(tmp_path, more, words):
    found, _ = problems_of(coco(tmp_path, **more))
    assert any(words in problem for problem in found)
    assert all(problem.startswith("x.json:") for problem in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: is empty, where an object {…} was expected"),
        ("[1, 2]", ":1: is a list, where an object {…} was expected"),
        ("hello", ":1: is no JSON, where an object {…} was expected"),
        ('{"images": [],\n\n "annotations": [{"a": }]}', ":3: is no JSON: Expecting value"),
        ('{"info": [{"id": 1}\n', ":2: is no JSON: ',' was expected, not the end of the file"),
        ('{"images": [{"id": 1', ":1: is no JSON: Expecting ',' delimiter"),
        ('{"images": []} {}', ":1: there is something behind the end"),
        ('{"images": [] "annotations": []}', ":1: is no JSON: ',' was expected, not '\"'"),
        ('{"annotations": []}', ": lists no images"),
        ('{"a": ' + "[" * 200_000, ":1: is nested too deeply"),
        ('{"images": [' + "9" * 5000 + "]}", ":1: a number has thousands of digits"),
        ('{"images": ["' + "x" * 100, ":1: is no JSON: Unterminated string"),
        ('{"annotations": [tru', ":1: is no JSON: Expecting value"),
    ],
)
def test_a_file_that_is_no_coco_json(tmp_path, text, words):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(LabelError) as caught:
        open_labels(path, Problems())
    assert str(path) + words in str(caught.value)
    found, objects = problems_of(path)
    assert len(found) == 1
    assert objects == 0


def jsonl(tmp_path: Path, *items: object, **more: object) -> Path:
    head = {"frame": 0, "width": 100, "height": 50, **more}
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({**head, "objects": list(items)}) + "\n")
    return path


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"class_id": 0}, "box is None, not a list of 4 numbers"),
        ({"class_id": 70000, "box": [1, 2, 3, 4]}, "class_id is 70000, not a whole number"),
        ({"box": [1, 2, 3, 4]}, "class is None, not a text"),
        ({"class_id": 0, "class": "b", "box": [1, 2, 3, 4]}, "class 0 is 'b' here and 'a' elsewh"),
        ({"class_id": 0, "box": [4, 2, 3, 4]}, "the box has no size: 4, 2, 3, 4"),
        ({"class_id": 0, "box": [1, 2, 3, 4], "mask": 5}, "mask is 5, not an object"),
        (
            {"class_id": 0, "mask": {"box": [0, 0, 200, 2], "size": [2, 200], "rle": "1"}},
            "does not lie in the picture",
        ),
        (
            {"class_id": 0, "mask": {"box": [0, 0, 2, 2], "size": [2, 3], "rle": "1"}},
            "the mask's size is not that of its box",
        ),
        (
            {"class_id": 0, "mask": {"box": [0, 0, 2, 2], "size": [2, 2], "rle": "xyz"}},
            "the run lengths are damaged",
        ),
        (7, "it is 7, not an object"),
    ],
)
def test_a_jsonl_object_that_cannot_be_used(tmp_path, item, words):
    good = {"class_id": 0, "class": "a", "box": [1, 2, 3, 4]}
    found, objects = problems_of(jsonl(tmp_path, good, item))
    assert len(found) == 1
    assert found[0].startswith("x.jsonl:1: object 2: ")
    assert words in found[0]
    assert objects == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "x.jsonl:2: is no JSON: "),
        ("7", "x.jsonl:2: the line is 7, not an object"),
        ("[" * 100_000, "x.jsonl:2: is nested too deeply"),
        ('{"width": 5, "height": 5}', "x.jsonl:2: objects is None, not a list"),
        ('{"height": 5, "objects": []}', "x.jsonl:2: width is None, not a number"),
        ('{"width": 5, "height": 5, "frame": -1, "objects": []}', "x.jsonl:2: frame is -1, not a"),
        ('{"width":5,"height":5,"path":"/","objects":[]}', "x.jsonl:2: path '/' names no file"),
        ("\udcff", "x.jsonl:2: is no JSON"),
    ],
)
def test_a_jsonl_line_that_cannot_be_used(tmp_path, line, words):
    path = jsonl(tmp_path)
    with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(line + "\n")
    found, _ = problems_of(path)
    assert len(found) == 1
    assert words in found[0]


def masks(tmp_path: Path) -> Path:
    writer = create_labels(tmp_path / "m", Classes(NAMES), WriteOptions("masks"))
    for picture in difficult_pictures()[:2]:
        writer.add(picture)
    return Path(writer.finish(Classes(NAMES)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "no.png"}, "instances.jsonl:3: there is no masks/no.png"),
        ({"id": 0}, "instances.jsonl:3: id is 0, not a whole number from 1 to 65535"),
        ({"id": 1}, "instances.jsonl:3: id 1 is used twice in its picture"),
        ({"id": 255}, "id 255 is used twice in its picture, or means what is ignored"),
        ({"id": 9}, "instances.jsonl:3: no pixel of the mask is 9; its box is kept"),
        ({"id": 9, "bbox": [1, 2]}, "bbox is list, not a list of 4 numbers"),
        ({"id": 9, "class_id": 1, "cls": "lorry"}, "class 1 is 'lorry' here and 'traffic light'"),
    ],
)
def test_an_instance_that_cannot_be_used(tmp_path, change, words):
    folder = masks(tmp_path)
    lines = (folder / "instances.jsonl").read_text().splitlines()
    lines.append(json.dumps({**json.loads(lines[0]), **change}))
    (folder / "instances.jsonl").write_text("\n".join(lines))
    found, _ = problems_of(folder)
    assert any(words in problem for problem in found)


def test_masks_that_cannot_be_read(tmp_path):
    folder = masks(tmp_path)
    first, second = sorted((folder / "masks").iterdir())
    first.write_bytes(first.read_bytes()[:60])
    Image.new("RGB", (5, 5)).save(second)
    found, _ = problems_of(folder)
    assert found == [
        "masks/0000.png: cannot be read: not a whole picture",
        "masks/0001.png: is a picture of mode RGB, not of one channel",
    ]


def test_a_value_without_a_line_is_told(tmp_path):
    folder = masks(tmp_path)
    values = np.zeros((13, 16), np.uint8)
    values[0, :3] = 1, 200, 255
    Image.fromarray(values).save(folder / "masks/0000.png")
    found, _ = problems_of(folder)
    assert found == ["instances.jsonl: masks/0000.png has values without a line: 200"]


def test_class_masks_beyond_the_names_are_problems(tmp_path):
    values = np.zeros((13, 16), np.uint8)
    values[0, :3] = 1, 3, 255
    Image.fromarray(values).save(tmp_path / "x.png")
    (tmp_path / "names.txt").write_text("a\nb\n")
    found, objects = problems_of(tmp_path)
    assert found == ["x.png: value 3 is beyond the 2 names"]
    assert objects == 1


def test_a_picture_of_another_size_is_a_problem(tmp_path):
    path = coco(tmp_path)
    (tmp_path / "images").mkdir()
    Image.new("L", (50, 100)).save(tmp_path / "images/x.jpg")
    found, _ = problems_of(path)
    assert found == ["x.json:1: x.jpg is 50x100, not 100x50 as it says here"]


def test_without_a_taker_the_first_bad_label_is_raised(tmp_path):
    reader = open_labels(coco(tmp_path, annotation(category_id=4)), Problems())
    with pytest.raises(LabelError) as caught:
        list(reader.pictures())
    assert caught.value.line == 3
    assert "x.json:3: annotation 2: category 4 is not listed" in str(caught.value)
    assert "--skip-bad" in str(caught.value)


@pytest.mark.parametrize("format_", ["yolo", "coco", "masks", "class-masks", "jsonl"])
def test_a_place_that_is_not_there_is_one_error(tmp_path, format_):
    with pytest.raises(LabelError, match="does not exist"):
        open_labels(tmp_path / "no", Problems(), ReadOptions(format_))
