"""Tracker: what it promises whatever the detections."""

from __future__ import annotations

import definitions_tracking as definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg import _native

SIZE_PX = (640, 480)
PERIOD_S = 0.04
FIELDS = ("boxes", "scores", "class_ids", "ids", "ages", "carried", "sources")


def arrays(rows):
    """Detections from rows of left, top, right, bottom, score, class."""
    rows = np.array(rows, np.float64).reshape(-1, 6)
    return (
        rows[:, :4].astype(np.float32),
        rows[:, 4].astype(np.float32),
        rows[:, 5].astype(np.int32),
    )


class Run:
    """A tracker fed one frame after the other, answers as dicts of arrays."""

    def __init__(self, **options):
        self.tracker = _native.Tracker(period_s=PERIOD_S, **options)
        self.time_s = 0.0

    def see(self, *rows, dt=PERIOD_S, **more):
        self.time_s += dt
        answer = self.tracker.update(*arrays(rows), self.time_s, SIZE_PX, **more)
        return dict(zip(FIELDS, answer, strict=True))

    def carry(self, dt=PERIOD_S, image=None):
        self.time_s += dt
        answer = self.tracker.carry(self.time_s, SIZE_PX, image=image)
        return dict(zip(FIELDS, answer, strict=True))


def box(x, y=200.0, width=40.0, height=80.0, score=0.9, class_id=0):
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2, score, class_id)


def scene(seed, frames=60, objects=8, thinned=0.15, jitter=0.04, noise=1.0):
    """Objects that cross the picture, seen with jitter and gaps; and boxes that mean nothing."""
    rng = np.random.default_rng(seed)
    start = rng.uniform((60, 60), (580, 420), (objects, 2))
    speed = rng.normal(0, 60, (objects, 2))
    size = rng.uniform((20, 40), (60, 120), (objects, 2))
    for frame in range(frames):
        centre = start + speed * frame * PERIOD_S
        seen = (rng.random(objects) > thinned) & (centre > 0).all(1) & (centre < SIZE_PX).all(1)
        rows = []
        for (x, y), (w, h) in zip(centre[seen], size[seen], strict=True):
            moved = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            moved += rng.normal(0, jitter, 4) * (w, h, w, h)
            rows.append([*moved, rng.uniform(0.15, 1), rng.integers(0, 2)])
        for _ in range(rng.poisson(noise)):
            x, y = rng.uniform(0, 400, 2)
            rows.append([x, y, x + 30, y + 30, rng.uniform(0.05, 0.5), 0])
        yield rows


def same(a, b, but=()):
    return all(np.array_equal(a[key], b[key]) for key in FIELDS if key not in but)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_detections_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    plain, mixed = Run(), Run()
    for rows in scene(seed):
        order = rng.permutation(len(rows))
        a, b = plain.see(*rows), mixed.see(*[rows[i] for i in order])
        assert same(a, b, but=("sources",))
        found = b["sources"] >= 0
        assert np.array_equal(order[b["sources"][found]], a["sources"][found])


@pytest.mark.parametrize("seed", range(4))
def test_identities_are_never_given_twice_and_count_from_one(seed):
    run = Run(lost_s=0.2)
    last, gone, before = 0, set(), set()
    for rows in scene(seed, frames=120, objects=14, thinned=0.4):
        ids = [key for key in run.see(*rows)["ids"].tolist() if key]
        assert len(set(ids)) == len(ids)
        new = [key for key in ids if key > last]
        assert sorted(new) == list(range(last + 1, last + 1 + len(new)))
        last = max([last, *ids])
        alive = set(run.tracker.predicted(run.time_s + PERIOD_S)[0].tolist())
        assert not gone & (set(ids) | alive)
        gone |= before - alive
        before = alive
    assert gone, "the scene must lose some"


def test_two_trackers_give_the_same_bits():
    a, b = Run(), Run()
    for rows in scene(9):
        assert same(a.see(*rows), b.see(*rows))


