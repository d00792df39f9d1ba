"""Masks by TensorRT are those of ONNX Runtime, bit for bit, and need nothing of it."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from fake_tensorrt import FakeTensorRt
from on_device import OnDevice
from small_net import write_small_net

import edgeseg
from edgeseg.device import CudaDevice
from edgeseg.engines import first_use, proof
from edgeseg.engines.cache import engines_dir
from edgeseg.engines.receipts import read_receipt
from edgeseg.engines.tensorrt import api as api_module
from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.runtime import LoadedPlan
from edgeseg.errors import (
    BuildCancelledError,
    EngineError,
    EngineRefusedError,
    MissingDependencyError,
)
from edgeseg.files import sha256_of
from edgeseg.followers import open_followers
from edgeseg.masks import head
from edgeseg.masks.follower import MaskFollower
from edgeseg.masks.head import NETWORK, MaskHead
from edgeseg.masks.head_cuda import CudaMaskHead, open_cuda_head
from edgeseg.masks.proof import LEAST_IOU, drawn_iou, proven
from edgeseg.placement import place_for
from edgeseg.settings import settings_from
from edgeseg.types import Frame, Masks

NAN = float("nan")


@pytest.fixture(autouse=True)
def machine(standin: ModuleType, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU and TensorRT, and an empty cache."""
    monkeypatch.setattr(api_module, "load_tensorrt", lambda flavor="auto": api)
    monkeypatch.setattr(first_use, "load_tensorrt", lambda flavor="auto": api)
    monkeypatch.setattr(proof, "real_frames", lambda uri: [])
    monkeypatch.setattr(first_use, "real_frames", lambda uri: [])
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def on_cpu() -> Iterator[MaskHead]:
    looker = MaskHead(threads=1)
    yield looker
    looker.close()


@pytest.fixture
def on_gpu(device: CudaDevice) -> Iterator[CudaMaskHead]:
    looker = open_cuda_head(device)
    yield looker
    looker.close()


