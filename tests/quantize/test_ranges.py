"""Promises about histograms, thresholds and the scales file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.errors import ModelError
from edgeseg.quantize.histogram import HALF_BINS, Histogram
from edgeseg.quantize.scales import Range, Scales, read_scales
from edgeseg.quantize.thresholds import before_leaky, entropy_range, percentile_range

floats = st.floats(-1e6, 1e6, width=32)


def histogram_of(*arrays: np.ndarray) -> Histogram:
    histogram = Histogram()
    for array in arrays:
        histogram.add(np.asarray(array, np.float32))
    return histogram


def two_sided(seed: int = 0, count: int = 200_000) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, count).astype(np.float32)


@given(st.lists(floats, min_size=1, max_size=50), st.randoms())
def test_a_histogram_does_not_depend_on_the_order_of_its_numbers(values, random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    one, other = histogram_of(np.array(values)), histogram_of(*([v] for v in shuffled))
    assert one.limit == other.limit
    assert np.array_equal(one.counts, other.counts)
    assert one.total == len(values)


def test_a_histogram_counts_as_numpy_does() -> None:
    values = two_sided()
    histogram = histogram_of(values[:7], values[7:])
    edges = np.linspace(-histogram.limit, histogram.limit, 2 * HALF_BINS + 1)
    assert np.array_equal(histogram.counts, np.histogram(values, edges)[0])
    assert histogram.limit / 2 <= np.abs(values).max() < histogram.limit


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        histogram_of(np.array([1.0, value]))


@pytest.mark.parametrize("percent", [90.0, 99.9, 100.0])
def test_the_percentile_is_that_of_the_magnitudes(percent: float) -> None:
    values = two_sided()
    histogram = histogram_of(values)
    found = percentile_range(histogram, percent)
    expected = np.percentile(np.abs(values), percent)
    assert found.high == pytest.approx(expected, abs=2 * histogram.width)
    assert found.low == pytest.approx(-min(expected, -values.min()), abs=2 * histogram.width)


def test_a_side_that_ends_early_keeps_its_end() -> None:
    values = np.maximum(two_sided(), -0.25)
    found = percentile_range(histogram_of(values), 99.9)
    assert found.low == pytest.approx(-0.25, abs=0.01)
    assert found.high > 3


def test_entropy_cuts_a_lonely_outlier_off_and_keeps_the_bulk() -> None:
    values = np.append(two_sided(), 100.0)
    found = entropy_range(histogram_of(values))
    assert 2.5 < found.high < 12
    assert percentile_range(histogram_of(values), 100).high >= 100


def test_a_tensor_of_zeros_gets_a_range() -> None:
    zeros = histogram_of(np.zeros(100))
    for found in (percentile_range(zeros, 99.9), entropy_range(zeros)):
        assert found.low <= 0 < found.high


def test_the_range_before_a_leaky_relu_loses_less_than_the_whole_range() -> None:
    values = two_sided() * 3 - 2
    histogram = histogram_of(values)
    whole = percentile_range(histogram, 100)
    behind = Range(whole.low * 0.1, whole.high)
    chosen = before_leaky(histogram, behind, 0.1)

    def error(bounds: Range) -> float:
        step = (bounds.high - bounds.low) / 255
        clipped = np.clip(np.round(values / step) * step, bounds.low, bounds.high)
        return float(np.mean((leaky(clipped) - leaky(values)) ** 2))

    assert chosen.high == behind.high
    assert error(chosen) < 0.8 * error(whole)


def leaky(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, 0.1 * values, values)


def scales(**ranges: Range) -> Scales:
    return Scales(
        ranges,
        "percentile 99.9",
        {"source": "pictures", "frames": 8, "sha256": "0" * 64},
        {"cfg": "1" * 64, "weights": "2" * 64},
        (416, 352),
    )


@given(st.dictionaries(st.text(min_size=1), st.tuples(floats, floats), max_size=5))
def test_scales_come_back_from_their_file(tmp_path_factory, bounds) -> None:
    path = tmp_path_factory.mktemp("scales") / "a.scales.json"
    ranges = {name: Range.of(-abs(low), abs(high)) for name, (low, high) in bounds.items()}
    written = scales(**ranges)
    written.write(path)
    assert read_scales(path) == written
    assert read_scales(path).sha256 == written.sha256


@pytest.mark.parametrize(
    "damage",
    [
        lambda fields: fields.pop("tensors"),
        lambda fields: fields.update(format=2),
        lambda fields: fields["tensors"].update(a={"low": 1.0, "high": 2.0}),
        lambda fields: fields["tensors"].update(a={"low": -1.0, "high": float("inf")}),
        lambda fields: fields["tensors"].update(a=[1, 2]),
        lambda fields: fields.update(input_px=[416]),
        lambda fields: fields.update(input_px=["a", "b"]),
        lambda fields: fields.update(sources=None),
    ],
)
def test_a_damaged_scales_file_is_refused(tmp_path: Path, damage) -> None:
    path = tmp_path / "a.scales.json"
    fields = json.loads(scales(a=Range(-1, 1)).to_json())
    damage(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(ModelError, match="no scales file, or is damaged"):
        read_scales(path)


def test_a_file_that_is_no_json_or_is_absent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\x00{")
    with pytest.raises(ModelError, match="damaged"):
        read_scales(tmp_path / "a")
    with pytest.raises(ModelError, match="cannot be read"):
        read_scales(tmp_path / "none")


def test_scales_of_another_network_are_refused() -> None:
    with pytest.raises(ModelError, match="another weights file"):
        scales().check_sources({"cfg": "1" * 64, "weights": "3" * 64})
