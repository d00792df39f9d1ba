"""Class names and pictures beside labels: where they are looked for, and how they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgeseg.errors import LabelError
from edgeseg.labels.formats import ReadOptions, open_labels
from edgeseg.labels.names import data_yaml, find_names, read_class_names
from edgeseg.labels.pictures import PictureFiles, picture_size_px
from edgeseg.labels.problems import BadLabel, Problems


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [a, 'b c', \"d\"]\nnc: 3\n", ("a", "b c", "d")),
        ("nc: 2\nnames:\n- a\n-   b  # second\n", ("a", "b")),
        ("names:\n  - it''s\n  - 'it''s'\n", ("it''s", "it's")),
        ("names:\n  0: person\n\n  # none\n  2: car\ntrain: x\n", ("person", "1", "car")),
        ("names: {0: a, 1: 'b'}\n", ("a", "b")),
        ("names: [\n  'a',  # one\n  b,\n]\n", ("a", "b")),
        ('names:\n  0: "\\u00e9\\"x"\n', ('é"x',)),
        ("train: names\n", ()),
        ("names: []\n", ()),
        ("names: {}\n", ()),
    ],
)
def test_names_of_a_yaml_file(tmp_path, text, names):
    (tmp_path / "data.yaml").write_text(text)
    assert read_class_names(tmp_path / "data.yaml") == names


@pytest.mark.parametrize(
    ("text", "line"),
    [("names: [a, b\n", 2), ("x: 1\nnames:\n  a\n", 3), ("names:\n  0: a\n  0: b\n", 3)],
)
def test_a_yaml_file_that_is_none_is_one_clear_error(tmp_path, text, line):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(LabelError) as caught:
        read_class_names(tmp_path / "data.yaml")
    assert caught.value.line == line


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1), max_size=5))
def test_the_yaml_written_is_the_yaml_read(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("yaml") / "data.yaml"
    path.write_text(data_yaml(names, pictures=True), encoding="utf-8", newline="\n")
    assert read_class_names(path) == tuple(names)


def test_names_are_found_beside_labels_or_above(tmp_path):
    (tmp_path / "labels").mkdir()
    assert find_names(tmp_path / "labels") == ()
    (tmp_path / "my.names").write_text("a\n")
    assert find_names(tmp_path / "labels") == ("a",)
    (tmp_path / "classes.txt").write_text("b\n")
    assert find_names(tmp_path / "labels") == ("b",)
    (tmp_path / "data.yaml").write_text("names: [c]\n")
    assert find_names(tmp_path / "labels") == ("c",)
    (tmp_path / "own.txt").write_text("d\n")
    assert find_names(tmp_path / "labels", tmp_path / "own.txt") == ("d",)
    with pytest.raises(LabelError, match=r"no.txt: cannot be read"):
        find_names(tmp_path, tmp_path / "no.txt")


LAYOUTS = {
    "images and labels": ("images/x.jpg", "labels/x.txt", "", "x.jpg"),
    "splits inside": ("images/val/x.jpg", "labels/val/x.txt", "", "val/x.jpg"),
    "splits outside": ("val/images/x.jpg", "val/labels/x.txt", "", "val/images/x.jpg"),
    "the labels of a split": ("images/val/x.jpg", "labels/val/x.txt", "labels/val", "x.jpg"),
    "all in one folder": ("x.jpg", "x.txt", "", "x.jpg"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_of_yolo_labels_are_found(tmp_path, layout):
    image, label, source, name = LAYOUTS[layout]
    for path in (tmp_path / image, tmp_path / label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (40, 20)).save(tmp_path / image)
    Image.new("L", (9, 9)).save((tmp_path / image).with_name("background.jpg"))
    (tmp_path / label).write_text("2 0.5 0.5 0.5 0.5\n")
    (tmp_path / "README.txt").write_text("not a label")
    pictures = list(open_labels(tmp_path / source, Problems()).pictures())
    found = {picture.name: picture for picture in pictures}
    assert len(found) == 2
    assert found[name].size_px == (40, 20)
    assert found[name].objects[0].box_px == (10, 5, 30, 15)
    assert found[name].path == tmp_path / image


def test_without_names_classes_are_called_by_number(tmp_path):
    (tmp_path / "x.txt").write_text("2 0.5 0.5 0.5 0.5\n")
    reader = open_labels(tmp_path, Problems(), ReadOptions(size_px=(8, 8)))
    assert len(list(reader.pictures())) == 1
    assert reader.classes.names() == ("0", "1", "2")


def test_sizes_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for ending in ("jpg", "png"):
        path = tmp_path / f"x.{ending}"
        Image.new("L", (40, 20)).save(path, exif=exif)
        assert picture_size_px(path) == (20, 40)
    Image.new("L", (40, 20)).save(tmp_path / "y.png")
    assert picture_size_px(tmp_path / "y.png") == (40, 20)


def test_a_picture_that_is_none_is_a_bad_label(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no")
    with pytest.raises(BadLabel, match="cannot be read: not a picture"):
        PictureFiles(tmp_path).size("x.jpg")
    with pytest.raises(BadLabel, match="no picture of that name"):
        PictureFiles(tmp_path).size("y.jpg")
    with pytest.raises(BadLabel, match="no folder of pictures was found"):
        PictureFiles(None).size("y.jpg")
    assert PictureFiles(Path(tmp_path), (3, 4)).size("y.jpg") == (3, 4)
