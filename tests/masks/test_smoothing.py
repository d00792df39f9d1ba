"""Promises of edgeseg.masks.smoothing and .stability, on shapes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.masks.smoothing import BRIDGED_FRAMES, FORGOTTEN_FRAMES, MaskSmoother
from edgeseg.masks.stability import StabilityMeter
from edgeseg.types import Detections, Frame, Masks, Result, Tracks

Grid = NDArray[np.uint8]
CELLS = 48
FRAME_PX = (400, 300)
NONE = np.zeros((0, 0), np.uint8)


def ellipse(
    width: float = 0.3, height: float = 0.4, x: float = 0.5, y: float = 0.5, grown: object = 0.0
) -> Grid:
    """A soft ellipse; `grown` moves its boundary outwards by so many cells."""
    v, u = (np.mgrid[:CELLS, :CELLS] + 0.5) / CELLS
    away = (np.hypot((u - x) / width, (v - y) / height) - 1) * min(width, height)
    return np.clip(128 - (away * CELLS - grown) * 90, 0, 255).astype(np.uint8)


def wobble(rng: np.random.Generator, cells: float) -> NDArray[np.float64]:
    """Moves of a boundary by about `cells`, alike within a sixteenth of the grid."""
    return np.kron(rng.normal(0, cells, (4, 4)), np.ones((CELLS // 4, CELLS // 4)))


def tracks(*ids: int) -> Tracks:
    return Tracks(
        np.array(ids, np.int32), np.zeros(len(ids), np.int32), np.zeros(len(ids), np.bool_)
    )


def masks(*grids: Grid, region: tuple[float, ...] = (100, 50, 200, 150)) -> Masks:
    regions = np.tile(np.array(region, np.float32), (len(grids), 1))
    return Masks(grids, regions, regions.copy(), FRAME_PX)


def smoothed(grids: list[Grid]) -> list[Grid]:
    smoother = MaskSmoother()
    return [smoother.smooth(tracks(1), masks(grid)).grids[0] for grid in grids]


def flips(grids: list[Grid]) -> int:
    """Cells that change and change back."""
    on = [grid >= 128 for grid in grids]
    return sum(
        int(np.count_nonzero((a == c) & (a != b)))
        for a, b, c in zip(on, on[1:], on[2:], strict=False)
    )


def iou(a: Grid, b: Grid) -> float:
    one, other = a >= 128, b >= 128
    return np.count_nonzero(one & other) / max(1, np.count_nonzero(one | other))


@pytest.mark.parametrize("cells", [0.7, 1.5])
def test_flicker_falls_by_half_and_the_mask_is_nearer_the_truth(cells: float) -> None:
    rng = np.random.default_rng(1)
    truth = ellipse()
    raw = [ellipse(grown=wobble(rng, cells)) for _ in range(60)]
    steady = smoothed(raw)
    assert flips(steady) < 0.5 * flips(raw)
    assert np.mean([iou(g, truth) for g in steady]) >= np.mean([iou(g, truth) for g in raw])


def test_a_still_mask_is_left_as_it_is() -> None:
    grid = ellipse()
    for got in smoothed([grid] * 5):
        np.testing.assert_array_equal(got, grid)


def test_a_part_that_drops_out_for_a_frame_stays() -> None:
    truth = ellipse()
    broken = truth.copy()
    broken[CELLS // 2 :, CELLS // 4 : CELLS * 3 // 4] = 0
    got = smoothed([truth] * 6 + [broken] + [truth] * 3)
    assert iou(broken, truth) < 0.65
    assert iou(got[6], truth) > 0.85


def test_a_new_shape_is_shown_a_frame_later_at_most() -> None:
    rng = np.random.default_rng(2)
    new = ellipse(0.4, 0.25)
    raw = [ellipse(0.2, 0.4, grown=wobble(rng, 0.7)) for _ in range(10)] + [new] * 4
    got = smoothed(raw)
    assert iou(got[11], new) > 0.9, "one frame after the change"


def test_a_boundary_in_motion_lags_a_frame_at_most() -> None:
    widths = np.linspace(0.15, 0.42, 28)  # about half a cell a frame at either end
    raw = [ellipse(width) for width in widths]
    got = smoothed(raw)
    for before, now, grid in zip(raw[1:], raw[2:], got[2:], strict=False):
        area = np.count_nonzero(grid >= 128)
        assert area >= 0.98 * np.count_nonzero(before >= 128), "not behind the frame before"
        assert area <= 1.02 * np.count_nonzero(now >= 128)


def test_a_jittering_box_does_not_move_the_object() -> None:
    """The object stands still in the frame while its box, and so its grid, jitters."""
    rng = np.random.default_rng(3)
    raw, steady, smoother = [], [], MaskSmoother()
    for _ in range(40):
        dx, dy = rng.uniform(-6, 6, 2)
        grid = ellipse(x=0.5 - dx / 100, y=0.5 - dy / 100)
        region = (100 + dx, 50 + dy, 200 + dx, 150 + dy)
        steady.append(smoother.smooth(tracks(1), masks(grid, region=region)).grids[0])
        raw.append(grid)
    agreement = [iou(a, b) for a, b in zip(raw, steady, strict=True)]
    assert min(agreement) > 0.97


def test_a_missing_mask_is_bridged_for_two_frames() -> None:
    truth = ellipse()
    smoother = MaskSmoother()
    for _ in range(5):
        smoother.smooth(tracks(1), masks(truth))
    gap = masks(NONE, region=(0, 0, 0, 0))
    got = [smoother.smooth(tracks(1), gap) for _ in range(BRIDGED_FRAMES + 1)]
    for bridged in got[:-1]:
        assert iou(bridged.grids[0], truth) == 1
        assert bridged.regions_px[0].tolist() == [100, 50, 200, 150]
    assert got[-1].grids[0].size == 0


def test_tracks_do_not_mix_and_rows_without_identity_stay() -> None:
    rng = np.random.default_rng(4)
    smoother = MaskSmoother()
    a, b = ellipse(0.2, 0.4), ellipse(0.4, 0.2)
    for turn in range(8):
        new = ellipse(grown=wobble(rng, 2))
        ids, rows = ((1, 2, 0), (a, b, new)) if turn % 2 else ((2, 1, 0), (b, a, new))
        got = smoother.smooth(tracks(*ids), masks(*rows))
        for row in range(3):
            np.testing.assert_array_equal(got.grids[row], rows[row])


def test_two_classes_of_one_object_share_their_mask() -> None:
    rng = np.random.default_rng(5)
    smoother = MaskSmoother()
    for _ in range(6):
        grid = ellipse(grown=wobble(rng, 1))
        got = smoother.smooth(tracks(1, 1), masks(grid, grid))
        np.testing.assert_array_equal(got.grids[0], got.grids[1])


def test_lost_tracks_are_forgotten() -> None:
    smoother = MaskSmoother()
    for track_id in range(1, 500):
        smoother.smooth(tracks(track_id), masks(ellipse()))
    assert len(smoother) <= FORGOTTEN_FRAMES + 1


def test_the_input_is_not_changed_and_grids_may_change_their_size() -> None:
    smoother = MaskSmoother()
    grid = ellipse()
    given = masks(grid)
    kept = grid.copy()
    smoother.smooth(tracks(1), given)
    small = np.ascontiguousarray(grid[::2, ::3])
    got = smoother.smooth(tracks(1), masks(small[:, ::-1]))
    assert got.grids[0].shape == small.shape
    np.testing.assert_array_equal(grid, kept)


def test_rows_out_of_step_are_refused() -> None:
    with pytest.raises(ValueError, match="in step"):
        MaskSmoother().smooth(tracks(1, 2), masks(ellipse()))


def result(
    grids: list[Grid], ids: list[int], boxes: list[tuple[float, ...]] | None = None
) -> Result:
    boxes_px = np.array(boxes or [(100, 50, 200, 150)] * len(ids), np.float32).reshape(-1, 4)
    found = Detections(boxes_px, np.ones(len(ids), np.float32), np.zeros(len(ids), np.int32))
    image = np.zeros((FRAME_PX[1], FRAME_PX[0], 3), np.uint8)
    all_masks = Masks(tuple(grids), boxes_px, boxes_px.copy(), FRAME_PX) if grids else None
    return Result(Frame(image), found, ("thing",), tracks=tracks(*ids), masks=all_masks)


def score(cells: float, seed: int = 1) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    meter = StabilityMeter()
    for i in range(40):
        meter.add(result([ellipse(0.3 + i / 400, grown=wobble(rng, cells))], [1]))
    return {k: float(v) for k, v in meter.to_dict().items()}  # type: ignore[arg-type]


def test_the_score_rises_and_falls_with_the_noise() -> None:
    scores = [score(cells) for cells in (0.0, 0.5, 1.0, 2.0)]
    flicker = [s["flicker"] for s in scores]
    overlap = [s["temporal_iou"] for s in scores]
    assert flicker == sorted(flicker)
    assert flicker[0] < 0.01
    assert flicker[-1] > 0.05
    assert overlap == sorted(overlap, reverse=True)
    assert overlap[0] > 0.97


def test_motion_through_the_frame_is_no_flicker() -> None:
    meter = StabilityMeter()
    for i in range(20):
        meter.add(result([ellipse()], [1], [(10 * i, 50, 10 * i + 100, 150)]))
    told = meter.to_dict()
    assert told["flicker"] == 0
    assert told["temporal_iou"] == 1


def test_a_mask_missing_for_a_frame_counts() -> None:
    meter = StabilityMeter()
    for i in range(10):
        meter.add(result([NONE if i == 5 else ellipse()], [1]))
    assert meter.to_dict()["mask_dropouts"] == 1
    assert "1 masks missing" in meter.summary()["stability"]


def test_a_track_that_goes_on_under_another_number_is_a_switch() -> None:
    meter = StabilityMeter()
    here, there = (100, 50, 200, 150), (250, 50, 350, 150)
    for _ in range(5):
        meter.add(result([], [1], [here]))
    meter.add(result([], [2, 3], [here, there]))
    told = meter.to_dict()
    assert told["tracks"] == 3
    assert told["identity_switches_estimated"] == 1


def test_without_tracks_there_is_nothing_to_tell() -> None:
    meter = StabilityMeter()
    image = np.zeros((10, 10, 3), np.uint8)
    meter.add(Result(Frame(image), Detections.empty(), ()))
    assert meter.summary() == {}
    assert meter.to_dict()["flicker"] is None
