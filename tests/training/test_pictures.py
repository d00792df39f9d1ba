"""Training pictures are read alike from id maps and from COCO JSON."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.mixture import read_mixture
from training.pictures import UNKNOWN, id_map, is_dev, read_folder

# pycocotools is older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BIG = [10, 10, 60, 10, 60, 50, 10, 50]
SMALL = [20, 20, 32, 20, 32, 34, 20, 34]


def write_picture(folder: Path, name: str = "a.jpg") -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images" / name), np.full((80, 100, 3), 90, np.uint8))


def write_id_maps(folder: Path, licence: int | None = None, name: str = "a.jpg") -> None:
    write_picture(folder, name)
    (folder / "masks").mkdir(exist_ok=True)
    ids = np.zeros((80, 100), np.uint8)
    ids[10:50, 10:60] = 1
    ids[20:34, 20:32] = 2
    ids[70:74, 0:3] = 3
    ids[60:, 80:] = UNKNOWN
    cv2.imwrite(str(folder / "masks" / f"{Path(name).stem}.png"), ids)
    extra = {} if licence is None else {"flickr_licence": licence}
    records = [{"image": name, "id": k} | extra for k in (1, 2, 3)]
    with (folder / "instances.jsonl").open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def write_coco(folder: Path) -> None:
    write_picture(folder)
    crowd = np.zeros((80, 100), np.uint8)
    crowd[60:, 80:] = 1
    column_major = crowd.T.ravel()
    changes = np.flatnonzero(np.diff(column_major)) + 1
    counts = np.diff([0, *changes.tolist(), column_major.size]).tolist()
    annotations = [
        {"image_id": 7, "segmentation": [SMALL], "iscrowd": 0},
        {"image_id": 7, "segmentation": [BIG], "iscrowd": 0},
        {"image_id": 7, "segmentation": {"size": [80, 100], "counts": counts}, "iscrowd": 1},
    ]
    image = {"id": 7, "file_name": "a.jpg", "height": 80, "width": 100, "license": 4}
    text = json.dumps({"images": [image], "annotations": annotations})
    (folder / "instances_train.json").write_text(text)


def test_objects_of_an_id_map(tmp_path: Path) -> None:
    write_id_maps(tmp_path)
    big, small = read_folder(tmp_path)  # the third has too few pixels
    assert big.box_px.tolist() == [10, 10, 60, 50]
    assert small.box_px.tolist() == [20, 20, 32, 34]
    assert small.short_side_px == 12
    assert big.picture is small.picture
    levels = big.picture.levels
    assert [level.shape for level in levels] == [(80, 100, 3), (40, 50, 3)]


def test_coco_gives_what_the_id_map_gives(tmp_path: Path) -> None:
    write_id_maps(tmp_path / "maps")
    write_coco(tmp_path / "coco")
    from_coco, from_maps = read_folder(tmp_path / "coco"), read_folder(tmp_path / "maps")
    assert [e.box_px.tolist() for e in from_coco] == [e.box_px.tolist() for e in from_maps]
    a, b = from_coco[0].picture.ids, from_maps[0].picture.ids
    b = np.where(b == 3, 0, b)
    np.testing.assert_array_equal(a, b)


def test_more_objects_than_an_id_map_holds_are_left_out() -> None:
    square = {"segmentation": [[2, 2, 9, 2, 9, 9, 2, 9]], "iscrowd": 0}
    assert id_map([square] * 300, 12, 12).max() == 254


@pytest.mark.parametrize(("licence", "kept"), [(4, 2), (5, 2), (1, 0), (3, 0), (None, 0)])
def test_only_what_may_be_used_commercially(tmp_path: Path, licence: int | None, kept: int) -> None:
    write_id_maps(tmp_path, licence)
    assert len(read_folder(tmp_path, commercial_only=True)) == kept
    assert len(read_folder(tmp_path)) == 2


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither instances\.jsonl nor"):
        read_folder(tmp_path)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    write_id_maps(tmp_path)
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), np.zeros((10, 10), np.uint8))
    with pytest.raises(ValueError, match=r"a\.jpg"):
        read_folder(tmp_path)


def test_the_tuning_split_is_a_tenth_and_never_trained_on(tmp_path: Path) -> None:
    names = [f"{number:012d}.jpg" for number in range(2000)]
    assert 0.08 < np.mean([is_dev(name) for name in names]) < 0.12
    folder = tmp_path / "train_coco_mixed"
    for name in names[:40]:
        write_id_maps(folder, name=name)
    mixture = read_mixture(tmp_path)
    trained = {example.picture.name for example in mixture.examples}
    kept = {example.picture.name for example in mixture.dev}
    assert kept == {name for name in names[:40] if is_dev(name)}
    assert kept
    assert not trained & kept


def test_folders_have_their_shares(tmp_path: Path) -> None:
    write_id_maps(tmp_path / "train_animals7")
    for name in "abcdef":
        write_id_maps(tmp_path / "train_ccp_person", name=f"{name}.jpg")
    mixture = read_mixture(tmp_path)
    assert mixture.chances.sum() == pytest.approx(1)
    assert mixture.chances[:2].sum() == pytest.approx(15 / 27)
