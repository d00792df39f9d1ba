"""Promises about the INT8 and fp16 graphs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from darknet_nets import conv, heads_of, image, net, place
from onnx import numpy_helper

from edgeseg.errors import ModelError
from edgeseg.models.darknet.export import export
from edgeseg.models.onnx_model import read_model
from edgeseg.quantize.calibrate import CalibrationSet, calibrate
from edgeseg.quantize.graph import pool_first
from edgeseg.quantize.recipe import FP32, Recipe
from edgeseg.quantize.scales import Range, Scales

POOL = "[maxpool]\nsize=2\nstride=2\n"
SHORTCUT = "[shortcut]\nfrom=-3\nactivation=linear\n"
UPSAMPLE = "[upsample]\nstride=2\n"
ROUTE = "[route]\nlayers=-1,4\n"
TEXT = net(
    conv(16), POOL,  # 0, 1
    conv(16), conv(8, size=1), conv(16), SHORTCUT,  # 2 to 5
    conv(32, stride=2), conv(16, size=1), UPSAMPLE, ROUTE, conv(16),  # 6 to 10
    w=32, h=32,
)  # fmt: skip
ORT = Recipe("int8", target="onnxruntime", scales=Scales({}, "", {}, {}, (32, 32)))
TRT = dataclasses.replace(ORT, target="tensorrt")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network with every kind of layer that is quantized, and scales for it."""
    folder = tmp_path_factory.mktemp("small")
    cfg, weights, network = place(folder, TEXT)
    pictures = write_pictures(folder / "pictures", 16)
    scales = calibrate(cfg, weights, CalibrationSet(str(pictures), percent=100))
    return cfg, weights, network, scales


