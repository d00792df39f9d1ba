"""When frames of a video are shown."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.sinks.timeline import Timeline


@pytest.mark.parametrize("fps", [1, 7, 10, 24, 25, 29.97002997, 30, 50, 59.94005994, 60, 120])
def test_frames_of_a_constant_rate_have_equal_length(fps):
    line = Timeline(fps)
    ticks = [line.tick(i / fps) for i in range(1000)]
    assert ticks == [round(i * line.ticks_per_s / line.rate) for i in range(1000)]
    assert 1e4 <= line.ticks_per_s <= 65535


def test_known_rates_are_exact():
    assert Timeline(29.97002997).rate == Fraction(30000, 1001)
    assert Timeline(23.976).rate == Fraction(24000, 1001) or abs(
        Timeline(23.976).rate - Fraction(24000, 1001)
    ) < Fraction(1, 1000)


@pytest.mark.parametrize("fps", [None, 0, -5, float("nan"), float("inf"), 1e9])
def test_a_rate_that_makes_no_sense_is_taken_as_thirty(fps):
    assert Timeline(fps).rate == 30


def test_a_variable_rate_is_kept_and_starts_at_nothing():
    line = Timeline(25)
    times = [5.0, 5.04, 5.1, 6.5, 20.0]
    ticks = [line.tick(time) / line.ticks_per_s for time in times]
    assert [float(t) for t in ticks] == pytest.approx([0, 0.04, 0.1, 1.5, 15.0], abs=1e-4)


def test_times_that_jump_back_continue_one_frame_later():
    line = Timeline(10)
    seconds = [line.tick(t) / line.ticks_per_s for t in (0, 0.1, 0.2, 0.0, 0.1, 0.1)]
    assert [float(s) for s in seconds] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_chosen_rate_ignores_the_times():
    line = Timeline(2, constant=True)
    assert [float(line.tick(0) / line.ticks_per_s) for _ in range(3)] == [0, 0.5, 1]


@given(st.lists(st.floats(0, 1e6), max_size=50), st.sampled_from([None, 10, 29.97]), st.booleans())
def test_ticks_always_grow_by_a_millisecond_or_a_frame(times, fps, whole):
    line = Timeline(fps, whole_frames=whole)
    ticks = [line.tick(time) for time in times]
    least = 1 if whole else line.ticks_per_s / 1000 - 1
    assert all(b - a >= least for a, b in itertools.pairwise(ticks))
    assert ticks[:1] in ([], [0])
