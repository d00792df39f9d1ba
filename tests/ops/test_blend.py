"""blend: masks over a picture; each pixel belongs to the first mask that covers it."""

from __future__ import annotations

import subprocess
import sys

import definitions_masks as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native

EVERYWHERE = (-np.inf, -np.inf, np.inf, np.inf)
RED, GREEN = (10, 20, 230), (5, 240, 15)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def disc(side: int = 32) -> np.ndarray:
    """A disc whose certainty falls softly at its edge."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip((0.35 * side - np.hypot(x, y)) * 30 + 128, 0, 255).astype(np.uint8)


def run(image, grids, regions, colors, clips=None, **options) -> np.ndarray:
    out = image.copy()
    count = len(grids)
    regions = np.array(regions, np.float32).reshape(count, 4)
    clips = np.array(clips or [EVERYWHERE] * count, np.float32).reshape(count, 4)
    _native.blend(
        out, grids, regions, clips, np.array(colors, np.uint8).reshape(count, 3), **options
    )
    return out


def plain(value: int = 255) -> np.ndarray:
    return np.full((1, 1), value, np.uint8)


def is_close(found: np.ndarray, expected: np.ndarray, steps: float = 1.5) -> np.ndarray:
    return np.abs(found.astype(float) - expected) <= steps


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.45, 1.0])
@pytest.mark.parametrize("cells", [(1, 1), (6, 9), (40, 40)])
def test_blend_follows_the_definition(cells, alpha):
    rng = np.random.default_rng(sum(cells))
    image = picture(40, 60)
    grids = [rng.integers(0, 256, cells, dtype=np.uint8) for _ in range(3)]
    corners = rng.uniform(-10, 30, (3, 2))
    regions = np.hstack([corners, corners + rng.uniform(5, 50, (3, 2))]).astype(np.float32)
    clips = np.array([EVERYWHERE, (12.2, -9, 33, 27.5), (0, 0, 60, 40)], np.float32)
    colors = rng.integers(0, 256, (3, 3), dtype=np.uint8)
    found = run(image, grids, regions, colors, clips.tolist(), alpha=alpha)
    expected = definitions.blend(image, grids, regions, clips, colors, alpha)
    # At the centre of a cell the change from pixel to pixel has two values.
    assert is_close(found, expected).mean() > 0.998


@pytest.mark.parametrize("softness", [3, 12, 60])
@pytest.mark.parametrize("side", [7, 20, 45])
def test_discs_of_any_softness_follow_the_definition(side, softness):
    """Where a whole cell is far from the edge, or looks so, blend does not go by pixels."""
    image = picture(60, 60)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    grid = np.clip((0.37 * side - np.hypot(x, y)) * softness + 128, 0, 255).astype(np.uint8)
    region = np.array([(2.13, 3.37, 57.71, 55.29)], np.float32)
    clip, color = np.array([EVERYWHERE], np.float32), np.array([RED], np.uint8)
    found = run(image, [grid], region, color, clip.tolist(), alpha=1)
    expected = definitions.blend(image, [grid], region, clip, color, 1.0)
    assert is_close(found, expected).all()


def test_inside_of_a_mask_the_colour_is_mixed_in_and_outside_nothing_changes():
    image = picture(60, 80)
    out = run(image, [plain()], [(10, 20, 50, 40)], [RED])
    np.testing.assert_array_equal(out[:20], image[:20])
    np.testing.assert_array_equal(out[40:], image[40:])
    np.testing.assert_array_equal(out[:, :10], image[:, :10])
    np.testing.assert_array_equal(out[:, 50:], image[:, 50:])
    expected = 0.55 * image[20:40, 10:50] + 0.45 * np.array(RED)
    assert is_close(out[20:40, 10:50], expected, 1).all()


def test_alpha_0_changes_nothing_and_alpha_1_hides_the_picture():
    image = picture(60, 80)
    where = ([plain()], [(10, 20, 50, 40)], [RED])
    np.testing.assert_array_equal(run(image, *where, alpha=0), image)
    assert (run(image, *where, alpha=1)[20:40, 10:50] == RED).all()


def test_each_pixel_belongs_to_the_first_mask_that_covers_it():
    image = picture(60, 80)
    regions = [(10, 10, 40, 40), (30, 20, 70, 50)]
    both = run(image, [plain(), plain()], regions, [RED, GREEN])
    first = run(image, [plain()], regions[:1], [RED])
    second = run(image, [plain()], regions[1:], [GREEN])
    np.testing.assert_array_equal(both[10:40, 10:40], first[10:40, 10:40])
    np.testing.assert_array_equal(both[20:50, 40:70], second[20:50, 40:70])
    turned = run(image, [plain(), plain()], regions[::-1], [GREEN, RED])
    np.testing.assert_array_equal(turned[20:50, 30:70], second[20:50, 30:70])


def test_at_a_soft_edge_the_mask_behind_is_seen_not_the_picture():
    image = np.full((80, 80, 3), 255, np.uint8)
    out = run(image, [disc(20), plain()], [(0, 0, 80, 80)] * 2, [(200, 0, 0), (0, 200, 0)], alpha=1)
    assert (out[:, :, 0] > 20).any()
    assert is_close(out.sum(axis=2), 200, 2).all()


@pytest.mark.parametrize("side", [41, 150, 600])
def test_an_edge_is_one_pixel_soft_however_coarse_the_grid(side):
    image = np.zeros((side, side, 3), np.uint8)
    out = run(image, [disc(24)], [(0, 0, side, side)], [(255, 255, 255)], alpha=1)[:, :, 0]
    row = out[side // 2].astype(int)
    assert ((row > 8) & (row < 247)).sum() <= 4
    assert (row == 255).sum() > 0.6 * side
    soft = (out > 8) & (out < 247)
    assert side < soft.sum() < 4 * side  # the disc's edge is 2.2 times as long as its square
    mask = _native.paste(disc(24), (0, 0, side, side), EVERYWHERE, (0, 0, side, side)) >= 128
    assert ((out >= 128) != mask).mean() < 1e-4  # where it is half covered to within a step


def test_a_plain_grid_has_no_edge_within():
    for value, covered in ((127, 0), (128, 255)):
        out = run(
            np.zeros((9, 9, 3), np.uint8), [plain(value)], [(0, 0, 9, 9)], [(255,) * 3], alpha=1
        )
        assert (out == covered).all()


@settings(max_examples=80, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    masks=st.lists(
        st.tuples(
            st.tuples(st.integers(0, 5), st.integers(0, 5)),
            st.tuples(*[st.floats(-50, 60, width=32) | st.just(np.nan)] * 4),
            st.tuples(*[st.floats(-50, 60, width=32) | st.just(np.inf)] * 4),
        ),
        max_size=6,
    ),
)
def test_what_is_no_mask_is_left_alone(size, masks):
    """A pixel that paste gives well below 128 for every mask keeps its bytes."""
    image = picture(*size)
    rng = np.random.default_rng(len(masks))
    grids = [rng.integers(0, 256, cells, dtype=np.uint8) for cells, _, _ in masks]
    regions, clips = [r for _, r, _ in masks], [c for _, _, c in masks]
    out = run(image, grids, regions, [RED] * len(grids), clips, alpha=1)
    whole = (0, 0, size[1], size[0])
    covered = np.zeros(size, bool)
    for grid, region, clip in zip(grids, regions, clips, strict=True):
        found = _native.paste(grid, region, clip, whole)
        covered |= (found > 0) | (definitions.certainty(grid, region, clip, whole)[1])
    np.testing.assert_array_equal(out[~covered], image[~covered])


def test_masks_that_are_none_are_left_out():
    image = picture(20, 20)
    grids = [np.zeros((0, 0), np.uint8), plain(), plain(), np.zeros((3, 0), np.uint8)]
    regions = [(0, 0, 9, 9), (np.nan, 0, 9, 9), (5, 5, 5, 9), (0, 0, 9, 9)]
    np.testing.assert_array_equal(run(image, grids, regions, [RED] * 4, alpha=1), image)
    np.testing.assert_array_equal(run(image, [], [], []), image)


def test_a_mask_of_one_pixel_is_seen():
    image = np.zeros((9, 9, 3), np.uint8)
    out = run(image, [plain()], [(4, 5, 5, 6)], [RED], alpha=1)
    expected = image.copy()
    expected[5, 4] = RED
    np.testing.assert_array_equal(out, expected)


def test_a_part_of_a_larger_picture_is_changed_in_place():
    canvas = picture(50, 70)
    before = canvas.copy()
    expected = run(canvas[5:45, 10:60].copy(), [disc()], [(3, 4, 40, 38)], [RED])
    ones = np.array([EVERYWHERE], np.float32)
    _native.blend(
        canvas[5:45, 10:60],
        [disc()],
        np.array([(3, 4, 40, 38)], np.float32),
        ones,
        np.array([RED], np.uint8),
    )
    np.testing.assert_array_equal(canvas[5:45, 10:60], expected)
    before[5:45, 10:60] = expected
    np.testing.assert_array_equal(canvas, before)


def test_grids_of_any_strides_are_read_in_place():
    image, region = picture(50, 70), [(3, 4, 60, 47)]
    for view in (disc(40)[3:31, 2:20], disc(40)[::-1, ::2], disc(40)[:, :9].T):
        np.testing.assert_array_equal(
            run(image, [view], region, [RED]),
            run(image, [np.ascontiguousarray(view)], region, [RED]),
        )


MEASURE = """
import resource
import numpy as np
from edgeseg import _native
image = np.zeros((2160, 3840, 3), np.uint8)
rng = np.random.default_rng(0)
corners = rng.uniform(0, 3000, (200, 2))
regions = np.hstack([corners, corners + 700]).astype(np.float32)
grids = list(rng.integers(0, 256, (200, 64, 64), dtype=np.uint8))
colors = np.zeros((200, 3), np.uint8)
_native.blend(image, grids[:1], regions[:1], regions[:1], colors[:1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
_native.blend(image, grids, regions, regions, colors)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_200_masks_in_a_4k_frame_take_less_than_a_megabyte():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) < 1024