@pytest.mark.parametrize("seed", range(3))
def test_objects_come_best_first_and_rows_are_those_of_the_detections(seed):
    run = Run()
    for rows in scene(seed):
        got = run.see(*rows)
        boxes, scores, _ = arrays(rows)
        assert (np.diff(got["scores"]) <= 0).all()
        own = got["sources"] >= 0
        assert np.array_equal(own, ~got["carried"])
        assert np.array_equal(got["boxes"][own], boxes[got["sources"][own]])
        assert np.array_equal(got["scores"][own], scores[got["sources"][own]])
        assert (got["ids"][~own] > 0).all()


def test_weak_detections_keep_an_object_but_begin_none():
    run = Run(conf=0.25)
    for step in range(5):
        got = run.see(box(100 + step), box(400, score=0.15))
        assert got["ids"].tolist() == [1], "the weak one alone is not shown"
    got = run.see(box(106, score=0.12), box(400, score=0.15))
    assert got["ids"].tolist() == [1]
    assert got["scores"].tolist() == pytest.approx([0.12])
    assert not got["carried"][0]


def test_what_scores_below_the_floor_is_not_used():
    assert _native.tracking_floor(0.25) == pytest.approx(0.1)
    run = Run(conf=0.25)
    for _ in range(5):
        run.see(box(100))
    assert run.see(box(100, score=0.09))["carried"].tolist() == [True]


def test_a_lasting_detection_of_middling_score_is_shown_without_identity():
    run = Run(conf=0.25)
    for _ in range(40):
        got = run.see(box(100, score=0.4))
        assert got["ids"].tolist() == [0]
    surer = Run(conf=0.05)
    for _ in range(5):
        got = surer.see(box(100, score=0.5))
    assert got["ids"].tolist() == [1], "a lower conf asks for less"


def test_one_flickering_detection_changes_no_class_and_ends_no_identity():
    run = Run()
    for step in range(6):
        run.see(box(100 + step, class_id=2))
    got = run.see(box(106, class_id=7, score=0.99))
    assert (got["ids"].tolist(), got["class_ids"].tolist()) == ([1], [2])
    got = run.see(box(107, class_id=2))
    assert (got["ids"].tolist(), got["class_ids"].tolist()) == ([1], [2])


def test_a_class_that_lasts_is_taken_over():
    run = Run()
    for step in range(4):
        run.see(box(100 + step, class_id=2))
    seen = [run.see(box(104 + step, class_id=7))["class_ids"].tolist() for step in range(12)]
    assert seen[0] == [2]
    assert seen[-1] == [7]
    assert seen == sorted(seen), "it changes once"


def test_another_label_of_the_same_box_is_the_same_object():
    run = Run()
    for step in range(5):
        got = run.see(
            box(100 + step, class_id=2, score=0.9), box(100 + step, class_id=7, score=0.6)
        )
        assert got["ids"].tolist() == [1]
        assert got["class_ids"].tolist() == [2]


def test_a_missed_object_is_carried_along_its_way_and_then_let_go():
    run = Run()
    for step in range(20):
        run.see(box(100 + 4 * step))
    got = run.see()
    assert got["carried"].tolist() == [True]
    assert got["boxes"][0, [0, 2]].mean() == pytest.approx(180, abs=2)
    frames = 1
    while len(run.see()["ids"]) and frames < 50:
        frames += 1
    assert 1 <= frames <= 8


def test_an_object_hidden_for_a_second_keeps_its_identity():
    run = Run()
    for step in range(20):
        run.see(box(100 + 3 * step))
    for _ in range(25):
        run.see()
    got = run.see(box(100 + 3 * 42))
    assert got["ids"].tolist() == [1]
    assert not got["carried"][0]


def test_an_identity_ends_after_lost_s():
    run = Run(lost_s=0.5)
    for _ in range(10):
        run.see(box(100))
    for _ in range(15):
        run.see()
    assert 1 not in run.see(box(100))["ids"]


def test_an_object_that_leaves_the_picture_is_not_carried_outside():
    run = Run()
    for step in range(12):
        run.see(box(560 + 8 * step))
    assert run.see()["ids"].tolist() == []


