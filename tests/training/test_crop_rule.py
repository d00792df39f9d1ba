"""The crop rule does what its docstring says, and its way back finds the mask again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.crop import CROP_PX, GREY, LOGITS_PX, MARGIN, crop_of, grown, meta_of, paste

EDGES = st.floats(-40, 60, allow_nan=False)
SIDES = st.floats(1, 300, allow_nan=False)


def axis_mean(line: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Mean of a line of pixels over an interval, grey outside, by its integral."""
    ends = np.arange(len(line) + 1)
    total = np.concatenate([np.zeros((1, *line.shape[1:])), np.cumsum(line - GREY, axis=0)])
    flat = total.reshape(len(total), -1)
    at = np.stack([[np.interp(x, ends, column) for column in flat.T] for x in (low, high)])
    return ((at[1] - at[0]) / (high - low)).reshape(line.shape[1:]) + GREY


def crop_pixel(image: NDArray[np.uint8], box: NDArray[np.float64], x: int, y: int) -> object:
    left, top, right, bottom = box
    wide, high = (right - left) * (1 + 2 * MARGIN), (bottom - top) * (1 + 2 * MARGIN)
    cell_w, cell_h = wide / CROP_PX, high / CROP_PX
    centre_x = left - MARGIN * (right - left) + (x + 0.5) * cell_w
    centre_y = top - MARGIN * (bottom - top) + (y + 0.5) * cell_h
    half_w, half_h = max(cell_w, 1) / 2, max(cell_h, 1) / 2
    row = axis_mean(image.astype(float), centre_y - half_h, centre_y + half_h)
    return axis_mean(row, centre_x - half_w, centre_x + half_w) / 255


@given(EDGES, EDGES, SIDES, SIDES, st.integers(0, 127), st.integers(0, 127))
def test_each_pixel_is_the_mean_over_its_cell(
    left: float, top: float, width: float, height: float, x: int, y: int
) -> None:
    image = np.random.default_rng(5).integers(0, 256, (37, 53, 3), np.uint8)
    box = np.array([left, top, left + width, top + height])
    crop = crop_of(image, box)
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    assert crop.dtype == np.float32
    np.testing.assert_allclose(crop[y, x], crop_pixel(image, box, x, y), atol=2e-4)


def test_growing_is_bilinear_interpolation() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    box = np.array([10.0, 12.0, 10 + 64 / 4 / 1.4, 12 + 64 / 4 / 1.4])
    left, top, right, _ = grown(box)
    scale = (right - left) / CROP_PX
    at = (np.arange(CROP_PX, dtype=np.float32) + 0.5) * scale - 0.5
    grid = np.meshgrid((at + left).astype(np.float32), (at + top).astype(np.float32))
    expected = cv2.remap(image.astype(np.float32), *grid, cv2.INTER_LINEAR) / 255
    # cv2 knows 32 places between two pixels.
    assert np.abs(crop_of(image, box) - expected).max() < 0.05
    assert np.abs(crop_of(image, box) - expected).mean() < 0.006


def test_the_outside_is_grey() -> None:
    crop = crop_of(np.zeros((20, 20, 3), np.uint8), np.array([100.0, 100.0, 140.0, 150.0]))
    np.testing.assert_allclose(crop, GREY / 255, atol=1e-6)


def test_meta_tells_aspect_and_size() -> None:
    np.testing.assert_allclose(meta_of(np.array([0.0, 0.0, 64.0, 64.0])), [0, 0, 1])
    wide = meta_of(np.array([5.0, 5.0, 5 + 128.0, 5 + 32.0]))
    np.testing.assert_allclose(wide, [np.log(4), 0, 1], atol=1e-6)


@pytest.mark.parametrize("side", [13, 64, 300])
def test_a_mask_comes_back_where_it_was(side: int) -> None:
    truth = np.zeros((400, 500), np.uint8)
    cv2.ellipse(truth, (200, 180), (side // 2, side // 3), 30, 0, 360, 1, -1)
    y, x = np.nonzero(truth)
    box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], float)
    shares = crop_of(np.repeat(truth[:, :, None], 3, 2) * 255, box, LOGITS_PX)[:, :, 0]
    inside = shares - 0.5
    (left, top, right, bottom), mask = paste(inside.astype(np.float32), box, (500, 400))
    found = np.zeros_like(truth, bool)
    found[top:bottom, left:right] = mask
    iou = (found & (truth > 0)).sum() / (found | (truth > 0)).sum()
    assert iou > 0.93


def test_a_mask_stays_near_its_box_and_in_the_picture() -> None:
    everything = np.ones((LOGITS_PX, LOGITS_PX), np.float32)
    region, mask = paste(everything, np.array([-50.0, 90.0, 50.0, 110.0]), (300, 100))
    assert region == (0, 89, 55, 100)
    assert mask.all()


@given(EDGES, EDGES, SIDES, SIDES)
def test_every_box_has_a_region_in_the_picture(
    left: float, top: float, width: float, height: float
) -> None:
    box = np.array([left, top, left + width, top + height])
    region, mask = paste(np.ones((LOGITS_PX, LOGITS_PX), np.float32), box, (31, 17))
    assert 0 <= region[0] < region[2] <= 31
    assert 0 <= region[1] < region[3] <= 17
    assert mask.shape == (region[3] - region[1], region[2] - region[0])
