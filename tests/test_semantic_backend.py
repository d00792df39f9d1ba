"""Semantic networks: the map is what ONNX Runtime and NumPy's argmax give, exactly."""

from __future__ import annotations

from pathlib import Path

import foreign_nets as nets
import numpy as np
import onnxruntime as ort
import pytest

import edgeseg
from edgeseg.backends import open_backend
from edgeseg.backends.feeding import Feeder
from edgeseg.backends.semantic import classes_of
from edgeseg.errors import DeviceError, EngineError
from edgeseg.models import open_model
from edgeseg.network_spec import SemanticOutputs
from edgeseg.types import NO_CLASS, Frame


def picture(size_px: tuple[int, int] = (150, 90), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size_px[::-1], 3), np.uint8)


def reference(path: Path, image: np.ndarray, output: str) -> np.ndarray:
    """The output's scores, as ONNX Runtime gives them for edgeseg's input."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options)
    tensor = Feeder(open_model(path)).feed(Frame(image)).tensor
    (scores,) = session.run([output], {session.get_inputs()[0].name: tensor})
    return scores


def class_map(path: Path, image: np.ndarray, **options: object) -> np.ndarray:
    with edgeseg.Segmenter(path, segment="semantic", threads=1, **options) as segmenter:
        result = segmenter.predict(image)
    assert result.class_map is not None
    assert len(result.detections) == 0
    return result.class_map.classes


@pytest.mark.parametrize("make", [nets.fcn, nets.deeplab])
@pytest.mark.parametrize("classes", [21, 2, 150])
def test_fcn_and_deeplab_are_numpys_argmax(tmp_path, make, classes):
    path = make(tmp_path / "net.onnx", (96, 64), classes)
    scores = reference(path, picture(), "out")
    got = class_map(path, picture())
    np.testing.assert_array_equal(got, scores[0].argmax(axis=0))
    assert len(np.unique(got)) > 1 or classes == 2


def test_a_unet_with_many_classes_is_numpys_argmax(tmp_path):
    path = nets.unet(tmp_path / "net.onnx", (64, 96), 7, sigmoid=False)
    scores = reference(path, picture(), "mask")
    np.testing.assert_array_equal(class_map(path, picture()), scores[0].argmax(axis=0))


@pytest.mark.parametrize("sigmoid", [True, False])
def test_a_unet_with_one_channel_is_its_threshold(tmp_path, sigmoid):
    path = nets.unet(tmp_path / "net.onnx", sigmoid=sigmoid)
    scores = reference(path, picture(), "mask")[0, 0]
    got = class_map(path, picture())
    np.testing.assert_array_equal(got, scores > (0.5 if sigmoid else 0))
    assert 0 < got.mean() < 1


def test_sigmoids_of_many_classes_leave_the_rest_to_no_class(tmp_path):
    path = nets.fcn(tmp_path / "net.onnx", (32, 32), 4)
    (tmp_path / "net.toml").write_text('scores = "logits"\nthreshold = 0.6')
    scores = reference(path, picture(), "out")[0]
    expected = np.where(scores.max(axis=0) > np.log(1.5), scores.argmax(axis=0), NO_CLASS)
    got = class_map(path, picture())
    np.testing.assert_array_equal(got, expected)
    assert NO_CLASS in got


def test_classes_that_nobody_asked_for_become_background(tmp_path):
    path = nets.fcn(tmp_path / "net.onnx", (32, 32), 4)
    every = class_map(path, picture())
    got = class_map(path, picture(), classes="1,3")
    np.testing.assert_array_equal(got, np.where(np.isin(every, (1, 3)), every, NO_CLASS))
    (tmp_path / "net.toml").write_text("background = 0")
    got = class_map(path, picture(), classes="1,3")
    np.testing.assert_array_equal(got, np.where(np.isin(every, (1, 3)), every, 0))


SHAPES = [("nchw", (1, 3, 4, 5)), ("nhwc", (1, 4, 5, 3))]


@pytest.mark.parametrize(("layout", "shape"), SHAPES)
def test_both_layouts_of_scores_are_read(layout, shape):
    scores = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    expected = scores[0].argmax(axis=0 if layout == "nchw" else 2)
    outputs = SemanticOutputs("x", 3, layout)
    np.testing.assert_array_equal(classes_of(scores, outputs), expected)
    with pytest.raises(EngineError, match=r"gave float32.* as x, not scores of 4 channels"):
        classes_of(scores, SemanticOutputs("x", 4, layout))


@pytest.mark.parametrize("shape", [(1, 2, 2), (1, 1, 2, 2)])
def test_classes_that_the_network_chose_itself_are_taken(shape):
    classes = np.array([3, 0, -1, 70000], np.int64).reshape(shape)
    got = classes_of(classes, SemanticOutputs("x", 1, kind="index"))
    assert got.tolist() == [[3, 0], [NO_CLASS, NO_CLASS]]


def test_nothing_but_nan_is_background():
    scores = np.full((1, 1, 2, 2), np.nan, np.float32)
    assert not classes_of(scores, SemanticOutputs("x", 1, kind="foreground")).any()


TOML = """
classes = ["a", "b", "c"]
layout = "{layout}"
color = "{color}"
scale = 0.5
mean = [1, 2, 3]
std = [4, 5, 6]
resize = "{resize}"
pad = 10
"""


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_the_input_is_scaled_shifted_and_laid_out_as_said(tmp_path, layout, color, resize):
    shape = (1, 3, 32, 48) if layout == "nchw" else (1, 32, 48, 3)
    path = nets.save(
        tmp_path / "net.onnx", [], {"input": ("float32", shape)},
        {"scores": ("float32", (1, 3, 32, 48))}, {"scores": np.zeros((1, 3, 32, 48), np.float32)},
    )  # fmt: skip
    (tmp_path / "net.toml").write_text(TOML.format(layout=layout, color=color, resize=resize))
    image = np.full((10, 40, 3), (20, 30, 40), np.uint8)
    batch = Feeder(open_model(path)).feed(Frame(image))
    tensor = batch.tensor[0] if layout == "nchw" else batch.tensor[0].transpose(2, 0, 1)
    values = (40, 30, 20) if color == "rgb" else (20, 30, 40)
    for plane, value, mean, std in zip(tensor, values, (1, 2, 3), (4, 5, 6), strict=True):
        np.testing.assert_allclose(plane[16], (0.5 * value - mean) / std, atol=1e-5)
        rim = 0.5 * (10 if resize == "letterbox" else value) - mean
        np.testing.assert_allclose(plane[0], rim / std, atol=1e-5)
    x, y, width, height = batch.letterboxes[0].region_net
    assert (x, y, width, height) == ((0, 10, 48, 12) if resize == "letterbox" else (0, 0, 48, 32))


def test_a_map_coarser_than_the_input_knows_where_the_frame_lies(tmp_path):
    path = nets.fixed_net(
        tmp_path / "net.onnx", {"out": np.zeros((1, 3, 8, 8), np.float32)}, size=(64, 64)
    )
    (tmp_path / "net.toml").write_text('resize = "letterbox"\nclasses = ["a", "b", "c"]')
    with edgeseg.Segmenter(path) as segmenter:
        result = segmenter.predict(picture((100, 50)))
    assert result.class_map.region == (0, 2, 8, 4)
    assert result.to_dict()["classes"] == [{"class_id": 0, "class": "a", "area": 1.0}]


def test_pictures_of_bytes_go_to_networks_of_bytes(tmp_path):
    net = nets.Net()
    net.add("Cast", "images", name="out", to=1)
    path = nets.save(
        tmp_path / "net.onnx", net.nodes, {"images": ("uint8", (1, 3, 8, 8))},
        {"out": ("float32", (1, 3, 8, 8))}, {},
    )  # fmt: skip
    (tmp_path / "net.toml").write_text("scale = 1\nmean = 0\nstd = 1\nclasses = ['r', 'g', 'b']")
    image = np.full((8, 8, 3), (10, 250, 30), np.uint8)
    assert (class_map(path, image) == 1).all()


def test_cuda_is_refused_in_words(tmp_path):
    with pytest.raises(
        DeviceError, match="networks of the family semantic are read on the CPU only"
    ):
        open_backend("cuda", open_model(nets.fcn(tmp_path / "net.onnx")))