@pytest.mark.parametrize("gap", [1, 3, 10])
def test_time_decides_how_far_an_object_went_not_the_count_of_frames(gap):
    run = Run()
    for step in range(20):
        run.see(box(50 + 4 * step))
    got = run.see(box(50 + 4 * (19 + gap)), dt=gap * PERIOD_S)
    assert got["ids"].tolist() == [1]
    where = run.tracker.predicted(run.time_s + 5 * PERIOD_S)[1]
    assert where[0, [0, 2]].mean() == pytest.approx(50 + 4 * (24 + gap), abs=3)


def test_a_scene_seen_at_uneven_times_keeps_its_identities():
    rng = np.random.default_rng(2)
    run, time_s = Run(), 0.0
    for _ in range(80):
        dt = float(rng.choice([0.02, 0.04, 0.12, 0.3]))
        time_s += dt
        rows = [box(60 + 25 * time_s, 100), box(560 - 25 * time_s, 300, class_id=1)]
        got = run.see(*rows, dt=dt)
        assert sorted(got["ids"].tolist()) == [1, 2]


def test_a_clock_that_stands_or_runs_back_counts_as_the_usual_period():
    steady, standing = Run(), _native.Tracker(period_s=PERIOD_S)
    for step, rows in enumerate(scene(5, frames=30)):
        a = steady.see(*rows)
        time_s = 7.0 if step < 15 else 3.0 - step
        b = dict(zip(FIELDS, standing.update(*arrays(rows), time_s, SIZE_PX), strict=True))
        assert np.array_equal(a["ids"], b["ids"])
        assert np.allclose(a["boxes"], b["boxes"], atol=1e-3)


def test_predictions_follow_the_kalman_filter_of_the_definition():
    """One object at uneven times; the figures are those docs/TRACKING.md states."""
    rng = np.random.default_rng(0)
    run = Run()
    mean = covariance = None
    size = np.array([60.0, 60.0])  # the sides are measured too, but never change here
    for step in range(25):
        dt = float(rng.uniform(0.02, 0.2))
        x = float(np.float32(100 + 5 * step + rng.normal(0, 2)))
        run.see(box(x, width=60, height=60), dt=dt)
        side = float(np.sqrt(size.prod()))
        if mean is None:
            mean = np.array([x, 0.0])
            covariance = np.diag([(0.1 * side) ** 2, (3 * side) ** 2])
        else:
            mean, covariance = definitions.kalman_predict(mean, covariance, dt, 0.5 * side**2)
            mean, covariance = definitions.kalman_update(mean, covariance, x, (0.1 * side) ** 2)
        ahead = definitions.kalman_predict(mean, covariance, 0.1, 0.5 * side**2)[0][0]
        boxes = run.tracker.predicted(run.time_s + 0.1)[1]
        assert boxes[0, [0, 2]].mean() == pytest.approx(ahead, abs=1e-2)


def test_carried_boxes_stay_on_what_moves_in_the_picture():
    """Unseen by the network, an object stops; without pictures the box would go on."""
    rng = np.random.default_rng(1)
    ground = rng.integers(90, 110, (480, 640, 1), np.uint8).repeat(3, axis=2)
    patch = np.kron(rng.integers(0, 256, (10, 10)), np.ones((8, 8))).astype(np.uint8)[..., None]

    def picture(x):
        image = ground.copy()
        image[160:240, round(x) - 40 : round(x) + 40] = patch
        return image

    with_pictures, without = Run(), Run()
    x = 200.0
    for _ in range(12):
        x += 4
        row = box(x, 200, 80, 80)
        with_pictures.see(row, image=picture(x))
        without.see(row)
    for _ in range(10):  # it stops
        got, blind = with_pictures.carry(image=picture(x)), without.carry()
    off = abs(got["boxes"][0, [0, 2]].mean() - x)
    assert got["carried"].all()
    assert off < 20
    assert off < 0.5 * abs(blind["boxes"][0, [0, 2]].mean() - x)


def test_masks_tell_apart_what_boxes_do_not():
    def crossing(masked):
        run = Run()
        for _ in range(10):
            run.see(box(200, class_id=0), box(230, class_id=0))
        first = run.tracker.predicted(run.time_s + PERIOD_S)[0]
        rows = [box(213), box(217)]
        more = {}
        if masked:  # the masks say: the right one is the first
            overlaps = np.array([[0.1, 0.9], [0.9, 0.1]], np.float32)
            more = {"mask_ids": first, "mask_overlaps": overlaps}
        got = run.see(*rows, **more)
        return dict(zip(got["sources"].tolist(), got["ids"].tolist(), strict=True))

    plain, masked = crossing(False), crossing(True)
    assert set(plain.values()) == set(masked.values()) == {1, 2}
    assert plain[0] == masked[1]


