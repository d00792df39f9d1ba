"""The tracking follower: identities in step with detections and masks."""

from __future__ import annotations

from dataclasses import replace

import fakes
import numpy as np
import pytest

from edgeseg.errors import ConfigError
from edgeseg.followers import is_tracked, lowest_score, open_followers
from edgeseg.masks.moving import moved_masks, no_masks
from edgeseg.pipeline import Lane, Pipeline
from edgeseg.settings import Settings
from edgeseg.sources.base import SourceInfo
from edgeseg.tracking import LOST_S, TrackFollower, tracking_floor
from edgeseg.types import Detections, Frame, Masks, Result

SIZE_PX = (320, 240)
VIDEO = SourceInfo("clip", live=False, fps=25.0)
PICTURES = SourceInfo("folder", live=False, pictures=True)


def result(index, *rows, masks=None, detected=True, time_s=None):
    """A result of rows left, top, right, bottom, score, class."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    frame = Frame(
        np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8),
        index,
        index / 25 if time_s is None else time_s,
    )
    found = Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.float32),
        table[:, 5].astype(np.int32),
    )
    return Result(frame, found, ("thing", "other"), detected=detected, masks=masks)


def box(x, score=0.9, class_id=0, side=40.0):
    return (x - side / 2, 100 - side / 2, x + side / 2, 100 + side / 2, score, class_id)


def masks_at(*boxes, value=255):
    """A mask over the whole of each box."""
    areas = np.array([row[:4] for row in boxes], np.float32).reshape(-1, 4)
    return Masks(tuple(np.full((2, 3), value, np.uint8) for _ in boxes), areas, areas, SIZE_PX)


def test_everything_stays_in_step():
    follower = TrackFollower()
    for step in range(6):
        rows = [box(60 + step, 0.5), box(200 - step, 0.8, 1)]
        got = follower.follow(result(step, *rows, masks=masks_at(*rows)))
        assert len(got.detections) == len(got.tracks) == len(got.masks) == 2
        assert got.detections.class_ids.tolist() == [1, 0], "best first"
        assert np.array_equal(got.masks.regions_px, got.detections.boxes_px)
    assert sorted(got.tracks.ids.tolist()) == [0, 1], "a score of 0.5 is no proof of an object"
    assert got.tracks.ages.tolist() == [5, 5]
    assert not got.tracks.carried.any()


def test_nothing_but_the_detections_changes():
    before = replace(result(0, box(50)), stages_ms={"engine": 1.0})
    after = TrackFollower().follow(before)
    assert after.frame is before.frame
    assert (after.stages_ms, after.class_names, after.detected) == (
        before.stages_ms, before.class_names, before.detected,
    )  # fmt: skip
    assert after.masks is None


def test_weak_detections_are_left_out_unless_they_belong_to_an_object():
    follower = TrackFollower(conf=0.25)
    for step in range(4):
        got = follower.follow(result(step, box(60), box(250, 0.2)))
        assert got.detections.scores.tolist() == pytest.approx([0.9])
    got = follower.follow(result(4, box(60, 0.2), box(250, 0.2)))
    assert got.detections.scores.tolist() == pytest.approx([0.2])
    assert got.tracks.ids.tolist() == [1]


def test_a_frame_no_network_saw_carries_boxes_and_masks_along():
    follower = TrackFollower(detect_every=3)
    for step in range(10):
        x = 60.0 + 5 * step
        if step % 3 == 0:
            got = follower.follow(result(step, box(x), masks=masks_at(box(x))))
        else:
            got = follower.follow(result(step, detected=False))
    assert step % 3 == 0
    got = follower.follow(result(10, detected=False))
    assert got.tracks.carried.tolist() == [True]
    assert got.tracks.ids.tolist() == [1]
    assert got.detections.boxes_px[0, [0, 2]].mean() == pytest.approx(110, abs=8)
    assert np.allclose(got.masks.regions_px, got.detections.boxes_px, atol=0.01)
    assert not got.detected


def test_an_object_without_a_mask_has_an_empty_grid():
    follower = TrackFollower()
    rows = [box(60), box(200)]
    masks = masks_at(*rows)
    masks = replace(masks, grids=(masks.grids[0], np.zeros((0, 0), np.uint8)))
    got = follower.follow(result(0, *rows, masks=masks))
    by_place = got.detections.boxes_px[:, 0].argsort()
    assert [got.masks.grids[row].size for row in by_place] == [6, 0]


def test_masks_decide_where_boxes_do_not():
    """Two objects meet; the masks' places inside the boxes tell who is who."""
    follower = TrackFollower()

    def half(row, left):
        area = np.array(row[:4], np.float32)
        middle = (area[0] + area[2]) / 2
        clip = area.copy()
        clip[2 if left else 0] = middle
        return Masks((np.full((1, 1), 255, np.uint8),), area[None], clip[None], SIZE_PX)

    def both(a, b):
        return Masks(
            a.grids + b.grids,
            np.concatenate([a.regions_px, b.regions_px]),
            np.concatenate([a.clips_px, b.clips_px]),
            SIZE_PX,
        )

    for step in range(10):
        rows = [box(150), box(166)]
        got = follower.follow(
            result(step, *rows, masks=both(half(rows[0], True), half(rows[1], False)))
        )
    left = int(got.tracks.ids[got.detections.boxes_px[:, 0].argmin()])
    rows = [box(157), box(159)]
    swapped = both(half(rows[0], False), half(rows[1], True))
    got = follower.follow(result(10, *rows, masks=swapped))
    assert int(got.tracks.ids[got.detections.boxes_px[:, 0].argmax()]) == left


