"""decode on CUDA: the CPU's candidates bit for bit, in the strict order."""

from __future__ import annotations

import definitions
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_heads import FORMS, forms, labels, raw_head, spec_of

from edgeseg import _native
from edgeseg.backends.cpu import native_spec


def twin(heads, specs, net_px, conf, labels="multi", max_candidates=4096):
    wide = [head.astype(np.float32) for head in heads]
    native_specs = [native_spec(spec) for spec in specs]
    found = _native.decode(wide, native_specs, net_px, conf, labels, max_candidates=max_candidates)
    order = definitions.strict_order(found[1])
    return tuple(array[order] for array in found)


def check(ops, heads, specs, net_px=(96, 64), conf=0.25, labels="multi", **options) -> int:
    found = ops.decode(heads, specs, net_px, conf, labels, **options)
    expected = twin(heads, specs, net_px, conf, labels, **options)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    return len(found[1])


@forms
@labels
@pytest.mark.parametrize("classes", [1, 2, 31, 32, 33, 80])
def test_decode_gives_the_bits_of_the_cpu(ops, form, labels, classes):
    specs = [spec_of(form, classes), spec_of(form, classes, anchors=2)]
    heads = [raw_head(specs[0], 2, 3), raw_head(specs[1], 5, 7, seed=1)]
    assert check(ops, heads, specs, conf=0.1, labels=labels) > 0 or FORMS[form]["kind"] == "region"


@forms
@labels
def test_decode_widens_float16_heads(ops, form, labels):
    spec = spec_of(form, 20)
    heads = [raw_head(spec, 9, 13).astype(np.float16)]
    heads[0][:, 0, 0] = [0.00003, -0.0, 6e-8, -6e-8, 1, *[2] * 20] * 3  # some below 2^-14
    assert check(ops, heads, [spec], conf=0.05, labels=labels) > 0


def test_decode_follows_the_definition(ops):
    spec = spec_of("v3")
    head = raw_head(spec, 9, 17)
    boxes, scores, class_ids = ops.decode([head], [spec], (96, 64), 0.3)
    expected = definitions.decode([head], [spec], (96, 64), 0.3)
    order = definitions.strict_order(expected[1])
    np.testing.assert_array_equal(class_ids, expected[2][order])
    np.testing.assert_allclose(scores, expected[1][order], rtol=2e-6)
    np.testing.assert_allclose(boxes, expected[0][order], rtol=2e-6, atol=1e-4)


@forms
@labels
@pytest.mark.parametrize("conf", [0.0, 0.001, 0.3, 0.999, 1.0])
def test_every_threshold_is_strict(ops, form, labels, conf):
    spec = spec_of(form)
    found = check(ops, [raw_head(spec, 9, 17)], [spec], conf=conf, labels=labels)
    assert (found == 0) == (conf >= 0.999)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(sorted(FORMS)),
    labels=st.sampled_from(["multi", "best"]),
    shapes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 20)), min_size=1, max_size=4),
    classes=st.integers(1, 40),
    conf=st.floats(0, 1, width=32),
    seed=st.integers(0, 1000),
)
def test_any_heads_give_the_bits_of_the_cpu(ops, form, labels, shapes, classes, conf, seed):
    specs = [spec_of(form, classes, 1 + i % 3) for i in range(len(shapes))]
    heads = [raw_head(specs[i], *shape, seed=seed + i) for i, shape in enumerate(shapes)]
    check(ops, heads, specs, (640, 352), conf, labels)


@forms
@labels
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_candidate_holds_a_number_that_is_not_finite(ops, form, labels, bad):
    spec = spec_of(form)
    for channel in range(9):
        head = raw_head(spec, 4, 5)
        head[channel::9] = bad
        check(ops, [head], [spec], conf=0.1, labels=labels)


@forms
@pytest.mark.parametrize("limit", [1, 7, 50, 131])
def test_too_many_candidates_leave_the_best(ops, form, limit):
    spec = spec_of(form)
    head = np.round(raw_head(spec, 9, 11) * 4) / 4  # coarse, for ties
    assert check(ops, [head], [spec], conf=0.01, max_candidates=limit) == limit


def test_of_ten_thousand_candidates_4096_stay(ops):
    spec = spec_of("v3", 40)
    assert check(ops, [raw_head(spec, 13, 13)], [spec], conf=0.0) == 4096


def test_only_wanted_classes_become_candidates(ops):
    spec = spec_of("v3", 40)
    head, wanted = raw_head(spec, 5, 7), np.arange(40) % 3 == 0
    boxes, scores, class_ids = twin([head], [spec], (96, 64), 0.2)
    found = ops.decode([head], [spec], (96, 64), 0.2, wanted=wanted)
    keep = wanted[class_ids]
    assert 0 < keep.sum() < len(keep)
    for got, want in zip(found, (boxes[keep], scores[keep], class_ids[keep]), strict=True):
        np.testing.assert_array_equal(got, want)


def test_decode_can_be_captured_in_a_graph(ops, monkeypatch):
    monkeypatch.setattr(ops, "graph", True)
    spec = spec_of("v3", 40)
    assert check(ops, [raw_head(spec, 13, 9)], [spec], conf=0.2) > 0