def picture(seed: int, size_px: tuple[int, int] = (120, 90)) -> np.ndarray:
    """Blobs and noise: grids that are neither all 0 nor all 255."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size_px[1], : size_px[0]]
    round_px = (rows - size_px[1] / 2) ** 2 + (columns - size_px[0] / 2) ** 2 < 900
    image = rng.integers(0, 60, (size_px[1], size_px[0], 3))
    return (image + np.where(round_px, 180, 20)[:, :, None]).astype(np.uint8)


def some_boxes(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-10, 70, (count, 2))
    return np.hstack([corners, corners + rng.uniform(12, 60, (count, 2))]).astype(np.float32)


def assert_same(found: Masks, expected: Masks) -> None:
    np.testing.assert_array_equal(found.regions_px, expected.regions_px)
    np.testing.assert_array_equal(found.clips_px, expected.clips_px)
    assert found.frame_px == expected.frame_px
    for one, other in zip(found.grids, expected.grids, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("count", [0, 1, 8, 9, 21])
def test_masks_are_those_of_the_cpu_bit_for_bit(
    on_cpu: MaskHead, on_gpu: CudaMaskHead, count: int
) -> None:
    for seed in range(2):
        frame = Frame(picture(seed))
        boxes = some_boxes(count, seed)
        found = on_gpu.look(frame, boxes)
        assert_same(found, on_cpu.look(frame, boxes))
        assert len({grid.tobytes() for grid in found.grids}) == count


def test_boxes_that_show_nothing_have_no_mask(on_cpu: MaskHead, on_gpu: CudaMaskHead) -> None:
    frame = Frame(picture(1))
    boxes = some_boxes(12)
    boxes[::3] = [[NAN, 0, 9, 9], [9, 9, 9, 20], [500, 0, 600, 50], [20, 20, 10, 10]]
    found = on_gpu.look(frame, boxes)
    assert_same(found, on_cpu.look(frame, boxes))
    assert [grid.size > 0 for grid in found.grids] == [False, True, True] * 4


def test_frames_of_any_size_follow_each_other(on_cpu: MaskHead, on_gpu: CudaMaskHead) -> None:
    for seed, size_px in enumerate([(64, 48), (300, 200), (64, 48), (33, 120)]):
        image = picture(seed, (size_px[0] * 2, size_px[1]))[:, ::2]
        boxes = some_boxes(3, seed)
        assert_same(on_gpu.look(Frame(image), boxes), on_cpu.look(Frame(image), boxes))


def test_a_frame_on_the_gpu_is_read_where_it_is(
    on_cpu: MaskHead, card: CudaDevice, standin: ModuleType
) -> None:
    looker = open_cuda_head(card)
    image, boxes = picture(3), some_boxes(11)
    before = standin.bytes_allocated()
    for stream in (None, True):
        there = OnDevice(standin, image, pitch=512, stream=stream)
        assert_same(looker.look(Frame(there), boxes), on_cpu.look(Frame(image), boxes))  # type: ignore[arg-type]
        del there
    gc.collect()
    assert standin.bytes_allocated() == before, "it was copied, or is held on to"
    looker.close()


def test_a_frame_goes_up_once_for_both_looks(
    on_cpu: MaskHead, card: CudaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = open_cuda_head(card)
    copied: list[int] = []
    copy = card.copy
    monkeypatch.setattr(card, "copy", lambda *args: (copied.append(args[2]), copy(*args)))
    frame = Frame(picture(1))
    for count in (20, 3):
        boxes = some_boxes(count, count)
        assert_same(looker.look(frame, boxes), on_cpu.look(frame, boxes))
    assert copied.count(3 * 120 * 90) == 1
    again = Frame(picture(2))
    assert_same(looker.look(again, boxes), on_cpu.look(again, boxes))
    assert copied.count(3 * 120 * 90) == 2
    looker.close()


def test_nothing_is_allocated_for_a_frame_and_all_is_given_back(
    device: CudaDevice, standin: ModuleType
) -> None:
    gc.collect()
    at_first = standin.bytes_allocated()
    looker = open_cuda_head(device)
    looker.look(Frame(picture(0)), some_boxes(9))
    before = standin.bytes_allocated()
    for seed in range(4):
        looker.look(Frame(picture(seed)), some_boxes(1 + 5 * seed, seed))
    assert standin.bytes_allocated() == before > at_first
    looker.close()
    del looker
    gc.collect()
    assert standin.bytes_allocated() == at_first


def test_the_engine_is_built_once_for_1_to_8_boxes_with_a_receipt(
    card: CudaDevice, trt: FakeTensorRt, caplog: pytest.LogCaptureFixture
) -> None:
    open_cuda_head(card).close()
    assert trt.profile == {
        "crops": ((1, 3, 128, 128), (4, 3, 128, 128), (8, 3, 128, 128)),
        "meta": ((1, 3), (4, 3), (8, 3)),
    }
    (path,) = engines_dir().glob("*.json")
    assert path.name.startswith("mask-head-128-int8-b1to8-")
    receipt = read_receipt(path)
    assert receipt.identity.batches == (1, 4, 8)
    assert receipt.identity.model_sha256 == sha256_of(NETWORK)
    assert receipt.scores["iou"] > LEAST_IOU
    open_cuda_head(card).close()
    assert trt.builds == 1
    plan = path.with_suffix(".plan")
    plan.write_bytes(plan.read_bytes()[:-9])
    open_cuda_head(card).close()
    assert trt.builds == 2
    assert plan.read_bytes() == NETWORK.read_bytes()
    assert caplog.text.count("it is built again") == 1


def test_another_network_has_an_engine_of_its_own(
    card: CudaDevice, trt: FakeTensorRt, tmp_path: Path
) -> None:
    changed = onnx.load(NETWORK)
    changed.doc_string = "trained again"
    other = tmp_path / "other.onnx"
    onnx.save(changed, other)
    open_cuda_head(card).close()
    open_cuda_head(card, network=other).close()
    assert trt.builds == 2
    assert len(list(engines_dir().glob("mask-head-*.plan"))) == 2


def test_an_engine_that_no_longer_loads_is_built_again(
    card: CudaDevice, trt: FakeTensorRt, caplog: pytest.LogCaptureFixture
) -> None:
    open_cuda_head(card).close()
    (plan,) = engines_dir().glob("*.plan")
    receipt = json.loads(plan.with_suffix(".json").read_text())
    plan.write_bytes(b"a plan of another driver")
    receipt |= {"size_bytes": plan.stat().st_size, "sha256": sha256_of(plan)}
    plan.with_suffix(".json").write_text(json.dumps(receipt))
    open_cuda_head(card).close()
    assert trt.builds == 2
    assert "wrong version; it is built again" in caplog.text


def fading(content: bytes) -> bytes:
    """An engine whose convolutions are weaker than the network's."""
    net = onnx.load_from_string(content)
    for tensor in net.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.ndim == 4:
            weaker = (array * 0.5).astype(array.dtype)
            tensor.CopyFrom(onnx.numpy_helper.from_array(weaker, tensor.name))
    return net.SerializeToString()


