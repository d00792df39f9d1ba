"""Promises about yolov3-tiny in fp16 and INT8, calibrated and judged on different pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from coco_eval import coco_map

from edgeseg.engines.onnxruntime import OnnxRuntimeEngine
from edgeseg.models.darknet.export import export
from edgeseg.quantize.calibrate import CalibrationSet, calibrate
from edgeseg.quantize.gate import LIMITS, compare, perceiver
from edgeseg.quantize.recipe import FP32, Recipe, Target
from edgeseg.quantize.scales import Range, Scales
from edgeseg.sources import open_source
from edgeseg.types import Frame, Model

pytestmark = [pytest.mark.needs_data, pytest.mark.timeout(600)]
TARGETS: tuple[Target, ...] = ("onnxruntime", "tensorrt")


@pytest.fixture(scope="module")
def scales(yolov3_tiny, data_dir: Path) -> Scales:
    folder = data_dir / "masks" / "train_coco_mixed" / "images"
    return calibrate(yolov3_tiny.cfg, yolov3_tiny.weights, CalibrationSet(str(folder), frames=48))


@pytest.fixture(scope="module")
def frames(data_dir: Path) -> list[Frame]:
    source = open_source(str(data_dir / "masks" / "coco_subset128" / "images"))
    found = (source.read() for _ in range(24))
    return [frame for frame in found if frame is not None]


@pytest.fixture
def made(yolov3_tiny, tmp_path: Path):
    def make(recipe: Recipe, name: str = "a.onnx") -> Model:
        files = yolov3_tiny
        return export(files.cfg, files.weights, tmp_path / name, names=files.names, recipe=recipe)

    return make


def test_int8_loses_a_point_of_map_at_most_and_fp16_a_third(made, scales, data_dir) -> None:
    recipes = {
        "fp32": FP32,
        "fp16": Recipe("fp16"),
        **{target: Recipe("int8", target=target, scales=scales) for target in TARGETS},
    }
    found = {
        name: 100 * coco_map(made(recipe, f"{name}.onnx").onnx_path, data_dir)[1]
        for name, recipe in recipes.items()
    }
    assert found["fp16"] >= found["fp32"] - 0.3, found
    for target in TARGETS:
        assert found[target] >= found["fp32"] - 1.0, found


@pytest.mark.parametrize("target", TARGETS)
def test_the_gate_lets_a_good_calibration_pass_and_refuses_broken_ones(
    made, scales, frames, target: Target
) -> None:
    reference = made(FP32, "reference.onnx")
    perceive = perceiver(OnnxRuntimeEngine(reference), reference)
    seen = {frame.index: perceive(frame) for frame in frames}

    def verdict(changed: Scales):
        model = made(Recipe("int8", target=target, scales=changed))
        candidate = perceiver(OnnxRuntimeEngine(model), model)
        return compare(lambda frame: seen[frame.index], candidate, frames, LIMITS["int8"])

    good = verdict(scales)
    assert good.passed, str(good)
    assert good.boxes >= 40
    rng = np.random.default_rng(0)
    for broken in (
        {name: bounds.scaled(8) for name, bounds in scales.ranges.items()},
        {name: Range(-x, x) for name, x in zip(scales.ranges, noise(rng, scales), strict=True)},
    ):
        refused = verdict(dataclasses.replace(scales, ranges=broken))
        assert not refused.passed, str(refused)


def noise(rng: np.random.Generator, scales: Scales) -> list[float]:
    return [float(value) for value in np.exp(rng.normal(1.5, 1.5, len(scales.ranges)))]