def write_pictures(folder: Path, count: int) -> Path:
    import cv2

    folder.mkdir()
    rng = np.random.default_rng(5)
    for number in range(count):
        picture = rng.integers(0, 256, (32, 32, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:02d}.png"), picture)
    return folder


def graph_of(path: Path):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    return model.graph, {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def made(small, tmp_path: Path, recipe: Recipe, name: str = "a.onnx", **options) -> Path:
    cfg, weights, _, scales = small
    if recipe.scales is not None:
        recipe = dataclasses.replace(recipe, scales=scales)
    export(cfg, weights, tmp_path / name, recipe=recipe, **options)
    return tmp_path / name


@pytest.mark.parametrize("keep", ["ends", "heads", "none"])
@pytest.mark.parametrize("target", ["tensorrt", "onnxruntime"])
def test_int8_heads_are_close_to_fp32(small, tmp_path: Path, target, keep) -> None:
    images = image(small[2])
    expected = heads_of(made(small, tmp_path, FP32), images)[0]
    recipe = dataclasses.replace(ORT, target=target, keep=keep)
    seen = heads_of(made(small, tmp_path, recipe, "b.onnx"), images)[0]
    spread = expected.std()
    assert 0 < np.sqrt(np.mean((seen - expected) ** 2)) < 0.06 * spread


def test_tensorrts_pairs_are_symmetric_and_stand_where_it_fuses_them(small, tmp_path) -> None:
    graph, arrays = graph_of(made(small, tmp_path, TRT))
    maker = {name: node for node in graph.node for name in node.output}
    pairs = [n for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    for node in pairs:
        zero = arrays[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
        assert arrays[node.input[1]].dtype == np.float16
    assert not any(array.dtype == np.int32 for array in arrays.values())
    takers = {maker[n.output[0]].input[0]: n for n in pairs if n.op_type == "QuantizeLinear"}
    read = {name for n in graph.node for name in n.input}
    convs = [n for n in graph.node if n.op_type == "Conv"]
    kept = {convs[0].name, convs[-1].name}
    for node in convs:
        kinds = [maker[i].op_type if i in maker else "" for i in node.input]
        quantized = ["DequantizeLinear", "DequantizeLinear", ""]
        assert (kinds == quantized) == (node.name not in kept)
    (add,) = [n for n in graph.node if n.op_type == "Add"]
    assert {maker[i].op_type for i in add.input} == {"DequantizeLinear"}
    # Nothing stands between a convolution and its activation, and no pair is idle.
    assert all(maker[t].op_type != "Conv" for t in takers if t in maker)
    assert {n.output[0] for n in pairs} <= read


def test_weights_are_int8_by_filter_within_half_a_step(small, tmp_path: Path) -> None:
    _, exact = graph_of(made(small, tmp_path, FP32))
    for recipe, name in ((ORT, "ort.onnx"), (TRT, "trt.onnx")):
        _, arrays = graph_of(made(small, tmp_path, recipe, name))
        quantized = [n.removesuffix("_q") for n in arrays if n.endswith("_weight_q")]
        assert len(quantized) >= 6
        for weight in quantized:
            steps = arrays[f"{weight}_scale"].astype(np.float64)[:, None, None, None]
            values = arrays[f"{weight}_q"]
            assert values.dtype == np.int8
            assert values.min() >= -127
            channels = exact[weight].shape[1]
            assert not values[:, channels:].any()
            errors = np.abs(values[:, :channels] * steps - exact[weight])
            assert (errors <= 0.501 * steps).all()


def test_onnx_runtime_runs_all_but_the_head_in_8_bits(small, tmp_path: Path) -> None:
    path = made(small, tmp_path, ORT)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    nodes = [n.op_type for n in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert nodes.count("QLinearConv") == 7
    assert nodes.count("QLinearLeakyRelu") == 7
    assert nodes.count("QLinearAdd") == nodes.count("QLinearConcat") == 1
    assert nodes.count("Conv") == nodes.count("QuantizeLinear") == 1
    assert nodes.count("DequantizeLinear") == 1


def test_pooling_before_the_activation_changes_no_bit(small, tmp_path, monkeypatch) -> None:
    before = made(small, tmp_path, FP32)
    monkeypatch.setattr(
        "edgeseg.models.darknet.export._apply",
        lambda recipe, builder, heads: pool_first(builder, ["head_0"]),
    )
    after = made(small, tmp_path, FP32, "b.onnx")
    order = [n.op_type for n in onnx.load(after).graph.node][:3]
    assert order == ["Conv", "MaxPool", "LeakyRelu"]
    images = image(small[2])
    assert np.array_equal(heads_of(before, images)[0], heads_of(after, images)[0])


@pytest.mark.parametrize("recipe", [ORT, TRT, Recipe("fp16"), Recipe("fp16", io="fp16")])
def test_the_same_recipe_gives_the_same_bytes(small, tmp_path: Path, recipe) -> None:
    first = made(small, tmp_path, recipe)
    assert first.read_bytes() == made(small, tmp_path, recipe, "b.onnx").read_bytes()


@pytest.mark.parametrize("recipe", [ORT, TRT, Recipe("fp16")])
def test_the_batch_may_stay_open(small, tmp_path: Path, recipe) -> None:
    path = made(small, tmp_path, recipe, batch=None)
    images = image(small[2], batch=3)
    together = heads_of(path, images)[0]
    single = np.concatenate([heads_of(path, images[i : i + 1])[0] for i in range(3)])
    assert np.allclose(together, single, atol=1e-3)


@pytest.mark.parametrize("io", ["fp32", "fp16"])
def test_fp16_has_no_float32_inside_and_is_close(small, tmp_path: Path, io) -> None:
    path = made(small, tmp_path, Recipe("fp16", io=io))
    graph, arrays = graph_of(path)
    wide = {name for name, array in arrays.items() if array.dtype == np.float32}
    assert wide == {n.input[2] for n in graph.node if n.op_type == "Resize"}
    casts = sum(n.op_type == "Cast" for n in graph.node)
    assert casts == (2 if io == "fp32" else 0)
    images = image(small[2])
    expected = heads_of(made(small, tmp_path, FP32, "b.onnx"), images)[0]
    seen = heads_of(path, images.astype(np.float16) if io == "fp16" else images)[0]
    assert seen.dtype == (np.float16 if io == "fp16" else np.float32)
    assert np.abs(seen - expected).max() < 0.01 * np.abs(expected).max()


def test_a_weight_too_large_for_fp16_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    text = net(conv(8, act="linear", batch_normalize=0))
    cfg, weights, _ = place(tmp_path, text)
    content = bytearray(weights.read_bytes())
    content[-4:] = np.float32(70000).tobytes()
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="too large for fp16"):
        export(cfg, weights, tmp_path / "a.onnx", recipe=Recipe("fp16"))
    assert not list(tmp_path.glob("a.onnx*"))


def test_the_model_says_its_precision_and_where_its_scales_come_from(small, tmp_path) -> None:
    path = made(small, tmp_path, ORT)
    assert read_model(path).precision == "int8"
    text = path.read_bytes()
    assert small[3].sha256.encode() in text
    assert b"int8 for onnxruntime, heads kept" in text


def test_scales_without_a_tensor_of_the_network_are_refused(small, tmp_path: Path) -> None:
    cfg, weights, _, scales = small
    fewer = dataclasses.replace(scales, ranges={"other": Range(-1, 1)})
    recipe = dataclasses.replace(ORT, scales=fewer)
    with pytest.raises(ModelError, match="do not have the tensor"):
        export(cfg, weights, tmp_path / "a.onnx", recipe=recipe)


def test_scales_of_other_weights_are_refused(small, tmp_path: Path) -> None:
    cfg, weights, _ = place(tmp_path, TEXT, seed=2)
    recipe = dataclasses.replace(ORT, scales=small[3])
    with pytest.raises(ModelError, match="another weights file"):
        export(cfg, weights, tmp_path / "a.onnx", recipe=recipe)


def test_a_recipe_that_cannot_be_is_no_recipe() -> None:
    with pytest.raises(ValueError, match="needs scales"):
        Recipe("int8")
    with pytest.raises(ValueError, match="half-precision"):
        Recipe("fp32", io="fp16")