def test_an_engine_that_does_not_see_drawn_objects_is_refused(
    card: CudaDevice, trt: FakeTensorRt, standin: ModuleType
) -> None:
    before = standin.bytes_allocated()
    trt.spoil = fading
    with pytest.raises(EngineRefusedError, match="does not see what is drawn: overlap 0"):
        open_cuda_head(card)
    gc.collect()
    assert standin.bytes_allocated() == before
    (path,) = engines_dir().glob("mask-head-*.refused.json")
    assert read_receipt(path).scores["iou"] < LEAST_IOU
    assert not list(engines_dir().glob("*.plan"))
    with pytest.raises(EngineRefusedError, match=r"was built on .* and refused"):
        open_cuda_head(card)
    assert trt.builds == 1


def test_the_network_itself_passes_with_room_to_spare(on_cpu: MaskHead) -> None:
    assert drawn_iou(on_cpu) > LEAST_IOU + 0.04
    assert proven(on_cpu) == {"iou": round(drawn_iou(on_cpu), 4)}


def test_a_plan_of_another_network_is_refused(
    card: CudaDevice, api: Api, model: edgeseg.types.Model
) -> None:
    with pytest.raises(EngineError, match="the mask head has crops, meta and logits"):
        CudaMaskHead(card, LoadedPlan(api, model.onnx_path))


def test_what_the_engine_says_reaches_the_caller(
    on_cpu: MaskHead, card: CudaDevice, trt: FakeTensorRt
) -> None:
    looker = open_cuda_head(card)
    trt.fail = "no tactic"
    with pytest.raises(EngineError, match=r"TensorRT 11\.4\.0 failed: no tactic"):
        looker.look(Frame(picture(0)), some_boxes(2))
    trt.fail = ""
    frame, boxes = Frame(picture(1)), some_boxes(2)
    assert_same(looker.look(frame, boxes), on_cpu.look(frame, boxes))
    looker.close()


def looker_for(masks: str = "auto", **options: object) -> object:
    """Open the followers of a run on the best place there is; give what makes its masks."""
    settings = settings_from(model="m", masks=masks, track="off", **options)
    place = place_for(settings.backend, settings.engine)
    followers = open_followers(settings, None, None, place)
    found = [one for one in followers if isinstance(one, MaskFollower)]
    for follower in followers:
        follower.close()
    return found[0]._looker if found else None


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, CudaMaskHead), ({"backend": "cpu"}, MaskHead), ({"masks": "fine"}, CudaMaskHead)],
    ids=str,
)
def test_masks_are_made_where_the_network_runs(options: dict[str, str], kind: type) -> None:
    assert isinstance(looker_for(**options), kind)


def test_without_a_network_masks_are_made_on_the_cpu() -> None:
    (follower,) = open_followers(settings_from(model="m", track="off"), None)
    assert isinstance(follower, MaskFollower)
    assert isinstance(follower._looker, MaskHead)
    follower.close()


def no_onnxruntime(*_args: object, **_more: object) -> None:
    raise MissingDependencyError("the package onnxruntime is not installed")


def test_a_board_without_onnxruntime_has_masks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(head, "open_session", no_onnxruntime)
    assert isinstance(looker_for(), CudaMaskHead)
    assert not caplog.records


def cannot_build(content: bytes) -> bytes:
    raise EngineError("TensorRT cannot build mask-head: no runners")


def test_an_engine_that_cannot_be_had_leaves_masks_to_the_cpu(
    trt: FakeTensorRt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trt.spoil = cannot_build
    assert isinstance(looker_for(), MaskHead)
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert line == "masks are made on the CPU: TensorRT cannot build mask-head: no runners"
    with pytest.raises(EngineError, match="no runners"):
        looker_for("fast")
    caplog.clear()
    monkeypatch.setattr(head, "open_session", no_onnxruntime)
    assert looker_for() is None
    (line,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert line.startswith("no masks: TensorRT cannot build mask-head: no runners; the package")


def test_a_build_that_was_stopped_ends_the_run(trt: FakeTensorRt) -> None:
    def stopped(content: bytes) -> bytes:
        raise BuildCancelledError("stopped")

    trt.spoil = stopped
    with pytest.raises(BuildCancelledError):
        looker_for()


def test_a_run_on_the_gpu_gives_the_masks_of_the_cpu(
    tmp_path: Path, standin: ModuleType, trt: FakeTensorRt
) -> None:
    standin.set_lazy(False)
    cfg, image = write_small_net(tmp_path), picture(4)

    def result(backend: str) -> edgeseg.types.Result:
        with edgeseg.Segmenter(
            cfg, backend=backend, precision="fp32", conf=0.05, threads=1
        ) as segmenter:
            return segmenter.predict(image)

    gpu, cpu = result("auto"), result("cpu")
    assert trt.builds == 2
    assert gpu.masks is not None
    assert cpu.masks is not None
    assert sum(grid.size > 0 for grid in gpu.masks.grids) > 3
    assert_same(gpu.masks, cpu.masks)
