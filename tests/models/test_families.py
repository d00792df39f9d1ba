"""Networks of other programs are told apart by their outputs, and nothing else is believed."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

import foreign_nets as nets
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg.errors import ConfigError, EdgesegError, OnnxModelError
from edgeseg.models import open_model
from edgeseg.network_spec import SemanticOutputs, YoloOutputs
from edgeseg.types import NO_CLASS

CELLS = 8 * 8 + 4 * 4 + 2 * 2
"""Of a 64 pixel input at strides of 8, 16 and 32."""


def zeros(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.zeros(shape, dtype)


def net(tmp_path: Path, *shapes: tuple[int, ...], **options: Any) -> Path:
    options.setdefault("metadata", nets.ultralytics())
    outputs = {f"output{i}": zeros(*shape) for i, shape in enumerate(shapes)}
    return nets.fixed_net(tmp_path / "net.onnx", outputs, **options)


@pytest.mark.parametrize(
    ("shapes", "family", "coefficients"),
    [
        ([(1, 3 * CELLS, 7)], "yolo-v5", 0),
        ([(1, 3 * CELLS, 39), (1, 32, 16, 16)], "yolo-v5", 32),
        ([(1, 3 * CELLS, 7), (1, 3, 8, 8, 7), (1, 3, 4, 4, 7)], "yolo-v5", 0),
        ([(1, 6, CELLS)], "yolo-v8", 0),
        ([(1, 38, CELLS), (1, 32, 16, 16)], "yolo-v8", 32),
        ([(1, 6, CELLS + 1)], "yolo-v8", 0),
        ([(1, 6, CELLS + 256)], "yolo-v8", 0),
        ([(1, 300, 6)], "yolo-v10", 0),
        ([(1, 300, 38), (1, 32, 16, 16)], "yolo-v10", 32),
    ],
)
def test_yolo_families_are_told_by_shape(tmp_path, shapes, family, coefficients):
    model = open_model(net(tmp_path, *shapes))
    assert model.family == family
    assert isinstance(model.outputs, YoloOutputs)
    assert (model.outputs.classes, model.outputs.coefficients) == (2, coefficients)
    assert model.class_names == ("cat", "dog")
    assert model.input_px == (64, 64)
    assert model.heads == ()
    assert (model.preprocessing.pad, model.preprocessing.sampling) == (114, "centres")


@pytest.mark.parametrize(
    ("shape", "family"),
    [((1, "boxes", 7), "yolo-v5"), ((1, 6, "boxes"), "yolo-v8"), (("n", 6, "boxes"), "yolo-v8")],
)
def test_open_shapes_take_the_size_asked_for(tmp_path, shape, family):
    path = net(
        tmp_path,
        tuple(2 if isinstance(edge, str) else edge for edge in shape),
        size=("width", "height"),
        batch="batch",
        shapes={"output0": shape},
        metadata=nets.ultralytics(imgsz="[96, 128]"),
    )
    model = open_model(path)
    assert (model.family, model.input_px) == (family, (128, 96))
    assert open_model(path, size=(320, 64)).input_px == (320, 64)
    with pytest.raises(OnnxModelError, match=r"300x200: both must be multiples of 32\n.*288x192"):
        open_model(path, size=(300, 200))


def test_boxes_after_nms_are_told_from_one_class_by_the_metadata(tmp_path):
    options = {"size": ("w", "h"), "shapes": {"output0": (1, "boxes", 6)}}
    one = nets.ultralytics(["cat"])
    assert open_model(net(tmp_path, (1, 9, 6), metadata=one, **options)).family == "yolo-v5"
    ended = one | {"args": "{'batch': 1, 'nms': True}"}
    assert open_model(net(tmp_path, (1, 9, 6), metadata=ended, **options)).family == "yolo-v10"
    ended = one | {"end2end": "True"}
    assert open_model(net(tmp_path, (1, 9, 6), metadata=ended, **options)).family == "yolo-v10"


def test_a_fixed_size_stays(tmp_path):
    path = net(tmp_path, (1, 6, CELLS))
    assert open_model(path, size=(64, 64)).input_px == (64, 64)
    with pytest.raises(OnnxModelError, match="exported at 64x64 and cannot run at 96x64"):
        open_model(path, size=(96, 64))


def test_names_come_from_the_user_first_then_the_side_toml_then_the_file(tmp_path):
    path = net(tmp_path, (1, 6, CELLS))
    (tmp_path / "net.toml").write_text('classes = ["ant", "bee"]')
    assert open_model(path).class_names == ("ant", "bee")
    (tmp_path / "two.names").write_text("asp\nboa\n")
    assert open_model(path, names=tmp_path / "two.names").class_names == ("asp", "boa")
    other = tmp_path / "other.toml"
    other.write_text('classes = ["x", "y"]')
    assert open_model(path, net_config=other).class_names == ("x", "y")
    (tmp_path / "one.names").write_text("asp\n")
    with pytest.raises(OnnxModelError, match=r"has 2 \(yolo-v8\) classes, 1 are named"):
        open_model(path, names=tmp_path / "one.names")


def test_80_classes_without_names_are_cocos_and_others_are_numbered(tmp_path, caplog):
    model = open_model(net(tmp_path, (1, 84, CELLS), metadata={}))
    assert model.class_names[:2] == ("person", "bicycle")
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        model = open_model(net(tmp_path, (1, 7, CELLS), metadata={}))
    assert model.class_names == ("0", "1", "2")
    assert "names none of its 3 classes: they are numbered" in caplog.text


def test_boxes_after_nms_need_names(tmp_path):
    with pytest.raises(OnnxModelError, match="does not say how many classes"):
        open_model(net(tmp_path, (1, 300, 6), metadata={}))


def test_the_precision_is_read_from_the_file(tmp_path):
    path = nets.fixed_net(
        tmp_path / "half.onnx", {"output0": zeros(1, 6, CELLS, dtype=np.float16)}, dtype="float16"
    )
    assert open_model(path, names=two(tmp_path)).precision == "fp16"
    assert open_model(net(tmp_path, (1, 6, CELLS))).precision == "fp32"


def two(folder: Path) -> Path:
    path = folder / "two.names"
    path.write_text("cat\ndog\n")
    return path


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 56, CELLS)],  # a pose, by its metadata
        [(1, 6, CELLS + 3)],
        [(1, 1000)],
        [(2, 6, CELLS)],
        [(1, 6, CELLS), (1, 3 * CELLS, 7)],
    ],
)
def test_what_fits_no_family_is_refused_with_all_that_was_seen(tmp_path, shapes):
    path = net(tmp_path, *shapes, metadata=nets.ultralytics(task="pose"))
    with pytest.raises(OnnxModelError) as caught:
        open_model(path)
    text = str(caught.value)
    assert "fits no family" in text or "classes, 2 are named" in text
    if "fits no family" in text:
        assert "input   images float32[1, 3, 64, 64]" in text
        for i, shape in enumerate(shapes):
            assert f"output  output{i} float32{list(shape)}" in text
        assert "task    pose" in text
        assert "docs/MODELS.md" in text


def test_raw_heads_of_other_exporters_are_no_class_maps(tmp_path):
    heads = [(1, 255, 13, 13), (1, 255, 26, 26), (1, 255, 52, 52)]
    with pytest.raises(OnnxModelError, match="fits no family"):
        open_model(net(tmp_path, *heads, size=(416, 416), metadata={}))
    with pytest.raises(OnnxModelError, match="fits no family"):
        open_model(net(tmp_path, heads[0], size=(416, 416), metadata={}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 4}, "takes 4 pictures at a time"),
        ({"dtype": "int64"}, "fits no family"),
    ],
)
def test_other_inputs_are_refused(tmp_path, options, message):
    with pytest.raises(OnnxModelError, match=message):
        open_model(net(tmp_path, (1, 6, CELLS), **options))


def test_two_readings_are_a_question(tmp_path):
    # 5 + 2 and 4 + 3 channels, both axes as long as there could be boxes.
    path = net(tmp_path, (1, 7, 7), size=("w", "h"), shapes={"output0": (1, "a", "b")}, metadata={})
    with pytest.raises(OnnxModelError, match="fits no family"):
        open_model(path)
    (tmp_path / "net.toml").write_text('family = "yolo-v5"')
    with pytest.raises(OnnxModelError, match="fits no family"):
        open_model(path)


# Semantic networks


def outputs_of(path: Path, **options: Any) -> SemanticOutputs:
    model = open_model(path, **options)
    assert model.family == "semantic"
    assert isinstance(model.outputs, SemanticOutputs)
    return model.outputs


def test_torchvisions_dictionary_is_read_at_out(tmp_path, caplog):
    for make in (nets.fcn, nets.deeplab):
        outputs = outputs_of(make(tmp_path / "net.onnx"))
        assert outputs == SemanticOutputs("out", 21)
    model = open_model(tmp_path / "net.onnx")
    assert model.fit == "stretch"
    assert model.input_px == (96, 64)
    assert model.class_names[20] == "20"
    gain, offset = model.preprocessing.gain, model.preprocessing.offset
    np.testing.assert_allclose(gain, [1 / 0.229, 1 / 0.224, 1 / 0.225])
    np.testing.assert_allclose(offset, [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    assert "they are numbered" in caplog.text


def test_one_channel_is_a_foreground_and_its_sigmoid_is_seen(tmp_path):
    outputs = outputs_of(nets.unet(tmp_path / "a.onnx"))
    assert (outputs.kind, outputs.floor, outputs.background) == ("foreground", 0.5, 0)
    logits = nets.unet(tmp_path / "b.onnx", sigmoid=False)
    assert outputs_of(logits).floor == 0
    (tmp_path / "b.toml").write_text('threshold = 0.8\nclasses = ["person"]')
    assert outputs_of(logits).floor == pytest.approx(np.log(4))
    assert open_model(logits).class_names == ("background", "person")
    (tmp_path / "b.toml").write_text('threshold = 0.8\nscores = "sigmoid"')
    assert outputs_of(logits).floor == 0.8


@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [
        ((1, 5, 64, 64), "nchw", 5),
        ((1, 64, 64, 5), "nhwc", 5),
        ((1, 64, 64, 1), "nhwc", 1),
        ((1, 64, 64, 50), "nhwc", 50),
        ((1, 50, 64, 64), "nchw", 50),
        ((1, 5, 8, 8), "nchw", 5),
    ],
)
def test_the_layout_of_scores_is_told_by_shape(tmp_path, shape, layout, channels):
    outputs = outputs_of(net(tmp_path, shape, metadata={}))
    assert (outputs.layout, outputs.channels) == (layout, channels)


def test_open_sizes_are_read_too(tmp_path):
    path = net(
        tmp_path, (1, 5, 4, 4), size=("w", "h"), metadata={},
        shapes={"output0": ("n", 5, "h", "w")},
    )  # fmt: skip
    assert open_model(path).input_px == (512, 512)
    assert open_model(path, size=(96, 60)).input_px == (96, 60)
    (tmp_path / "net.toml").write_text("size = [40, 30]")
    assert open_model(path).input_px == (40, 30)


def test_an_output_of_classes_needs_their_names(tmp_path):
    path = nets.fixed_net(tmp_path / "net.onnx", {"map": zeros(1, 64, 64, dtype=np.int64)})
    with pytest.raises(OnnxModelError, match="gives classes as numbers"):
        open_model(path)
    outputs = outputs_of(path, names=two(tmp_path))
    assert (outputs.kind, outputs.background) == ("index", None)


def test_the_side_toml_decides(tmp_path):
    path = nets.fcn(tmp_path / "net.onnx", classes=3)
    (tmp_path / "net.toml").write_text(
        'classes = ["road", "sky", "Background"]\noutput = "aux"\nscores = "sigmoid"\n'
        'threshold = 0.4\nresize = "letterbox"\ncolor = "bgr"\nscale = 1\n'
        "mean = [104, 117, 123]\nstd = 2\npad = 0\n"
    )
    model = open_model(path)
    assert model.outputs == SemanticOutputs("aux", 3, "nchw", "any", 0.4, 2)
    assert model.fit == "letterbox"
    assert model.preprocessing.color == "bgr"
    assert model.preprocessing.gain == (127.5, 127.5, 127.5)
    assert model.preprocessing.offset == (-52, -58.5, -61.5)
    assert model.preprocessing.pad == 0


def test_the_file_itself_may_hold_the_same_text(tmp_path):
    text = 'classes = ["road", "sky", "rest"]\nbackground = "rest"'
    path = nets.fcn(tmp_path / "net.onnx", classes=3, metadata={"edgeseg.net": text})
    assert open_model(path).class_names == ("road", "sky", "rest")
    assert outputs_of(path).background == 2
    (tmp_path / "net.toml").write_text("classes = ['a', 'b', 'c']")
    assert open_model(path).class_names == ("a", "b", "c")


def test_scores_each_for_itself_may_leave_a_pixel_of_no_class(tmp_path):
    path = nets.fcn(tmp_path / "net.onnx", classes=3)
    (tmp_path / "net.toml").write_text('classes = ["a", "b", "c"]\nscores = "logits"')
    assert outputs_of(path) == SemanticOutputs("out", 3, "nchw", "any", 0.0, NO_CLASS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('classes = ["a"]', "has 3 classes in its output out .*, 1 are named"),
        ('output = "left"', r"has no output 'left'\n.*out float32\[1, 3, 64, 96\], aux"),
        ('classes = ["a", "b", "c"]\nbackground = "d"', r"no class 'd'\n.*It has 3: a, b, c"),
        ("background = 3", "no class 3"),
        ('family = "yolo-v8"', "fits no family"),
        ('output_layout = "nhwc"\noutput = "out"', "has 96 classes|fits no family|no class"),
    ],
)
def test_a_side_toml_that_does_not_fit_is_refused(tmp_path, text, message):
    path = nets.fcn(tmp_path / "net.onnx", classes=3)
    (tmp_path / "net.toml").write_text(text)
    if "nhwc" in text:
        (tmp_path / "net.toml").write_text(text + '\nclasses = ["a"]')
        message = "has 96 classes in its output out"
    with pytest.raises((OnnxModelError, ConfigError), match=message):
        open_model(path)


def test_weights_listed_as_inputs_are_no_inputs(tmp_path):
    import onnx
    from onnx import helper

    path = nets.fcn(tmp_path / "net.onnx", classes=3)
    model = onnx.load(path)
    for tensor in list(model.graph.initializer):
        shape = list(tensor.dims)
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, shape)
        model.graph.input.insert(0, value)
    onnx.save(model, path)
    assert open_model(path).family == "semantic"


def test_the_sigmoid_is_seen_through_reshapes(tmp_path):
    net_ = nets.Net()
    last = net_.add("Sigmoid", net_.conv("input", 3, 1))
    shape = net_.weight(np.array([1, 64, 64, 1], np.int64))
    net_.add("Reshape", net_.add("Transpose", last, perm=[0, 2, 3, 1]), shape, name="mask")
    path = nets.save(
        tmp_path / "net.onnx",
        net_.nodes,
        {"input": ("float32", (1, 3, 64, 64))},
        {"mask": ("float32", (1, 64, 64, 1))},
        net_.weights,
    )
    assert outputs_of(path).floor == 0.5


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "foreign"
    path = folder / "net.onnx"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        nets.fcn(path, (32, 32), 2, metadata=nets.ultralytics())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = folder / "damaged.onnx"
    damaged.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(EdgesegError):
        assert open_model(damaged).family == "semantic"
