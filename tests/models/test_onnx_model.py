"""What edgeseg writes into an ONNX file comes back, and nothing else is believed."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import darknet_nets as nets
import onnx
import pytest
from darknet_nets import conv, net
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.errors import ConfigError, EdgesegError, ModelNotFoundError, OnnxModelError
from edgeseg.models import open_model
from edgeseg.models.class_names import class_names_for, read_names
from edgeseg.models.darknet.export import export
from edgeseg.models.onnx_model import KEY, Metadata, read_model
from edgeseg.types import HeadSpec, Model

METADATA = Metadata(
    name="pets",
    input_px=(32, 16),
    batch=None,
    heads=(HeadSpec("yolo", ((1.5, 2.0),), 2, scale_x_y=1.05, new_coords=True),),
    class_names=("cat", "Hund \u00fc"),
    sources=(("cfg", "00"), ("weights", "11")),
)


@pytest.fixture
def exported(tmp_path: Path) -> Model:
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    return export(cfg, weights, tmp_path / "net.onnx")


def test_metadata_come_back_as_they_were() -> None:
    assert Metadata.from_json(METADATA.to_json()) == METADATA


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 99),
        ("input_px", [32]),
        ("input_px", [32, 0]),
        ("batch", 0),
        ("batch", "2"),
        ("heads", []),
        ("heads", [{}]),
        ("class_names", ["cat"]),
        ("class_names", ["cat", 3]),
        ("fit", "crop"),
        ("name", None),
        ("sources", []),
    ],
)
def test_metadata_of_another_shape_are_refused(field: str, value: object) -> None:
    fields = json.loads(METADATA.to_json()) | {field: value}
    with pytest.raises(OnnxModelError, match="metadata"):
        Metadata.from_json(json.dumps(fields))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=6,
    ),
    st.sampled_from(sorted(json.loads(METADATA.to_json()))),
)
def test_any_metadata_are_read_or_refused(value: object, field: str) -> None:
    fields = json.loads(METADATA.to_json()) | {field: value}
    with contextlib.suppress(OnnxModelError):
        assert isinstance(Metadata.from_json(json.dumps(fields)), Metadata)


def test_the_onnx_package_reads_the_same_property(exported: Model) -> None:
    properties = onnx.load(exported.onnx_path).metadata_props
    assert [entry.key for entry in properties] == [KEY]
    assert (
        Metadata.from_json(properties[0].value).model(exported.onnx_path, exported.sha256)
        == exported
    )


def test_metadata_are_found_wherever_they_stand_in_the_file(
    exported: Model, tmp_path: Path
) -> None:
    onnx.save(onnx.load(exported.onnx_path), tmp_path / "again.onnx")
    assert read_model(tmp_path / "again.onnx").heads == exported.heads


def test_a_foreign_onnx_is_told_apart(tmp_path: Path, exported: Model) -> None:
    model = onnx.load(exported.onnx_path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(OnnxModelError, match=r"not exported by edgeseg.*\n.*models export"):
        read_model(tmp_path / "foreign.onnx")


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\xff" * 40, b"<html>", b"\x08\x08", b"\x08", b"\x3a\xff\xff\xff\x7f"]
)
def test_files_that_are_no_onnx_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(OnnxModelError, match="no ONNX model"):
        read_model(path)


@given(data=st.data())
def test_damaged_files_are_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    path = folder / "net.onnx"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        cfg, weights, _ = nets.place(folder, net(conv(8)))
        export(cfg, weights, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, 1200))] = data.draw(st.integers(0, 255))
    damaged = folder / "damaged.onnx"
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(OnnxModelError):
        assert isinstance(read_model(damaged), Model)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OnnxModelError, match="cannot be read: No such file"):
        read_model(tmp_path / "no.onnx")


def test_open_model_takes_an_exported_onnx(exported: Model, tmp_path: Path) -> None:
    path = exported.onnx_path
    assert open_model(str(path)) == open_model(path, size=(16, 16)) == exported
    (tmp_path / "two.names").write_text("cat\ndog\n")
    assert open_model(path, names=tmp_path / "two.names").class_names == ("cat", "dog")
    (tmp_path / "one.names").write_text("cat\n")
    with pytest.raises(OnnxModelError, match=r"has 1 names, .* has 2 classes"):
        open_model(path, names=tmp_path / "one.names")
    with pytest.raises(OnnxModelError, match="exported at 16x16 and cannot run at 32x16"):
        open_model(path, size=(32, 16))
    with pytest.raises(ConfigError, match="holds its own weights"):
        open_model(path, weights=tmp_path / "net.weights")


def test_open_model_takes_a_cfg_with_weights_beside_or_given(
    exported: Model, tmp_path: Path
) -> None:
    beside = open_model(tmp_path / "net.cfg")
    assert beside.sha256 == exported.sha256
    (tmp_path / "net.weights").rename(tmp_path / "other.weights")
    with pytest.raises(
        ModelNotFoundError, match=r"net.weights does not exist\n.*has other.weights"
    ):
        open_model(tmp_path / "net.cfg")
    given_ = open_model(tmp_path / "net.cfg", weights=tmp_path / "other.weights", size=(32, 32))
    assert given_.input_px == (32, 32)


def test_open_model_takes_a_registry_name_with_weights_given(tmp_path: Path) -> None:
    from edgeseg.models import registry
    from edgeseg.models.darknet.cfg import parse_cfg
    from edgeseg.models.darknet.plan import plan_network
    from edgeseg.models.darknet.weights import write_random_weights

    known, _ = registry.find("yolov4-tiny")
    weights = tmp_path / "w.weights"
    write_random_weights(weights, plan_network(parse_cfg(known.cfg)), 1)
    model = open_model("yolov4-tiny-320", weights=weights)
    assert (model.name, model.input_px) == ("yolov4-tiny-320", (320, 320))
    assert model.class_names[:2] == ("person", "bicycle")
    assert len(model.class_names) == 80


def test_open_model_says_what_it_did_not_find(tmp_path: Path, exported: Model) -> None:
    with pytest.raises(ModelNotFoundError, match=r"Did you mean yolov3-tiny\?.*models list"):
        open_model("yolov3-tny")
    with pytest.raises(
        ModelNotFoundError, match=r"nett.cfg does not exist\n.*Did you mean .*net.cfg"
    ):
        open_model(tmp_path / "nett.cfg")
    with pytest.raises(ModelNotFoundError, match=r"neither a .cfg nor an .onnx"):
        open_model(tmp_path / "net.weights")
    with pytest.raises(ModelNotFoundError, match=r"no.onnx does not exist"):
        open_model(tmp_path / "no.onnx")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_told(exported: Model) -> None:
    exported.onnx_path.chmod(0)
    with pytest.raises(EdgesegError, match="cannot be read"):
        read_model(exported.onnx_path)


def test_class_names_are_looked_for_in_order(tmp_path: Path) -> None:
    cfg = tmp_path / "my.cfg"
    eighty = [f"n{i}" for i in range(80)]
    assert class_names_for(cfg, 3) == ("0", "1", "2")
    assert class_names_for(cfg, 80)[0] == "person"
    (tmp_path / "coco.names").write_text("\n".join(eighty))
    assert class_names_for(cfg, 80)[0] == "n0"
    (tmp_path / "my.names").write_text("\n".join(["first", *eighty[1:]]))
    assert class_names_for(cfg, 80)[0] == "first"
    (tmp_path / "given").write_text("\n".join(["given", *eighty[1:]]))
    assert class_names_for(cfg, 80, tmp_path / "given")[0] == "given"


def test_names_files_may_have_any_line_end_and_blank_lines_after(tmp_path: Path) -> None:
    path = tmp_path / "n"
    path.write_bytes(b"\xef\xbb\xbfcat \r\ntraffic light\r\n\r\n \r\n")
    assert read_names(path) == ("cat", "traffic light")
    path.write_bytes(b"")
    assert read_names(path) == ()