def test_moved_masks_stretch_as_their_box_does():
    masks = masks_at((10, 10, 30, 20, 0, 0))
    clip = masks.clips_px + np.float32([2, 0, 0, 0])
    before = np.array([[10, 10, 30, 20]], np.float32)
    after = np.array([[100, 50, 140, 60]], np.float32)
    got = moved_masks(replace(masks, clips_px=clip), before, after)
    assert got.regions_px.tolist() == [[100, 50, 140, 60]]
    assert got.clips_px.tolist() == [[104, 50, 140, 60]]
    flat = moved_masks(masks, np.zeros((1, 4), np.float32), after)
    assert np.isfinite(flat.regions_px).all(), "a box without area is survived"


def test_memory_of_masks_does_not_grow():
    follower = TrackFollower()
    for step in range(40):
        row = box(20 + 37 * step % 280, 0.95)
        follower.follow(result(2 * step, row, masks=masks_at(row)))
    assert len(follower._masks._seen) < 10
    follower.close()
    assert not follower._masks._seen


def test_the_summary_counts_identities_and_their_length():
    follower = TrackFollower()
    assert follower.summary() == {}
    for step in range(51):
        follower.follow(result(step, box(60)))
    assert follower.summary() == {"tracks": "1 identity, 2.0 s on average, about 0 switched"}


def test_a_new_identity_where_one_was_lost_counts_as_a_switch():
    follower = TrackFollower()
    for step in range(12):
        follower.follow(result(step, box(150)))
    for step in range(12, 20):
        follower.follow(result(step))
    for step in range(20, 40):
        follower.follow(result(step, box(185)))  # too far for the same identity
    assert follower.summary()["tracks"].startswith("2 identities")
    assert follower.summary()["tracks"].endswith("about 1 switched")


def test_a_new_identity_elsewhere_or_much_later_is_no_switch():
    follower = TrackFollower()
    for step in range(12):
        follower.follow(result(step, box(150)))
    gap = int(25 * LOST_S) + 30
    for step in range(12, gap):
        follower.follow(result(step))
    for step in range(gap, gap + 12):
        follower.follow(result(step, box(150), box(260)))
    assert follower.summary()["tracks"].startswith("3 identities")
    assert follower.summary()["tracks"].endswith("about 0 switched")


@pytest.mark.parametrize(
    ("track", "source", "expected"),
    [
        ("auto", VIDEO, True),
        ("auto", PICTURES, False),
        ("auto", None, False),
        ("on", PICTURES, True),
        ("on", None, True),
        ("off", VIDEO, False),
    ],
)
def test_identities_are_for_video_unless_asked_for(track, source, expected):
    settings = Settings(track=track, conf=0.5)
    assert is_tracked(settings, source) is expected
    assert ("track" in [f.name for f in open_followers(settings, source)]) is expected
    assert lowest_score(settings, source) == (tracking_floor(0.5) if expected else 0.5)


def test_detect_every_without_tracking_is_refused():
    with pytest.raises(ConfigError, match="--detect-every 2 needs tracking"):
        Settings(detect_every=2, track="off")


@pytest.mark.parametrize("lanes", [1, 3])
def test_identities_do_not_depend_on_the_threads(lanes):
    def run(jitter_s, lanes):
        backend = fakes.FakeBackend()
        engine = fakes.FakeEngine(jitter_s=jitter_s)
        lane = Lane(backend.preprocess, engine.infer, backend.detect, ("a", "b"))
        pipeline = Pipeline(
            fakes.FakeSource(40), [lane] * lanes, followers=[TrackFollower()], detect_every=3
        )
        return [
            (r.tracks.ids.tolist(), r.detections.boxes_px.tolist(), r.detections.class_ids.tolist())
            for r in pipeline.results()
        ]

    assert run(0.004, lanes) == run(0.0, 1)


def test_no_masks_has_rows_of_nothing():
    masks = no_masks(2, SIZE_PX)
    assert [grid.shape for grid in masks.grids] == [(0, 0), (0, 0)]


def test_another_conf_holds_from_the_next_frame_and_identities_go_on():
    follower = TrackFollower(conf=0.25)
    for step in range(3):
        before = follower.follow(result(step, box(60, 0.95), box(200, 0.4)))
    follower.retune(0.6)
    after = follower.follow(result(3, box(60, 0.95), box(120, 0.4)))
    assert len(before.detections) == 2
    assert after.tracks.ids[0] == before.tracks.ids[0] == 1
    assert not np.any(np.isclose(after.detections.boxes_px[:, 0], 100)), "0.4 begins nothing now"
