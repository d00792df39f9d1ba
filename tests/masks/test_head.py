"""Promises of edgeseg.masks.head: the network is fed and read by the rule it was trained with."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeseg import _native
from edgeseg.masks.head import CROP_PX, MaskHead, grown, meta, visible
from edgeseg.types import Frame

sys.path.insert(0, str(Path(__file__).parents[2]))
crop = pytest.importorskip("training.crop", reason="the crop rule of training needs cv2")


@pytest.fixture(scope="module")
def head():
    loaded = MaskHead(threads=1)
    yield loaded
    loaded.close()


def picture(data_dir: Path, name: str = "dog.jpg") -> np.ndarray:
    with Image.open(data_dir / "images" / name) as opened:
        return np.ascontiguousarray(np.asarray(opened.convert("RGB"))[:, :, ::-1])


BOXES = np.array(
    [
        [128, 224, 315, 540],  # the dog
        [470, 80, 690, 170],  # the car
        [-40, 300, 200, 700],  # reaches out of the picture
        [300, 200, 312, 214],  # small
    ],
    np.float32,
)


@pytest.mark.parametrize("scale", [1.0, 0.3, 2.5])
def test_crops_are_those_of_training(scale):
    image = np.random.default_rng(3).integers(0, 256, (210, 330, 3), np.uint8)
    boxes = np.array([[20, 30, 120, 150], [-30, 100, 90, 260], [200, 10, 203, 20]], np.float32)
    boxes = boxes * np.float32(scale)
    got = np.empty((len(boxes), 3, CROP_PX, CROP_PX), np.float32)
    _native.crop_resize(image, grown(boxes, crop.MARGIN), got)
    for one, box in zip(got, boxes.astype(np.float64), strict=True):
        expected = crop.crop_of(image[:, :, ::-1], box).transpose(2, 0, 1)
        np.testing.assert_allclose(one, expected, atol=2e-3)
    expected = np.stack([crop.meta_of(box) for box in boxes.astype(np.float64)])
    np.testing.assert_allclose(meta(boxes), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.needs_data
def test_masks_are_those_that_the_evaluation_measures(data_dir, head):
    image = picture(data_dir)
    height, width = image.shape[:2]
    masks = head.look(Frame(image), BOXES)
    ours = masks.dense()
    for row, box in enumerate(BOXES.astype(np.float64)):
        crops = crop.crop_of(image[:, :, ::-1], box).transpose(2, 0, 1)[None]
        feed = {"crops": np.ascontiguousarray(crops), "meta": crop.meta_of(box)[None]}
        logits = head._session.run(None, feed)[0][0, 0]
        region, mask = crop.paste(logits, box, (width, height), 0.1)
        left, top, right, bottom = (int(edge) for edge in region)
        theirs = np.zeros((height, width), np.bool_)
        theirs[top:bottom, left:right] = mask
        both = np.count_nonzero(ours[row] & theirs)
        either = np.count_nonzero(ours[row] | theirs)
        assert both >= 0.97 * either, f"box {row}"


@pytest.mark.needs_data
def test_the_dog_is_found_and_its_surroundings_are_not(data_dir, head):
    masks = head.look(Frame(picture(data_dir)), BOXES[:1])
    (mask,) = masks.dense()
    assert mask[300, 210], "its chest"
    assert not mask[250, 150], "what lies in the corner of its box"
    assert 0.3 < mask.sum() / ((315 - 128) * (540 - 224)) < 0.9


def test_boxes_that_show_nothing_get_no_mask(head):
    frame = Frame(np.zeros((50, 60, 3), np.uint8))
    boxes = np.array(
        [[5, 5, 5, 20], [70, 5, 90, 20], [np.nan, 0, 10, 10], [20, 20, 10, 30], [5, 5, 20, 20]],
        np.float32,
    )
    assert visible(boxes, frame.size_px).tolist() == [False, False, False, False, True]
    masks = head.look(frame, boxes)
    assert [grid.size for grid in masks.grids] == [0, 0, 0, 0, 64 * 64]


def test_no_boxes_no_masks(head):
    masks = head.look(Frame(np.zeros((50, 60, 3), np.uint8)), np.zeros((0, 4), np.float32))
    assert len(masks) == 0


def test_many_boxes_give_what_each_gives_alone(head):
    image = np.random.default_rng(5).integers(0, 256, (120, 160, 3), np.uint8)
    corners = np.random.default_rng(6).uniform(0, 100, (19, 2))
    boxes = np.concatenate([corners, corners + 30], axis=1).astype(np.float32)
    together = head.look(Frame(image), boxes)
    for row in (0, 7, 8, 18):
        alone = head.look(Frame(image), boxes[row : row + 1])
        difference = together.grids[row].astype(int) - alone.grids[0].astype(int)
        assert np.abs(difference).max() <= 1


def test_mirrored_masks_of_a_mirrored_picture_are_the_mirrored_masks():
    image = np.random.default_rng(7).integers(0, 256, (120, 160, 3), np.uint8)
    box = np.array([[40, 20, 100, 90]], np.float32)
    opposite = np.array([[60, 20, 120, 90]], np.float32)
    head = MaskHead(threads=1, mirrored=True)
    try:
        plain = head.look(Frame(image), box).grids[0]
        other = head.look(Frame(np.ascontiguousarray(image[:, ::-1])), opposite).grids[0]
    finally:
        head.close()
    assert np.abs(plain.astype(int) - other[:, ::-1].astype(int)).max() <= 1
