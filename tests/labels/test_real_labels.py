"""Real sets of labels: read without a problem, converted, and back the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeseg.labels.convert import convert
from edgeseg.labels.formats import ReadOptions, WriteOptions, open_labels
from edgeseg.labels.problems import Problem, Problems
from edgeseg.labels.survey import survey
from edgeseg.models.class_names import COCO_NAMES

pytestmark = pytest.mark.needs_data
MASKS = ["coco_val_dev", "coco_subset128", "coco_panoptic_train"]


def read(source: Path, format_: str, **options):
    reader = open_labels(source, Problems(), ReadOptions(format_, **options))
    return {picture.name: picture for picture in reader.pictures()}


@pytest.mark.parametrize("name", MASKS)
def test_real_masks_are_read_as_their_list_says(data_dir, name):
    found: list[Problem] = []
    result = survey(data_dir / "masks" / name, ReadOptions(), found.append)
    lines = [
        json.loads(line)
        for line in (data_dir / "masks" / name / "instances.jsonl").read_text().splitlines()
    ]
    assert (result.format, result.errors) == ("masks", 0)
    assert result.objects == len(lines)
    wanted = Counter(line["cls"] for line in lines)
    assert {name: count for name, count in result.classes.items() if count} == wanted


@pytest.mark.parametrize("options", [
    WriteOptions("coco"),
    WriteOptions("coco", segmentation="polygon"),
    WriteOptions("yolo-seg"),
    WriteOptions("jsonl"),
])  # fmt: skip
def test_real_masks_come_back_pixel_for_pixel(tmp_path, data_dir, options):
    source = data_dir / "masks/coco_val_dev"
    there = tmp_path / {"coco": "x.json", "jsonl": "x.jsonl"}.get(options.format, "x")
    names = COCO_NAMES
    pictures = source / "images"
    back = tmp_path / "back"
    convert(source, there, ReadOptions(names=names), options)
    reading = ReadOptions(options.format, names=names, pictures=pictures)
    done = convert(there, back, reading, WriteOptions("masks"))
    assert (done.pictures, done.objects, done.masks) == (50, 360, 360)
    for picture in sorted((source / "masks").iterdir()):
        ours = np.asarray(Image.open(back / "masks" / picture.name))
        theirs = np.asarray(Image.open(picture))
        # 255 marks crowds, which this set has no lines for.
        np.testing.assert_array_equal(ours, np.where(theirs == 255, 0, theirs))
    old, new = (
        [json.loads(line) for line in (folder / "instances.jsonl").read_text().splitlines()]
        for folder in (source, back)
    )
    for a, b in zip(sorted(old, key=_key), sorted(new, key=_key), strict=True):
        assert (a["class_id"], a["cls"], a["area"]) == (b["class_id"], b["cls"], b["area"])
        np.testing.assert_allclose(a["bbox"], b["bbox"], atol=0.01)


def _key(line: dict) -> tuple[str, int]:
    return line["image"], line["id"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.parametrize("name", ["coco_subset128", "coco_val_dev"])
def test_real_masks_become_coco_that_pycocotools_reads(tmp_path, data_dir, name, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    source = data_dir / "masks" / name
    convert(source, tmp_path / "x.json", ReadOptions(names=COCO_NAMES), WriteOptions())
    convert(
        source,
        tmp_path / "p.json",
        ReadOptions(names=COCO_NAMES),
        WriteOptions(segmentation="polygon"),
    )
    pictures = read(source, "masks")
    sets = [coco.COCO(str(tmp_path / file)) for file in ("x.json", "p.json")]
    for truth in sets:
        assert max(truth.getCatIds()) == 90
        by_name = {image["file_name"]: image["id"] for image in truth.dataset["images"]}
        assert sorted(by_name) == sorted(pictures)
        for file, picture in pictures.items():
            found = truth.loadAnns(truth.getAnnIds(imgIds=[by_name[file]]))
            for item, ours in zip(found, picture.objects, strict=True):
                if ours.mask is None:
                    assert "segmentation" not in item
                    continue
                theirs = truth.annToMask(item).astype(bool)
                np.testing.assert_array_equal(theirs, ours.mask.dense(picture.size_px))


def test_real_yolo_boxes_come_back_to_the_digit(tmp_path, data_dir):
    source = data_dir / "coco_val128"
    convert(source, tmp_path / "x.json", ReadOptions(), WriteOptions())
    pictures = ReadOptions(pictures=source / "images")
    convert(tmp_path / "x.json", tmp_path / "back", pictures, WriteOptions("yolo"))
    paths = sorted((source / "labels").iterdir())
    assert len(paths) == 128
    for path in paths:
        old, new = (
            np.array([line.split() for line in text.read_text().splitlines()], float)
            for text in (path, tmp_path / "back/labels" / path.name)
        )
        np.testing.assert_array_equal(old[:, 0], new[:, 0])
        # Three digits of a pixel in COCO's file, six of the picture in YOLO's.
        np.testing.assert_allclose(old, new, atol=5e-6)


def test_real_yolo_labels_have_no_problem(data_dir):
    found: list[Problem] = []
    result = survey(data_dir / "coco_val128", ReadOptions(), found.append)
    assert (result.format, result.pictures, result.objects) == ("yolo", 128, 898)
    assert [str(problem) for problem in found if problem.serious] == []
    assert result.classes["person"] > 0
