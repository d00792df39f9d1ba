"""`edgeseg labels`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from label_shapes import NAMES, difficult_pictures
from PIL import Image

from edgeseg.cli import call
from edgeseg.labels.formats import WriteOptions, create_labels
from edgeseg.labels.types import Classes, LabelObject, LabelPicture

COCO = {
    "images": [
        {"id": 1, "file_name": "val/a.jpg", "width": 40, "height": 30},
        {"id": 2, "file_name": "b.jpg", "width": 40, "height": 30},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 17, "bbox": [1, 2, 10, 20], "iscrowd": 0},
        {
            "id": 2,
            "image_id": 1,
            "category_id": 3,
            "bbox": [4, 4, 8, 8],
            "segmentation": [[4, 4, 12, 4, 12, 12, 4, 12]],
        },
    ],
    "categories": [{"id": 17, "name": "cat"}, {"id": 3, "name": "car"}],
}


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    path = tmp_path / "in.json"
    path.write_text(json.dumps(COCO))
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_convert_tells_what_it_did_and_makes_a_whole_folder(tmp_path, coco, capsys):
    assert call(["labels", "convert", str(coco), f"{tmp_path}/out", "--to", "yolo-seg"]) == 0
    assert capsys.readouterr().out == (
        f"{tmp_path}/out: 2 objects (1 with masks) of 2 classes in 2 pictures\n"
    )
    assert names_in(tmp_path / "out") == ["data.yaml", "labels/b.txt", "labels/val/a.txt"]
    assert (tmp_path / "out/labels/b.txt").read_text() == ""
    # Classes follow the numbers of the categories: car is 3, cat is 17.
    lines = (tmp_path / "out/labels/val/a.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["1", "0"]
    assert lines[0] == ("1 0.025000 0.066667 0.275000 0.066667 0.275000 0.733333 0.025000 0.733333")
    assert '  0: "car"\n  1: "cat"\n' in (tmp_path / "out/data.yaml").read_text()
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name] == []


def test_names_put_classes_into_an_order_of_their_own(tmp_path, coco, capsys):
    (tmp_path / "my.names").write_text("Cat\nlorry\ncar\n")
    command = ["labels", "convert", str(coco), f"{tmp_path}/out.jsonl"]
    assert call([*command, "--names", f"{tmp_path}/my.names"]) == 0
    line = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert [(item["class_id"], item["class"]) for item in line["objects"]] == [
        (0, "Cat"),
        (2, "car"),
    ]
    (tmp_path / "my.names").write_text("lorry\ncar\n")
    assert call([*command, "--names", f"{tmp_path}/my.names"]) == 4
    assert "in.json:1: annotation 1: category 'cat' is none of the names given" in (
        capsys.readouterr().err
    )


def test_categories_keep_their_numbers_from_coco_to_coco(tmp_path, coco):
    assert call(["labels", "convert", str(coco), f"{tmp_path}/out.json"]) == 0
    out = json.loads((tmp_path / "out.json").read_text())
    assert [item["category_id"] for item in out["annotations"]] == [17, 3]
    assert sorted((item["id"], item["name"]) for item in out["categories"]) == [
        (3, "car"),
        (17, "cat"),
    ]


def test_darknets_names_of_cocos_classes_are_understood(tmp_path, capsys):
    found = {**COCO, "categories": [{"id": 17, "name": "tv"}, {"id": 3, "name": "airplane"}]}
    (tmp_path / "in.json").write_text(json.dumps(found))
    (tmp_path / "n.names").write_text("person\naeroplane\ntvmonitor\n")
    command = ["labels", "convert", f"{tmp_path}/in.json", f"{tmp_path}/o.jsonl"]
    assert call([*command, "--names", f"{tmp_path}/n.names"]) == 0
    line = json.loads((tmp_path / "o.jsonl").read_text().splitlines()[0])
    assert [item["class"] for item in line["objects"]] == ["tvmonitor", "aeroplane"]


def test_copied_pictures_lie_beside_their_labels(tmp_path, coco):
    images = tmp_path / "pics"
    (images / "val").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(images / "val/a.jpg")
    command = ["labels", "convert", str(coco), f"{tmp_path}/out", "--to", "masks", "--copy"]
    assert call([*command, "--pictures", str(images)]) == 4  # b.jpg is missing
    assert not (tmp_path / "out").exists()
    Image.fromarray(pixels).save(images / "b.jpg")
    assert call([*command, "--pictures", str(images)]) == 0
    assert names_in(tmp_path / "out") == [
        "images/b.jpg",
        "images/val/a.jpg",
        "instances.jsonl",
        "masks/b.png",
        "masks/val/a.png",
        "names.txt",
    ]
    assert (tmp_path / "out/images/b.jpg").read_bytes() == (images / "b.jpg").read_bytes()


def test_a_bad_label_ends_a_conversion_and_leaves_nothing(tmp_path, coco, capsys):
    bad = json.loads(coco.read_text())
    bad["annotations"][1]["bbox"] = [4, 4, 0, 8]
    coco.write_text(json.dumps(bad))
    for target in ("out.json", "out", "out.jsonl"):
        command = ["labels", "convert", str(coco), f"{tmp_path}/{target}"]
        to = [] if "." in target else ["--to", "yolo"]
        assert call([*command, *to]) == 4
        error = capsys.readouterr().err
        assert f"edgeseg: {coco}:1: annotation 2: the box has no size: 4, 4, 4, 12\n" in error
        assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


def test_bad_labels_are_left_out_when_asked(tmp_path, coco, capsys, caplog):
    bad = json.loads(coco.read_text())
    bad["annotations"] += [{**bad["annotations"][0], "bbox": [0, 0, 0, n]} for n in range(15)]
    coco.write_text(json.dumps(bad))
    assert call(["labels", "convert", str(coco), f"{tmp_path}/o.jsonl", "--skip-bad"]) == 0
    assert "2 objects (1 with masks)" in (out := capsys.readouterr().out)
    assert "; 15 left out\n" in out
    assert len([r for r in caplog.records if "left out" in r.message]) == 10


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path, coco, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("x")
    assert call(["labels", "convert", str(coco), f"{tmp_path}/out", "--to", "yolo"]) == 5
    assert "out exists" in capsys.readouterr().err
    assert names_in(tmp_path / "out") == ["mine.txt"]


def test_an_older_file_is_replaced_only_by_a_whole_one(tmp_path, coco):
    (tmp_path / "o.jsonl").write_text("old")
    assert call(["labels", "convert", str(coco), f"{tmp_path}/o.jsonl"]) == 0
    assert (tmp_path / "o.jsonl").read_text() != "old"


def test_the_source_is_never_the_target(tmp_path, coco, capsys):
    before = coco.read_text()
    assert call(["labels", "convert", str(coco), str(coco)]) == 5
    assert "is the source itself" in capsys.readouterr().err
    assert coco.read_text() == before


def test_two_pictures_of_one_stem_are_refused(tmp_path, capsys):
    pictures = [LabelPicture(name, (8, 8)) for name in ("a.jpg", "a.png")]
    writer = create_labels(tmp_path / "x.json", Classes(NAMES), WriteOptions())
    for picture in pictures:
        writer.add(picture)
    writer.finish(Classes(NAMES))
    assert call(["labels", "convert", f"{tmp_path}/x.json", f"{tmp_path}/o", "--to", "yolo"]) == 4
    assert "a.png and a.jpg would have one file of labels" in capsys.readouterr().err


def test_formats_are_guessed_or_asked_for(tmp_path, coco, capsys):
    assert call(["labels", "convert", str(coco), f"{tmp_path}/out"]) == 2
    error = capsys.readouterr().err
    for kind in ("yolo", "yolo-seg", "coco", "masks", "class-masks", "jsonl"):
        assert kind in error
    (tmp_path / "empty").mkdir()
    assert call(["labels", "info", f"{tmp_path}/empty"]) == 2
    assert call(["labels", "info", f"{tmp_path}/no"]) == 4
    assert call(["labels", "info", str(coco), "--from", "yolo"]) == 4
    assert call(["labels", "info", str(coco), "--from", "voc"]) == 2


@pytest.mark.parametrize("kind", ["yolo", "yolo-seg", "masks", "class-masks", "coco", "jsonl"])
def test_what_is_written_is_recognized(tmp_path, kind, capsys):
    target = tmp_path / f"x{ {'coco': '.json', 'jsonl': '.jsonl'}.get(kind, '') }"
    writer = create_labels(target, Classes(NAMES), WriteOptions(kind))
    for picture in difficult_pictures():
        writer.add(picture)
    writer.finish(Classes(NAMES))
    assert call(["labels", "info", str(target), "--size", "16x13", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["errors"]) == (kind, 0)
    assert list(found["classes"]) == list(NAMES)


def test_info_counts(tmp_path, coco, capsys):
    assert call(["labels", "info", str(coco)]) == 0
    assert capsys.readouterr().out == (
        "format    coco\n"
        "pictures  2, 40x30; 1 without objects\n"
        "objects   2: 2 small, 1 with masks\n"
        "problems  0 errors, 0 warnings\n"
        "classes   2, 2 with objects\n"
        "         1  car\n"
        "         1  cat\n"
    )


def test_check_lists_problems_and_ends_with_four(tmp_path, coco, capsys):
    assert call(["labels", "check", str(coco)]) == 0
    assert capsys.readouterr().out == "2 objects in 2 pictures: 0 errors, 0 warnings\n"
    bad = json.loads(coco.read_text())
    bad["annotations"][0]["category_id"] = 99
    bad["annotations"].append({**bad["annotations"][1], "id": 3})
    coco.write_text(json.dumps(bad))
    assert call(["labels", "check", str(coco)]) == 4
    assert capsys.readouterr().out == (
        f"{coco}:1: annotation 1: category 99 is not listed\n"
        f"{coco}:1: val/a.jpg: the same object again (warning)\n"
        "2 objects in 2 pictures: 1 error, 1 warning\n"
    )


def test_a_full_disk_leaves_no_half_folder(tmp_path, monkeypatch, coco, capsys):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert call(["labels", "convert", str(coco), f"{tmp_path}/out", "--to", "yolo"]) == 5
    assert "no room to write" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


def test_tolerance_is_checked(tmp_path, coco):
    for value in ("-1", "nan", "1000"):
        assert (
            call(["labels", "convert", str(coco), f"{tmp_path}/o.json", "--tolerance", value]) == 2
        )


def test_sixteen_bits_hold_what_eight_do_not(tmp_path):
    objects = tuple(
        LabelObject(0, (float(n % 20), float(n // 20), n % 20 + 1.0, n // 20 + 1.0))
        for n in range(300)
    )
    from edgeseg.labels.rings import mask_of

    masked = tuple(
        LabelObject(
            item.class_id,
            item.box_px,
            mask_of(
                [
                    np.array(
                        [
                            (item.box_px[0], item.box_px[1]),
                            (item.box_px[2], item.box_px[1]),
                            (item.box_px[2], item.box_px[3]),
                            (item.box_px[0], item.box_px[3]),
                        ],
                        np.float32,
                    )
                ],
                (20, 15),
            ),
        )
        for item in objects
    )
    writer = create_labels(tmp_path / "m", Classes(["a"]), WriteOptions("masks"))
    writer.add(LabelPicture("a.png", (20, 15), masked))
    writer.finish(Classes(["a"]))
    with Image.open(tmp_path / "m/masks/a.png") as picture:
        values = np.asarray(picture)
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, np.arange(1, 301).reshape(15, 20))
    from edgeseg.labels.formats import open_labels
    from edgeseg.labels.problems import Problems

    (back,) = open_labels(tmp_path / "m", Problems()).pictures()
    assert back.objects == masked
