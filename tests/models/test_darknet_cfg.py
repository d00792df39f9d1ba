"""The cfg parser keeps what is there, with its line, and tells every mistake with file and line."""

from __future__ import annotations

from pathlib import Path

import darknet_nets as nets
import pytest
from darknet_nets import conv, net

from edgeseg.errors import DarknetError
from edgeseg.models.darknet.cfg import MAX_CFG_BYTES, parse_cfg, parse_cfg_text
from edgeseg.models.darknet.plan import Network, plan_network
from edgeseg.types import Size

SIZE = "[net]\nwidth=32\nheight=32\n"


def planned(text: str, size: Size | None = None) -> Network:
    return plan_network(parse_cfg_text(text, file="x.cfg"), size)


def test_every_key_is_kept_with_its_line() -> None:
    cfg = parse_cfg_text("# a net\n[net]\nwidth = 32\n\n[conv]\nfilters=3 ; few\nmy_key=a=b #c\n")
    assert [(e.key, e.value, e.line) for e in cfg.net.entries] == [("width", "32", 3)]
    (layer,) = cfg.layers
    assert (layer.name, layer.kind, layer.line) == ("conv", "convolutional", 5)
    assert [(e.key, e.value, e.line) for e in layer.entries] == [
        ("filters", "3", 6),
        ("my_key", "a=b", 7),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n \t\n; c\n"])
def test_line_ends_marks_and_blank_lines_do_not_matter(
    start: str, end: str, tmp_path: Path
) -> None:
    path = tmp_path / "n.cfg"
    path.write_bytes((start + net(conv(8))).replace("\n", end).encode())
    assert plan_network(parse_cfg(path)).heads[0].shape == (14, 16, 16)


def test_comments_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "n.cfg"
    path.write_bytes(b"# \xb2\xe3 caf\xe9\n" + net(conv(8)).encode())
    assert len(plan_network(parse_cfg(path)).layers) == 3


BROKEN = {
    "": "x.cfg: has no sections",
    "width=3\n[net]\n": "x.cfg:1: 'width=3' stands before",
    "[net]\nwidth\n": "x.cfg:2: expected key=value",
    "[net]\n=3\n": "x.cfg:2: expected key=value",
    "[net\n": "x.cfg:1: broken section name",
    "[]\n": "x.cfg:1: broken section name",
    "[convolutional]\n": r"x.cfg:1: \[convolutional\] stands first",
    "[net]\nwidth=32\n": r"x.cfg:1: \[net\] is followed by no layers",
    "[net]\n[yolo]\n[net]\n": r"x.cfg:3: \[net\] is a second",
    "[net]\n[yolo]\n": r"x.cfg:1: \[net\] needs width=",
    "[net]\nwidth=32\n[yolo]\n": r"x.cfg:1: \[net\] needs height=",
    "[net]\nwidth=32\nheight=32\nchannels=1\n[yolo]\n": r"x.cfg:4: \[net\] channels=1",
    SIZE + "[yolov9]\n": r"x.cfg:4: \[yolov9\] is unknown",
    SIZE + conv(8): r"x.cfg:4: \[convolutional\] ends a network without a head",
}


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_broken_files_name_the_line(text: str) -> None:
    with pytest.raises(DarknetError, match=BROKEN[text]):
        planned(text)


VALUES = {
    "width=abc": "width must be a whole number, got 'abc'",
    "width=nan": "width must be a whole number",
    "width=-32": "width must be from 1 to 16384, got -32",
    "width=1e9": "width must be a whole number",
    "width=99999999999999999999999999": "width must be a whole number",
    "width=1000000": "width must be from 1 to 16384",
    "width=": "width must be a whole number, got ''",
    "width=3_2": "width must be a whole number",
    "width=\u0663": "width must be a whole number",
}


@pytest.mark.parametrize("line", VALUES)
def test_values_out_of_range_name_the_line_and_the_range(line: str) -> None:
    with pytest.raises(DarknetError, match=rf"x.cfg:2: \[net\] {VALUES[line]}"):
        planned(f"[net]\n{line}\nheight=32\n[yolo]\n")


LAYERS = {
    conv(0): "filters must be from 1",
    conv(-3): "filters must be from 1",
    conv(10**7): "filters must be from 1",
    conv(8, stride=0): "stride must be from 1",
    conv(8, act="leeky"): r"unknown activation 'leeky'\n  Known: elu, gelu",
    conv(8, groups=2): "3 input channels and 8 filters do not divide into 2 groups",
    conv(8, dilation=2, pad=0): "dilation needs an odd size and pad=1",
    conv(8, xnor=1): "option xnor is not supported",
    conv(8, size=99, pad=0): "a window of 99 does not fit into 32 cells",
    conv(60000, size=999): "parameters; an ONNX file ends at",
    conv(8) + "filters=9\n": r"x.cfg:11: \[convolutional\] filters is set twice: '8' in line 6",
    "[route]\nlayers=1\n": r"x.cfg:5: \[route\] layers=1 points to layer 1, which comes later",
    "[route]\nlayers=0\n": "points to itself",
    "[route]\nlayers=-1\n": "points before the first layer",
    "[route]\n": "needs layers=",
    "[route]\nlayers=,\n": "must be a whole number",
    "[shortcut]\nfrom=7\n": "from=7 points to layer 7, which comes later",
    conv(8) + "[shortcut]\nfrom=-1\nweights_type=per_channel\n": "weights_type is not supported",
    conv(8) + "[route]\nlayers=-1\ngroups=3\n": "do not divide into 3 groups",
    conv(8) + "[route]\nlayers=-1\ngroups=2\ngroup_id=2\n": "group_id must be from 0 to 1",
    conv(8) + conv(8, stride=2) + "[route]\nlayers=-1,-2\n": "joins layers of different size",
    conv(8) + conv(8, stride=2) + "[shortcut]\nfrom=-2\n": "adds layers of different size",
    conv(8) + conv(8) + "[scale_channels]\nfrom=-2\n": "needs factors of 8x1x1 for layer 0",
    conv(8) + conv(4) + "[sam]\nfrom=-2\n": "multiplies different shapes",
    conv(8) + conv(4) + "[sam]\nfrom=-2,-1\n": "from takes one layer, got 2",
    conv(6) + "[reorg]\nstride=2\n": "6 channels do not divide by stride 2 squared",
    "[maxpool]\nmaxpool_depth=1\n": "option maxpool_depth is not supported",
    "[maxpool]\nsize=2\nstride=1\npadding=9\n": "padding=9 is too much for size=2",
    "[upsample]\nstride=64\n" * 4: "too much to run",
    conv(1, stride=16384, size=1) * 2: "brings the strides to more than",
    "[connected]\n": "is not supported\n  Fully connected",
    "[detection]\n": "is not supported\n  YOLOv1 is not supported",
    "[Gaussian_yolo]\n": "is not supported\n  Gaussian YOLOv3",
    "[lstm]\n": r"is not supported\n  edgeseg runs detectors",
}


@pytest.mark.parametrize("text", LAYERS, ids=range(len(LAYERS)))
def test_impossible_layers_say_why(text: str) -> None:
    with pytest.raises(DarknetError, match=LAYERS[text]) as caught:
        planned(SIZE + text)
    assert caught.value.file == "x.cfg"
    assert caught.value.line is not None


HEADS = {
    "classes=3": "needs 16 channels, .5 . 3 classes. . 2 masks; layer 1 gives 14",
    "mask=0,1,3": "mask names anchor 3, but there are 3",
    "mask=0,-1": "mask must be from 0",
    "anchors=1,2,3": "must be pairs of width and height, got 3 values",
    "anchors=1,2,3,nan": "anchors must be a number, got 'nan'",
    "anchors=1,2,3,0": "anchors must be larger than 0",
    "anchors=1,2,3,1e99": "anchors must be from 0 to 1e.06",
    "classes=99999999": "classes must be from 1 to 10000",
    "scale_x_y=inf": "scale_x_y must be a number",
}


@pytest.mark.parametrize("line", HEADS)
def test_impossible_heads_say_why(line: str) -> None:
    key = line.split("=", maxsplit=1)[0]
    kept = [old for old in nets.HEAD.splitlines() if not old.startswith(f"{key}=")]
    with pytest.raises(DarknetError, match=HEADS[line]):
        planned(net(conv(8), head="\n".join([*kept, line])))


def test_nothing_may_read_a_head() -> None:
    with pytest.raises(DarknetError, match=r"\[convolutional\] reads layer 2, which is a head"):
        planned(net(conv(8)) + conv(3))


def test_heads_must_agree_on_classes() -> None:
    second = "[route]\nlayers=-3\n" + nets.HEAD.replace("14", "16").replace(
        "classes=2", "classes=3"
    )
    with pytest.raises(DarknetError, match="has classes=3, but the first head has 2"):
        planned(net(conv(8)) + second)


def test_a_hierarchy_of_classes_is_refused() -> None:
    region = "[region]\nanchors=1,1\nclasses=9\ntree=9k.tree\n"
    with pytest.raises(DarknetError, match=r"tree= .YOLO9000"):
        planned(net(conv(14), head=region))


def test_equal_duplicates_are_harmless_and_unread_ones_too() -> None:
    text = net(conv(8) + "stride=1\nlearning=1\nlearning=2\n")
    assert planned(text).layers[0].shape == (8, 16, 16)


@pytest.mark.parametrize(
    ("size", "nearest"), [((42, 32), "32x32 or 64x32"), ((33, 1), "32x16 or 64x16")]
)
def test_a_size_that_strides_do_not_allow_names_the_nearest(size: Size, nearest: str) -> None:
    # Upsampling back to layer 0 is what fails first; the size is the reason.
    text = net(
        conv(8), conv(8, stride=16), "[upsample]\nstride=16\n", "[route]\nlayers=-1,0\n",
        conv(8, stride_x=32, stride_y=16), w=32, h=32,
    )  # fmt: skip
    with pytest.raises(DarknetError, match=r"x.cfg:2: \[net\] an input of") as caught:
        planned(text, size)
    assert f"multiples of 32x16 (width x height)\n  Nearest sizes: {nearest}." in str(caught.value)
    assert planned(text, (64, 16)).stride_px == (32, 16)


def test_a_size_below_one_is_a_wrong_argument() -> None:
    with pytest.raises(ValueError, match="input_px must be 1 or more"):
        planned(net(conv(8)), (0, 32))


def test_parameters_offsets_and_flops_are_counted() -> None:
    network = planned(net(conv(8, stride=2), conv(6, groups=2, batch_normalize=0)))
    first, second, head, _ = network.layers
    assert first.parameters == 8 * 3 * 9 + 4 * 8
    assert second.parameters == 6 * 4 * 9 + 6
    assert second.offset == 4 * first.parameters
    assert network.weights_bytes == 4 * (first.parameters + second.parameters + head.parameters)
    assert second.flops == 2 * 6 * 4 * 9 * 8 * 8
    assert network.flops == first.flops + second.flops + head.flops


def test_yolo4_sections_are_yolo() -> None:
    assert planned(net(conv(8)).replace("[yolo]", "[yolo4]")).head_specs[0].kind == "yolo"


def test_a_missing_mask_means_the_first_num_anchors() -> None:
    head = nets.HEAD.replace("mask=0,1\n", "").replace("num=3", "num=2")
    assert planned(net(conv(8), head=head)).head_specs[0].anchors_net == ((4, 6), (10, 12))


def test_files_that_are_no_cfg_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.cfg"
    with pytest.raises(DarknetError, match="cannot be read: No such file"):
        parse_cfg(path)
    path.write_bytes(b"[net]\0")
    with pytest.raises(DarknetError, match="is not a text file"):
        parse_cfg(path)
    path.write_bytes(b"#" * (MAX_CFG_BYTES + 1))
    with pytest.raises(DarknetError, match="larger than"):
        parse_cfg(path)


def test_too_many_layers_are_refused() -> None:
    with pytest.raises(DarknetError, match="is layer 4097"):
        parse_cfg_text(SIZE + "[dropout]\n" * 5000)


def test_too_many_connections_are_refused() -> None:
    text = SIZE + conv(1) + ("[shortcut]\nfrom=" + "0," * 2000 + "0\n") * 40
    with pytest.raises(DarknetError, match="connections, too many"):
        planned(text)


def test_yolov3_tiny_has_the_parameters_of_its_published_weights() -> None:
    from edgeseg.models import zoo

    network = plan_network(parse_cfg(Path(zoo.__file__).parent / "yolov3-tiny.cfg"))
    assert network.weights_bytes + 20 == 35_434_956
    assert [head.shape for head in network.heads] == [(255, 13, 13), (255, 26, 26)]
    assert 5.4e9 < network.flops < 5.7e9
