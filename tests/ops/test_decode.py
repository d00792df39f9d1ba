"""decode: candidates from raw heads, against the float64 definition."""

from __future__ import annotations

import definitions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_heads import ANCHORS, FORMS, forms, labels, raw_head, spec_of

from edgeseg import _native
from edgeseg.backends.cpu import native_spec
from edgeseg.types import HeadSpec


def run(heads, specs, net_px=(96, 64), conf=0.25, labels="multi", **options):
    return _native.decode(
        heads, [native_spec(spec) for spec in specs], net_px, conf, labels, **options
    )


def check(heads, specs, net_px=(96, 64), conf=0.25, labels="multi") -> int:
    """Compare with the definition; scores within rounding of conf may fall either way."""
    found = run(heads, specs, net_px, conf, labels, max_candidates=1_000_000)
    boxes, scores, class_ids = found
    assert (boxes.dtype, scores.dtype, class_ids.dtype) == (np.float32, np.float32, np.int32)
    expected = definitions.decode(heads, specs, net_px, conf, labels)
    if len(scores) != len(expected[1]):
        low = definitions.decode(heads, specs, net_px, conf - 1e-6, labels)
        high = definitions.decode(heads, specs, net_px, conf + 1e-6, labels)
        assert len(high[1]) <= len(scores) <= len(low[1])
        return len(scores)
    np.testing.assert_array_equal(class_ids, expected[2])
    np.testing.assert_allclose(scores, expected[1], rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(boxes, expected[0], rtol=2e-6, atol=1e-4)
    return len(scores)


@forms
@labels
@pytest.mark.parametrize("classes", [1, 2, 80, 1000])
def test_decode_follows_the_definition(form, labels, classes):
    specs = [spec_of(form, classes), spec_of(form, classes, anchors=2)]
    heads = [raw_head(specs[0], 2, 3), raw_head(specs[1], 5, 7, seed=1)]
    assert check(heads, specs, conf=0.1, labels=labels) > 0 or FORMS[form]["kind"] == "region"


@forms
@labels
@pytest.mark.parametrize("conf", [0.0, 1e-7, 0.001, 0.3, 0.5, 0.999, 1.0])
def test_every_threshold_is_strict(form, labels, conf):
    spec = spec_of(form)
    found = check([raw_head(spec, 9, 17)], [spec], conf=conf, labels=labels)
    assert (found == 0) == (conf >= 0.999)


@pytest.mark.parametrize(("objectness", "score"), [(np.inf, 0), (0, np.inf)])
@labels
def test_a_score_of_exactly_conf_is_no_candidate(objectness, score, labels):
    spec = spec_of("v3", classes=1, anchors=1)
    head = np.array([0, 0, 0, 0, objectness, score], np.float32).reshape(6, 1, 1)
    assert len(run([head], [spec], conf=0.5, labels=labels)[1]) == 0
    assert run([head], [spec], conf=0.49999997, labels=labels)[1].tolist() == [0.5]


def test_objectness_must_pass_even_where_a_class_value_is_above_1():
    spec = spec_of("v4-csp", classes=1, anchors=1)
    head = np.array([0.5, 0.5, 0.5, 0.5, 0.4, 2], np.float32).reshape(6, 1, 1)
    assert len(run([head], [spec], conf=0.5)[1]) == 0
    assert len(run([head], [spec], conf=0.3)[1]) == 1


@settings(max_examples=60, deadline=None)
@given(
    form=st.sampled_from(sorted(FORMS)),
    labels=st.sampled_from(["multi", "best"]),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 40)),
    classes=st.integers(1, 9),
    conf=st.floats(0, 1, width=32),
    seed=st.integers(0, 1000),
)
def test_decode_follows_the_definition_everywhere(form, labels, shape, classes, conf, seed):
    spec = spec_of(form, classes)
    check([raw_head(spec, *shape, seed=seed)], [spec], (640, 352), conf, labels)


@forms
@labels
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_candidate_holds_a_number_that_is_not_finite(form, labels, bad):
    spec = spec_of(form)
    for channel in range(9):
        head = raw_head(spec, 4, 5)
        head[channel::9] = bad
        boxes, scores, _ = run([head], [spec], conf=0.1, labels=labels)
        assert np.isfinite(boxes).all()
        assert np.isfinite(scores).all()
        if np.isnan(bad) and channel < 5:
            assert len(scores) == 0


@forms
def test_nan_in_one_class_leaves_the_other_independent_classes(form):
    spec = spec_of(form)
    head = raw_head(spec, 3, 3)
    head[4::9] = 1
    head[5::9] = np.nan
    _, _, class_ids = run([head], [spec], conf=0.2)
    if spec.kind == "region" and spec.softmax:
        assert len(class_ids) == 0
    else:
        assert 0 not in class_ids
        assert len(class_ids) > 0


def test_infinite_objectness_and_class_count_as_certain():
    spec = spec_of("v3", classes=2, anchors=1)
    head = np.full((7, 1, 1), np.inf, np.float32)
    head[:4] = 0
    _, scores, class_ids = run([head], [spec], conf=0.9)
    assert scores.tolist() == [1, 1]
    assert class_ids.tolist() == [0, 1]


@pytest.mark.parametrize("size", [21, 88.8, 1000, 3e38, np.inf])
def test_a_wild_width_gives_a_finite_box_and_area(size):
    spec = spec_of("v3", classes=1, anchors=1)
    head = np.array([0, 0, size, size, 9, 9], np.float32).reshape(6, 1, 1)
    boxes, _, _ = run([head], [spec])
    assert len(boxes) == 1
    assert np.isfinite((boxes[0, 2] - boxes[0, 0]) * (boxes[0, 3] - boxes[0, 1]))


