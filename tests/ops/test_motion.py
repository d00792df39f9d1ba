"""shrink_grey, find_shift and mask_iou."""

from __future__ import annotations

import definitions_tracking as definitions
import numpy as np
import pytest

from edgeseg import _native


def texture(size_px, seed=0):
    """Smooth noise, uint8[H, W]."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (size_px[1] // 4 + 2, size_px[0] // 4 + 2))
    y, x = np.mgrid[: size_px[1], : size_px[0]] / 4
    x0, y0 = x.astype(int), y.astype(int)
    fx, fy = x - x0, y - y0
    top = coarse[y0, x0] * (1 - fx) + coarse[y0, x0 + 1] * fx
    below = coarse[y0 + 1, x0] * (1 - fx) + coarse[y0 + 1, x0 + 1] * fx
    return (top * (1 - fy) + below * fy).round().astype(np.uint8)


@pytest.mark.parametrize("factor", [1, 2, 3, 7])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_shrunken_pixel_is_the_mean_of_its_square(factor, flipped):
    image = np.random.default_rng(0).integers(0, 256, (23, 31, 3), np.uint8)
    view = image[::-1, :, ::-1] if flipped else image
    height, width = 23 // factor, 31 // factor
    cut = view[: height * factor, : width * factor].astype(float)
    mean = cut.reshape(height, factor, width, factor, 3).mean(axis=(1, 3, 4))
    grey = _native.shrink_grey(view, factor)
    assert grey.shape == (height, width)
    assert np.abs(grey - mean).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-5, 4)])
@pytest.mark.parametrize("factor", [1, 2])
def test_a_moved_texture_is_found(shift, factor):
    before = texture((120, 90))
    after = np.roll(before, shift[::-1], axis=(0, 1))
    box = tuple(edge * factor for edge in (40.0, 30.0, 80.0, 60.0))
    found = _native.find_shift(before, after, box, radius=6, factor=factor)
    assert found == pytest.approx([part * factor for part in shift], abs=0.2 * factor)


def test_a_fraction_of_a_pixel_is_found():
    fine = texture((480, 360)).astype(float)

    def shrunk(x):
        moved = np.roll(fine, x, axis=1)
        return moved.reshape(90, 4, 120, 4).mean(axis=(1, 3)).round().astype(np.uint8)

    found = _native.find_shift(shrunk(0), shrunk(6), (40, 30, 80, 60), radius=4)
    assert found == pytest.approx((1.5, 0), abs=0.3)


def test_the_search_begins_at_the_guess():
    before = texture((120, 90))
    after = np.roll(before, 12, axis=1)
    near = _native.find_shift(before, after, (40, 30, 80, 60), (11, 0), radius=3)
    assert near == pytest.approx((12, 0), abs=0.2)


def test_nothing_is_found_where_there_is_nothing_to_hold_on_to():
    flat = np.full((60, 80), 90, np.uint8)
    assert _native.find_shift(flat, flat, (20, 20, 60, 50)) is None
    before = texture((80, 60))
    assert _native.find_shift(before, before, (20, 20, 23, 23)) is None, "too small"
    assert _native.find_shift(before, before, (500, 500, 600, 600)) is None, "off the picture"
    assert _native.find_shift(before, before, (20, 20, 60, 50), (1e9, 0)) is None, "no room"


def test_bad_arguments_of_find_shift_are_named():
    grey = texture((40, 40))
    with pytest.raises(ValueError, match="radius must be from 1 to 64, got 0"):
        _native.find_shift(grey, grey, (0, 0, 9, 9), radius=0)
    with pytest.raises(ValueError, match="one size"):
        _native.find_shift(grey, grey[:20], (0, 0, 9, 9))
    with pytest.raises(ValueError, match="box must be finite"):
        _native.find_shift(grey, grey, (0, 0, np.nan, 9))
    with pytest.raises(ValueError, match="guess must be finite"):
        _native.find_shift(grey, grey, (0, 0, 9, 9), (np.inf, 0))


def areas(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def test_mask_iou_follows_the_definition():
    rng = np.random.default_rng(3)
    grids, regions, clips = [], [], []
    for _ in range(12):
        coarse = rng.integers(0, 2, (3, 3)) * 255
        grids.append(np.kron(coarse, np.ones((4, 4))).astype(np.uint8))
        left, top = rng.uniform(0, 120, 2)
        width, height = rng.uniform(60, 110, 2)
        regions.append([left, top, left + width, top + height])
        clips.append([left + 5, top, left + width, top + height - 5])
    regions, clips = areas(*regions), areas(*clips)
    got = _native.mask_iou(grids, regions, clips, grids, regions, clips)
    pixels = [
        definitions.mask_pixels(*mask, (240, 240))
        for mask in zip(grids, regions, clips, strict=True)
    ]
    for i, a in enumerate(pixels):
        for j, b in enumerate(pixels):
            if not a.any() or not b.any():
                continue
            expected = (a & b).sum() / (a | b).sum()
            assert got[i, j] == pytest.approx(expected, abs=0.06), (i, j)


def test_no_mask_has_no_overlap():
    full, none = np.full((4, 4), 255, np.uint8), np.zeros((0, 0), np.uint8)
    grids = [full, none, np.zeros((4, 4), np.uint8)]
    where = areas([0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10])
    far = where + np.float32(50)
    same = _native.mask_iou(grids, where, where, grids[:1], where[:1], where[:1])
    assert same[0, 0] == 1
    assert np.isnan(same[1:, 0]).all()
    apart = _native.mask_iou(grids[:1], where[:1], where[:1], grids[:1], far[:1], far[:1])
    assert apart.tolist() == [[0]]
