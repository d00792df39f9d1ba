"""The exported graph computes what Darknet's definition says, and is a sound ONNX file."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import darknet_nets as nets
import definitions_darknet
import numpy as np
import onnx
import pytest
from darknet_nets import conv, net

from edgeseg.errors import DarknetError, ModelError
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.export import export
from edgeseg.models.darknet.options import ACTIVATIONS
from edgeseg.models.darknet.plan import plan_network
from edgeseg.models.darknet.weights import read_weights, write_random_weights
from edgeseg.models.onnx_model import read_model

LAYERS = {
    "convolution of stride 2": net(conv(8, stride=2)),
    "convolution without padding": net(conv(6, pad=0)),
    "convolution with its own padding": net(conv(6, size=5, pad=0, padding=1)),
    "convolution of even size": net(conv(6, size=2)),
    "convolution of two strides": net(conv(6, stride_x=2, stride_y=4), w=16, h=24),
    "convolution with groups": net(conv(8), conv(12, groups=4)),
    "depthwise convolution": net(conv(8), conv(8, groups=8)),
    "convolution with dilation": net(conv(6, dilation=2)),
    "convolution without batch norm": net(conv(6, batch_normalize=0)),
    "convolution of default activation": net("[convolutional]\nfilters=5\nsize=1\n"),
    "maxpool 2/2": net(conv(6), "[maxpool]\nsize=2\nstride=2\n"),
    "maxpool 2/1": net(conv(6), "[maxpool]\nsize=2\nstride=1\n"),
    "maxpool 3/2": net(conv(6), "[maxpool]\nsize=3\nstride=2\n"),
    "maxpool 5/1 as in SPP": net(conv(6), "[maxpool]\nsize=5\nstride=1\n"),
    "maxpool without padding": net(conv(6), "[maxpool]\nsize=3\nstride=1\npadding=0\n"),
    "maxpool of two strides": net(conv(6), "[maxpool]\nsize=2\nstride_x=2\nstride_y=1\n"),
    "local_avgpool": net(conv(6), "[local_avgpool]\nsize=3\nstride=2\n"),
    "upsample": net(conv(6, stride=2), "[upsample]\nstride=2\n"),
    "upsample with scale": net(conv(6, stride=2), "[upsample]\nstride=2\nscale=0.5\n"),
    "route of two": net(conv(6), conv(4), "[route]\nlayers=-1, 0\n"),
    "route of a group": net(conv(6), "[route]\nlayers=-1\ngroups=3\ngroup_id=1\n"),
    "route of groups of two": net(
        conv(6), conv(4), "[route]\nlayers=-1,-2\ngroups=2\ngroup_id=1\n"
    ),
    "route back": net(conv(6), conv(4), "[route]\nlayers=0\n"),
    "shortcut": net(conv(6), conv(6), "[shortcut]\nfrom=-2\nactivation=leaky\n"),
    "shortcut from more channels": net(conv(8), conv(5), "[shortcut]\nfrom=-2\n"),
    "shortcut from fewer channels": net(conv(5), conv(8), "[shortcut]\nfrom=-2\n"),
    "shortcut of three": net(conv(5), conv(7), conv(6), "[shortcut]\nfrom=-2,-3\n"),
    "squeeze and excitation": net(
        conv(6), "[avgpool]\n", conv(6, size=1, act="logistic"),
        "[scale_channels]\nfrom=-3\nactivation=relu\n",
    ),
    "scale_channels with scale_wh": net(
        conv(6), conv(1, act="logistic"), "[scale_channels]\nfrom=-2\nscale_wh=1\n"
    ),
    "sam": net(conv(6), conv(6, act="logistic"), "[sam]\nfrom=-2\n"),
    "reorg": net(conv(8), "[reorg]\nstride=2\n"),
    "reorg of 3": net(conv(9), "[reorg]\nstride=3\n", w=12, h=18),
    "reorg reversed": net(conv(8, stride=2), "[reorg]\nstride=2\nreverse=1\n"),
    "dropout": net(conv(6), "[dropout]\nprobability=.5\n"),
    "activation": net(conv(6, act="linear"), "[activation]\nactivation=tanh\n"),
}  # fmt: skip


def assert_defined(folder: Path, text: str, tolerance: float = 2e-6, **options: object) -> None:
    cfg, weights, network = nets.place(folder, text)
    model = export(cfg, weights, folder / "net.onnx", **options)
    onnx.checker.check_model(str(model.onnx_path), full_check=True)
    images = nets.image(network)
    got = nets.heads_of(model.onnx_path, images)
    expected = definitions_darknet.run(
        text, weights.read_bytes(), images[0], str(options.get("epsilon", "opencv"))
    )
    assert len(got) == len(expected) == len(model.heads)
    for ours, right, layer in zip(got, expected, network.heads, strict=True):
        assert ours.shape == (1, *layer.shape) == (1, *right.shape)
        np.testing.assert_allclose(ours[0], right, rtol=0, atol=tolerance * np.abs(right).max())


@pytest.mark.parametrize("text", LAYERS.values(), ids=LAYERS.keys())
def test_layers_follow_the_definition(text: str, tmp_path: Path) -> None:
    assert_defined(tmp_path, text)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_follow_the_definition(name: str, tmp_path: Path) -> None:
    # The first layer's values are small: a second one with large biases reaches every branch.
    text = net(conv(8, act="linear"), conv(8, act=name), w=8, h=8)
    cfg, weights, network = nets.place(tmp_path, text)
    scale_biases(weights, network.layers[1].offset, 8)
    model = export(cfg, weights, tmp_path / "net.onnx")
    images = nets.image(network)
    (got,) = nets.heads_of(model.onnx_path, images)
    (expected,) = definitions_darknet.run(text, weights.read_bytes(), images[0])
    np.testing.assert_allclose(got[0], expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def scale_biases(weights: Path, offset: int, count: int) -> None:
    content = bytearray(weights.read_bytes())
    values = np.linspace(-9, 9, count).astype("<f4")
    content[20 + offset : 20 + offset + 4 * count] = values.tobytes()
    weights.write_bytes(content)


@pytest.mark.parametrize("epsilon", ["opencv", "pjreddie", "alexeyab"])
def test_batch_norm_divides_as_the_named_lineage(epsilon: str, tmp_path: Path) -> None:
    text = net(conv(6), w=8, h=8)
    cfg, weights, network = nets.place(tmp_path, text)
    content = bytearray(weights.read_bytes())
    tiny = np.full(6, 3e-6, "<f4")  # here the three differ by a factor
    content[20 + 4 * 18 : 20 + 4 * 24] = tiny.tobytes()
    weights.write_bytes(content)
    model = export(cfg, weights, tmp_path / "net.onnx", epsilon=epsilon)
    images = nets.image(network)
    (got,) = nets.heads_of(model.onnx_path, images)
    (expected,) = definitions_darknet.run(text, weights.read_bytes(), images[0], epsilon)
    np.testing.assert_allclose(got[0], expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_several_heads_come_in_cfg_order_whatever_their_depth(tmp_path: Path) -> None:
    text = net(
        conv(8, stride=2), nets.HEAD, "[route]\nlayers=0\n", conv(6, stride=2), nets.HEAD,
        "[route]\nlayers=3\n", conv(6, act="mish"),
    )  # fmt: skip
    assert_defined(tmp_path, text)


def test_two_heads_may_read_one_layer(tmp_path: Path) -> None:
    again = "\n[route]\nlayers=-2\n[yolo]\nmask=1,2\nanchors=4,6, 10,12, 20,30\nclasses=2\nnum=3\n"
    assert_defined(tmp_path, net(conv(6), head=nets.HEAD + again))


def test_layers_that_no_head_needs_are_left_out_but_their_weights_are_consumed(
    tmp_path: Path,
) -> None:
    text = net(conv(8), conv(64), "[route]\nlayers=0\n")
    assert_defined(tmp_path, text)
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert not [node.name for node in graph.node if node.name.startswith("001")]
    assert "001_convolutional_weight" not in [tensor.name for tensor in graph.initializer]


def test_every_initializer_is_read_and_every_name_is_unique(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, "".join(LAYERS["shortcut of three"]))
    graph = onnx.load(export(cfg, weights, tmp_path / "net.onnx").onnx_path).graph
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    assert names[:2] == ["000_convolutional", "000_convolutional_leaky"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, LAYERS["reorg"])
    first = export(cfg, weights, tmp_path / "a.onnx")
    second = export(cfg, weights, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert first.sha256 == second.sha256 == read_model(tmp_path / "b.onnx").sha256


def test_a_dynamic_batch_takes_any_number_and_a_fixed_one_its_own(tmp_path: Path) -> None:
    cfg, weights, network = nets.place(tmp_path, LAYERS["reorg"])
    dynamic = export(cfg, weights, tmp_path / "any.onnx", batch=None)
    fixed = export(cfg, weights, tmp_path / "two.onnx", batch=2)
    images = nets.image(network, batch=2)
    np.testing.assert_array_equal(
        nets.heads_of(dynamic.onnx_path, images)[0], nets.heads_of(fixed.onnx_path, images)[0]
    )
    assert nets.heads_of(dynamic.onnx_path, images[:1])[0].shape[0] == 1
    assert (dynamic.batch, fixed.batch) == (None, 2)


def test_size_replaces_the_size_of_the_cfg(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8, stride=4)))
    model = export(cfg, weights, tmp_path / "net.onnx", size=(24, 8))
    network = plan_network(parse_cfg(cfg), (24, 8))
    assert model.input_px == (24, 8)
    (head,) = nets.heads_of(model.onnx_path, nets.image(network))
    assert head.shape == (1, 14, 2, 6)


def test_the_model_that_is_read_back_equals_the_one_exported(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    (tmp_path / "net.names").write_text("cat\r\ndog\r\n\r\n")
    model = export(cfg, weights, tmp_path / "net.onnx", name="pets")
    assert read_model(tmp_path / "net.onnx") == model
    assert model.class_names == ("cat", "dog")
    assert model.name == "pets"
    assert model.heads[0].anchors_net == ((4.0, 6.0), (10.0, 12.0))


def test_region_anchors_become_network_pixels(tmp_path: Path) -> None:
    region = "\n[region]\nanchors=0.5,1, 2,3\nclasses=2\ncoords=4\nnum=2\nsoftmax=1\n"
    head = nets.HEAD.split("[yolo]", maxsplit=1)[0] + region
    cfg, weights, _ = nets.place(tmp_path, net(conv(8, stride=4), head=head, w=32))
    (spec,) = export(cfg, weights, tmp_path / "net.onnx").heads
    assert spec.kind == "region"
    assert spec.softmax
    assert spec.anchors_net == ((2.0, 4.0), (8.0, 12.0))


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    heard: list[tuple[int, int]] = []
    export(
        cfg, weights, tmp_path / "n.onnx", progress=lambda done, total: heard.append((done, total))
    )
    assert [done for done, _ in heard] == list(range(1, len(heard) + 1))
    assert heard[-1][0] == heard[-1][1]


def test_names_of_another_count_are_refused_with_both_numbers(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    (tmp_path / "three.names").write_text("a\nb\nc\n")
    with pytest.raises(DarknetError, match=r"three.names: has 3 names.* 2 classes"):
        export(cfg, weights, tmp_path / "n.onnx", names=tmp_path / "three.names")
    assert not (tmp_path / "n.onnx").exists()


def test_an_unwritable_output_is_one_clear_error(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        export(cfg, weights, tmp_path / "file" / "n.onnx")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_name_the_layer_and_leave_no_file(
    value: float, tmp_path: Path
) -> None:
    cfg, weights, network = nets.place(tmp_path, net(conv(8), conv(4)))
    content = bytearray(weights.read_bytes())
    struct.pack_into("<f", content, 20 + network.layers[1].offset + 40, value)
    weights.write_bytes(content)
    with pytest.raises(DarknetError, match=r"layer 1 \[convolutional\] .*net.cfg:13.*NaN"):
        export(cfg, weights, tmp_path / "n.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.cfg", "net.weights"]


def test_a_negative_variance_names_the_layer(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    content = bytearray(weights.read_bytes())
    struct.pack_into("<f", content, 20 + 4 * 24, -1.0)
    weights.write_bytes(content)
    with pytest.raises(DarknetError, match=r"layer 0 .*negative variance"):
        export(cfg, weights, tmp_path / "n.onnx")


def test_a_fold_beyond_float32_names_the_layer(tmp_path: Path) -> None:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    content = bytearray(weights.read_bytes())
    struct.pack_into("<f", content, 20 + 4 * 8, 3e38)
    struct.pack_into("<f", content, 20 + 4 * 24, 0.0)
    weights.write_bytes(content)
    with pytest.raises(DarknetError, match=r"layer 0 .*too large for 32 bits"):
        export(cfg, weights, tmp_path / "n.onnx")


def test_random_weights_keep_every_head_in_range(tmp_path: Path) -> None:
    text = net(*[conv(16)] * 12)
    cfg, weights, network = nets.place(tmp_path, text)
    model = export(cfg, weights, tmp_path / "n.onnx")
    (head,) = nets.heads_of(model.onnx_path, nets.image(network))
    assert 1e-4 < np.abs(head).max() < 10


def test_random_weights_depend_on_the_seed_alone(tmp_path: Path) -> None:
    _, weights, network = nets.place(tmp_path, net(conv(8)), seed=5)
    for name, seed in (("same", 5), ("other", 6)):
        write_random_weights(tmp_path / name, network, seed)
    assert weights.read_bytes() == (tmp_path / "same").read_bytes()
    assert weights.read_bytes() != (tmp_path / "other").read_bytes()
    with read_weights(weights, network) as opened:
        assert opened.header.revision == 5