def test_what_is_no_number_and_what_has_no_area_is_left_out():
    run = Run()
    good = box(100)
    bad = [
        (np.nan, 0, 9, 9, 0.9, 0),
        (0, 0, np.inf, 9, 0.9, 0),
        (0, 0, 9, 9, np.nan, 0),
        (5, 5, 5, 9, 0.9, 0),
        (9, 9, 1, 1, 0.9, 0),
    ]
    for _ in range(4):
        got = run.see(*bad, good, *bad)
        assert got["ids"].tolist() == [1]
        assert got["sources"].tolist() == [5]


def test_nothing_gives_nothing():
    run = Run()
    for _ in range(3):
        assert all(len(run.see()[key]) == 0 for key in FIELDS)
    assert run.carry()["boxes"].shape == (0, 4)
    assert run.tracker.predicted(1.0)[1].shape == (0, 4)


def test_a_thousand_objects_keep_their_identities():
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(40) * 15 + 20, np.arange(25) * 18 + 15))
    run = Run()
    for step in range(6):
        rows = [box(a + step, b, 16, 20) for a, b in zip(x, y, strict=True)]
        got = run.see(*rows)
        by_row = got["ids"][np.argsort(got["sources"])]
        assert len(np.unique(by_row)) == 1000
        if step == 0:
            first = by_row
        assert np.array_equal(by_row, first)


any_edge = st.one_of(st.floats(-(2.0**100), 2.0**100, width=32), st.integers(-50, 700).map(float))
any_row = st.tuples(
    any_edge, any_edge, any_edge, any_edge, st.floats(0, 1, width=32), st.integers(-3, 3)
)


@settings(max_examples=80, deadline=None)
@given(
    frames=st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.one_of(st.none(), st.lists(any_row, max_size=6))),
        max_size=12,
    )
)
def test_any_boxes_at_any_times_are_survived(frames):
    tracker = _native.Tracker()
    for time_s, rows in frames:
        if rows is None:
            got = tracker.carry(time_s, SIZE_PX)
        else:
            got = tracker.update(*arrays(rows), time_s, SIZE_PX)
        boxes, scores, *_ = got
        assert np.isfinite(boxes).all()
        assert np.isfinite(scores).all()


def test_bad_arguments_are_named():
    for options, text in [
        ({"conf": 1.5}, "conf must be from 0 to 1, got 1.5"),
        ({"conf": float("nan")}, "conf must be"),
        ({"lost_s": -1.0}, "lost_s must be 0 or more"),
        ({"period_s": 0.0}, "period_s must be above 0"),
    ]:
        with pytest.raises(ValueError, match=text):
            _native.Tracker(**options)
    tracker = _native.Tracker()
    boxes, scores, class_ids = arrays([box(100)])
    with pytest.raises(ValueError, match="time_s must be finite"):
        tracker.update(boxes, scores, class_ids, np.inf, SIZE_PX)
    with pytest.raises(ValueError, match="size_px must be 1 or more, got 0x5"):
        tracker.carry(0, (0, 5))
    with pytest.raises(ValueError, match="image must be of size_px"):
        tracker.carry(0, (9, 9), image=np.zeros((9, 8, 3), np.uint8))
    with pytest.raises(TypeError, match="boxes must be float32"):
        tracker.update(boxes.astype(float), scores, class_ids, 0, SIZE_PX)
    with pytest.raises(ValueError, match="go together"):
        tracker.update(boxes, scores, class_ids, 0, SIZE_PX, mask_ids=np.zeros(1, np.int32))
    with pytest.raises(ValueError, match=r"mask_overlaps must be float32\[1, 1\]"):
        tracker.update(
            boxes, scores, class_ids, 0, SIZE_PX,
            mask_ids=np.zeros(1, np.int32), mask_overlaps=np.zeros((1, 2), np.float32),
        )  # fmt: skip