def test_candidates_come_by_head_anchor_row_column_class():
    specs = [spec_of("v3", classes=2, anchors=2), spec_of("v3", classes=2, anchors=1)]
    heads = [np.zeros((14, 2, 3), np.float32), np.zeros((7, 1, 2), np.float32)]
    boxes, _, class_ids = run(heads, specs, conf=0.1)
    assert len(boxes) == (2 * 2 * 3 + 2) * 2
    assert class_ids.tolist() == [0, 1] * 14
    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2)[::2]
    first_anchor = [(x, y) for y in (16, 48) for x in (16, 48, 80)]
    np.testing.assert_allclose(centres, [*first_anchor, *first_anchor, (24, 32), (72, 32)])


def test_best_label_takes_the_first_of_equal_classes():
    spec = spec_of("v3", classes=3, anchors=1)
    head = np.zeros((8, 1, 1), np.float32)
    head[6:] = 2
    _, _, class_ids = run([head], [spec], conf=0.1, labels="best")
    assert class_ids.tolist() == [1]


@forms
@pytest.mark.parametrize("limit", [1, 7, 50, 131])
def test_too_many_candidates_leave_the_best_in_candidate_order(form, limit):
    spec = spec_of(form)
    head = np.round(raw_head(spec, 9, 11) * 4) / 4  # coarse, for ties
    boxes, scores, class_ids = run([head], [spec], conf=0.01)
    assert len(scores) > limit
    keep = sorted(definitions.strict_order(scores)[:limit])
    got = run([head], [spec], conf=0.01, max_candidates=limit)
    for all_of_it, part in zip((boxes, scores, class_ids), got, strict=True):
        np.testing.assert_array_equal(part, all_of_it[keep])


@forms
def test_decode_reads_strided_and_read_only_heads_in_place(form):
    spec = spec_of(form)
    large = raw_head(HeadSpec(anchors_net=ANCHORS, classes=4, **FORMS[form]), 20, 30)
    view = large[::-1, 3:18:2, 5:22]
    view.flags.writeable = False
    packed = np.ascontiguousarray(view)
    for got, expected in zip(run([view], [spec]), run([packed[np.newaxis]], [spec]), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_yolov3_box_is_darknets():
    """get_yolo_box of yolo_layer.c by hand: cell (1, 0) of a 2x2 grid in 64x64."""
    spec = HeadSpec("yolo", ((20.0, 10.0),), classes=1)
    head = np.full((6, 2, 2), -9, np.float32)
    head[:, 0, 1] = [0, np.log(3), np.log(2), 0, 4, 4]
    boxes, scores, _ = run([head], [spec], (64, 64))
    np.testing.assert_allclose(boxes, [[48 - 20, 24 - 5, 48 + 20, 24 + 5]], rtol=1e-6)
    assert scores[0] == pytest.approx((1 / (1 + np.exp(-4))) ** 2, rel=1e-6)


@forms
@labels
@pytest.mark.parametrize("columns", [1, 3, 15, 16, 17, 33])
def test_a_lone_cell_is_found_wherever_it_lies(form, labels, columns):
    spec = spec_of(form, classes=5, anchors=1)
    quiet = np.full((10, 2, columns), 0 if spec.new_coords else -12, np.float32)
    for row, column in np.ndindex(2, columns):
        head = quiet.copy()
        head[:, row, column] = 0.5
        head[[4, 7], row, column] = 0.9 if spec.new_coords else 9
        boxes, scores, class_ids = run([head], [spec], (8 * columns, 16), 0.75, labels)
        assert class_ids.tolist() == [2]
        assert scores[0] > 0.75
        centre = (boxes[0, :2] + boxes[0, 2:]) / 2 / 8
        assert np.floor(centre).tolist() == [column, row]


@labels
def test_decode_of_an_untrained_network_keeps_the_best(labels):
    """So many candidates that the threshold rises again and again on the way."""
    spec = spec_of("v3", classes=20)
    head = raw_head(spec, 40, 40)
    boxes, scores, class_ids = run([head], [spec], conf=0.001, labels=labels, max_candidates=10**6)
    assert len(scores) > 4000
    keep = sorted(definitions.strict_order(scores)[:300])
    best = run([head], [spec], conf=0.001, labels=labels, max_candidates=300)
    for all_of_it, part in zip((boxes, scores, class_ids), best, strict=True):
        np.testing.assert_array_equal(part, all_of_it[keep])


def test_no_candidate_gives_empty_arrays():
    spec = spec_of("v3")
    boxes, scores, class_ids = run([np.full((27, 2, 2), -20, np.float32)], [spec])
    assert (boxes.shape, scores.shape, class_ids.shape) == ((0, 4), (0,), (0,))


def test_probabilities_are_accurate_over_the_whole_range():
    raw = np.concatenate([np.linspace(-87, 87, 20001), np.linspace(-1, 1, 2001)]).astype(np.float32)
    spec = HeadSpec("yolo", ((10.0, 10.0),), classes=1)
    head = np.zeros((6, 1, len(raw)), np.float32)
    head[4], head[5] = 200, raw
    _, scores, _ = run([head], [spec], conf=0.0)
    expected = definitions.sigmoid(raw.astype(np.float64))
    np.testing.assert_allclose(scores, expected, rtol=5e-7)
