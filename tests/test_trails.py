"""Trails: where tracked objects came from."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.trails import MOST_POINTS, Trails, draw_trail
from edgeseg.types import Detections, Frame, Result, Tracks

RED = (0, 0, 255)


def result(time_s, boxes, ids, *, tracked=True):
    count = len(ids)
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.9, np.float32),
        np.zeros(count, np.int32),
    )
    tracks = Tracks(np.array(ids, np.int32), np.zeros(count, np.int32), np.zeros(count, np.bool_))
    frame = Frame(np.zeros((100, 100, 3), np.uint8), 0, time_s)
    return Result(frame, found, ("a",), tracks=tracks if tracked else None)


def test_a_trail_holds_the_middles_of_the_lower_edges():
    trails = Trails()
    trails.add(result(0.0, [[0, 0, 10, 20], [50, 50, 60, 60]], [1, 0]))
    trails.add(result(0.1, [[2, 0, 12, 22]], [1]))
    assert trails.of(1) == [(5, 20), (7, 22)]
    assert trails.of(0) == []
    assert trails.of(9) == []


def test_what_is_older_is_forgotten():
    trails = Trails(length_s=0.5)
    for step in range(20):
        trails.add(result(step / 10, [[step, 0, step + 2, 8]], [1]))
    assert len(trails.of(1)) == 6
    trails.add(result(5.0, [], []))
    assert trails.of(1) == []
    for step in range(3 * MOST_POINTS):
        trails.add(result(5 + step * 1e-4, [[0, 0, 2, 8]], [2]))
    assert len(trails.of(2)) == MOST_POINTS


def test_a_clock_that_runs_back_begins_new_trails():
    trails = Trails()
    trails.add(result(9.0, [[0, 0, 2, 8]], [1]))
    trails.add(result(0.0, [[4, 0, 6, 8]], [1]))
    assert trails.of(1) == [(5, 8)]


def test_results_without_tracks_leave_no_trail():
    trails = Trails()
    trails.add(result(0.0, [[0, 0, 2, 8]], [1], tracked=False))
    assert trails.of(1) == []


def test_a_trail_is_drawn_without_gaps_and_fades():
    picture = np.zeros((60, 80, 3), np.uint8)
    draw_trail(picture, [(10, 30), (40, 30), (70, 50)], RED, width_px=1)
    assert picture[..., :2].max() == 0
    columns = picture[..., 2].max(axis=0)
    assert (columns[10:70] > 0).all()
    assert (np.diff(columns[10:70].astype(int)) >= 0).all()
    assert columns[69] >= 250
    assert columns[10] < 70
    assert columns[:10].max() == columns[72:].max() == 0


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_trail_is_as_wide_as_asked(width):
    picture = np.zeros((40, 40, 3), np.uint8)
    draw_trail(picture, [(5, 20), (35, 20)], RED, width_px=width)
    assert (picture[:, 20, 2] > 0).sum() == width


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(5, 5)],
        [(5, 5), (5, 5)],
        [(-50, -50), (-10, 3)],
        [(1e9, 2), (-1e9, 4), (float("nan"), 1)],
        [(float("inf"), 0), (3, 3)],
    ],
)
def test_odd_trails_are_survived(points):
    draw_trail(np.zeros((20, 20, 3), np.uint8), points, RED)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="width_px must be 1 or more, got 0"):
        draw_trail(np.zeros((9, 9, 3), np.uint8), [(0, 0), (1, 1)], RED, width_px=0)
    with pytest.raises(ValueError, match="length_s must be above 0"):
        Trails(length_s=0)
