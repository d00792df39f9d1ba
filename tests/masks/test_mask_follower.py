"""Promises of edgeseg.masks.follower, .carry and .second_look, with a fake network."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.masks.carry import LastMasks
from edgeseg.masks.follower import MaskFollower
from edgeseg.masks.second_look import better_boxes
from edgeseg.types import Detections, Frame, Masks, Result, Tracks

FRAME = Frame(np.zeros((100, 200, 3), np.uint8))


class FakeLooker:
    """Fills the middle half of each region; the grid's size tells how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[NDArray[np.float32]] = []
        self.closed = False

    def look(self, frame: Frame, boxes_px: NDArray[np.float32]) -> Masks:
        self.asked.append(boxes_px)
        side = 4 * len(self.asked)
        grid = np.zeros((side, side), np.uint8)
        grid[side // 4 : -(side // 4), side // 4 : -(side // 4)] = 255
        return Masks((grid,) * len(boxes_px), boxes_px, boxes_px, frame.size_px)

    def close(self) -> None:
        self.closed = True


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)


def result(
    boxes_px: NDArray[np.float32],
    ids: list[int] | None = None,
    carried: list[bool] | None = None,
    ages: list[int] | None = None,
) -> Result:
    count = len(boxes_px)
    tracks = None
    if ids is not None:
        tracks = Tracks(
            np.array(ids, np.int32),
            np.array(ages or [0] * count, np.int32),
            np.array(carried or [False] * count, np.bool_),
        )
    found = Detections(
        boxes_px, np.linspace(1, 0.5, count, dtype=np.float32), np.zeros(count, "i4")
    )
    return Result(FRAME, found, ("thing",), tracks=tracks)


def masks_of(given: Result) -> Masks:
    assert given.masks is not None
    return given.masks


def test_every_box_gets_a_mask_in_step_with_the_detections() -> None:
    looker = FakeLooker()
    wanted = boxes((0, 0, 10, 10), (50, 50, 90, 90))
    given = masks_of(MaskFollower(looker, budget=10).follow(result(wanted)))
    assert len(given) == 2
    np.testing.assert_array_equal(given.regions_px, wanted)
    assert [len(asked) for asked in looker.asked] == [2]


def test_a_frame_without_objects_does_not_ask_the_network() -> None:
    looker = FakeLooker()
    given = MaskFollower(looker, budget=10).follow(result(boxes()))
    assert len(masks_of(given)) == 0
    assert looker.asked == []


def test_masks_the_network_brought_are_kept() -> None:
    box = boxes((0, 0, 9, 9))
    own = Masks((np.full((2, 2), 200, np.uint8),), box, box, (200, 100))
    looker = FakeLooker()
    before = result(box)
    given = MaskFollower(looker, budget=10).follow(
        Result(before.frame, before.detections, before.class_names, masks=own)
    )
    assert given.masks is own
    assert looker.asked == []


def test_over_budget_the_large_come_first_and_the_others_are_counted() -> None:
    looker = FakeLooker()
    follower = MaskFollower(looker, budget=2)
    given = masks_of(
        follower.follow(result(boxes((0, 0, 5, 5), (0, 0, 50, 50), (0, 0, 6, 6), (0, 0, 40, 40))))
    )
    assert [grid.size > 0 for grid in given.grids] == [False, True, False, True]
    assert "2 objects without one" in follower.summary()["masks"]


def test_over_budget_age_counts_as_well() -> None:
    looker = FakeLooker()
    crowd = result(boxes((0, 0, 10, 10), (0, 0, 11, 11)), ids=[1, 2], ages=[100, 0])
    given = masks_of(MaskFollower(looker, budget=1).follow(crowd))
    assert [grid.size > 0 for grid in given.grids] == [True, False]


def test_a_carried_object_keeps_its_mask_in_its_new_box() -> None:
    looker = FakeLooker()
    follower = MaskFollower(looker, budget=10)
    first = masks_of(follower.follow(result(boxes((10, 10, 30, 50)), ids=[7])))
    moved = result(boxes((20, 10, 60, 90)), ids=[7], carried=[True])
    second = masks_of(follower.follow(moved))
    assert len(looker.asked) == 1
    np.testing.assert_array_equal(second.grids[0], first.grids[0])
    np.testing.assert_allclose(second.regions_px, boxes((20, 10, 60, 90)), atol=1e-4)
    third = masks_of(follower.follow(moved))
    assert third.grids[0].size > 0, "carried masks are remembered in turn"


def test_a_carried_object_without_a_known_mask_has_none_and_is_not_looked_at() -> None:
    looker = FakeLooker()
    given = MaskFollower(looker, budget=10).follow(
        result(boxes((0, 0, 10, 10)), ids=[3], carried=[True])
    )
    assert masks_of(given).grids[0].size == 0
    assert looker.asked == []


def test_fine_looks_again_where_the_mask_does_not_fill_its_box() -> None:
    looker = FakeLooker()
    given = masks_of(
        MaskFollower(looker, budget=10, fine=True).follow(result(boxes((0, 0, 40, 40))))
    )
    assert len(looker.asked) == 2
    # The mask fills 10 to 30; each side moves 70 % of the way.
    np.testing.assert_allclose(looker.asked[1], boxes((7, 7, 33, 33)), atol=1e-4)
    np.testing.assert_allclose(given.regions_px, boxes((7, 7, 33, 33)), atol=1e-4)


def test_fine_leaves_good_boxes_alone() -> None:
    box = boxes((0, 0, 40, 40))
    full = Masks((np.full((8, 8), 255, np.uint8),), box, box, (200, 100))
    rows, _ = better_boxes(full, box)
    assert len(rows) == 0


@pytest.mark.parametrize("value", [0, 127])
def test_an_empty_mask_moves_no_box(value: int) -> None:
    box = boxes((0, 0, 40, 40))
    nothing = Masks((np.full((8, 8), value, np.uint8),), box, box, (200, 100))
    rows, moved = better_boxes(nothing, box)
    assert len(rows) == 0
    assert moved.shape == (0, 4)


def test_memory_is_of_the_last_frame_only() -> None:
    memory = LastMasks()
    box = boxes((0, 0, 10, 10))
    one = Masks((np.full((2, 2), 255, np.uint8),), box, box, (200, 100))
    tracks = Tracks(np.array([1], np.int32), np.zeros(1, np.int32), np.ones(1, np.bool_))
    memory.keep(one, box, tracks)
    memory.keep(Masks((), boxes(), boxes(), (200, 100)), boxes(), None)
    assert memory.carried(box, tracks, (200, 100)).grids[0].size == 0


def test_closing_the_follower_releases_the_network() -> None:
    looker = FakeLooker()
    MaskFollower(looker, budget=1).close()
    assert looker.closed
