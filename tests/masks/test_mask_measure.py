"""The measure of masks counts what it says it counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from eval_masks import tightened
from mask_sets import (
    Picture,
    box_iou,
    filled,
    grabcut,
    iou_of,
    jittered,
    matched,
    read_id_maps,
)


def box(*edges: float) -> np.ndarray:
    return np.array(edges, float)


@pytest.fixture
def picture() -> Picture:
    ids = np.zeros((60, 80), np.uint8)
    ids[10:30, 10:50] = 1
    ids[40:50, 60:80] = 2
    ids[50:60, 0:10] = 255
    image = np.full((60, 80, 3), 60, np.uint8)
    image[ids == 1] = (40, 40, 220)
    objects = ((1, 0, box(10, 10, 50, 30)), (2, 3, box(60, 40, 80, 50)))
    return Picture("p.png", image, ids, objects)


def test_iou_is_over_the_whole_picture(picture: Picture) -> None:
    whole = np.ones((20, 40), bool)
    assert iou_of(picture, 1, (10, 10, 50, 30), whole) == 1
    assert iou_of(picture, 1, (10, 10, 30, 30), whole[:, :20]) == 0.5
    assert iou_of(picture, 1, (30, 10, 70, 30), whole) == pytest.approx(20 / 60)
    assert iou_of(picture, 1, (0, 50, 10, 60), np.ones((10, 10), bool)) == 0


def test_a_filled_box_may_leave_the_picture(picture: Picture) -> None:
    assert filled(picture, 1, box(10, 10, 50, 30)) == 1
    assert filled(picture, 2, box(60, 40, 90, 50)) == 1
    assert filled(picture, 2, box(-20, 40, 80, 50)) == pytest.approx(0.25)


def test_grabcut_finds_what_stands_out(picture: Picture) -> None:
    assert grabcut(picture, 1, box(8, 8, 52, 32)) > 0.9
    assert 0 <= grabcut(picture, 1, box(0, 0, 80, 60)) <= 1


def test_jitter_stays_within_its_bound() -> None:
    rng = np.random.default_rng(0)
    true = box(100, 50, 300, 150)
    moves = np.array([jittered(true, rng) - true for _ in range(500)])
    assert np.abs(moves / (200, 100, 200, 100)).max() <= 0.08
    assert np.abs(moves.mean(0)).max() < 1.5


def test_each_object_gets_one_box_of_its_class(picture: Picture) -> None:
    near, nearer = box(12, 10, 50, 30), box(10, 10, 50, 30)
    found = [(near, 0), (nearer, 0), (box(60, 40, 80, 50), 0), (box(60, 40, 72, 50), 3)]
    pairs = matched(picture, found)
    assert [number for number, _ in pairs] == [1, 2]
    assert pairs[0][1] is near
    assert matched(picture, [(box(0, 0, 30, 30), 0)]) == []
    assert box_iou(near, nearer) == pytest.approx(0.95)


def test_a_box_is_drawn_towards_its_mask() -> None:
    logits = np.full((64, 64), -1.0, np.float32)
    logits[16:48, 16:48] = 1
    # The crop of this box is 140 pixels wide; the mask fills its middle half.
    assert tightened(box(20, 20, 120, 120), logits) == pytest.approx([30.5, 30.5, 109.5, 109.5])
    empty = np.full((64, 64), -1.0, np.float32)
    assert tightened(box(20, 20, 120, 120), empty).tolist() == [20, 20, 120, 120]


def test_id_maps_are_read(tmp_path: Path, picture: Picture) -> None:
    for name, image in (("images", picture.image), ("masks", picture.ids)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "p.png"), image)
    records = [
        {"image": "p.png", "id": number, "class_id": c, "bbox": [*b[:2], *(b[2:] - b[:2])]}
        for number, c, b in picture.objects
    ]
    (tmp_path / "instances.jsonl").write_text("\n".join(map(json.dumps, records)))
    (read,) = read_id_maps(tmp_path)
    np.testing.assert_array_equal(read.ids, picture.ids)
    assert [(n, c, b.tolist()) for n, c, b in read.objects] == [
        (n, c, b.tolist()) for n, c, b in picture.objects
    ]
