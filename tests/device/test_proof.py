"""Which frames an engine is proven on, and against what."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from fake_tensorrt import FakeTensorRt
from small_net import write_small_net

from edgeseg.device import CudaDevice
from edgeseg.engines import first_use, proof
from edgeseg.engines.first_use import FirstUse, open_tensorrt
from edgeseg.engines.proof import FRAMES, real_frames, reference_for
from edgeseg.engines.receipts import read_receipt
from edgeseg.engines.tensorrt.api import Api
from edgeseg.errors import DownloadError
from edgeseg.models import open_model, registry
from edgeseg.models.registry import Files
from edgeseg.quantize.recipe import Recipe


@pytest.fixture
def no_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch() -> Path:
        raise DownloadError("no network")

    monkeypatch.setattr(registry, "fetch_clip", fetch)


@pytest.fixture
def user_cache(yolov3_tiny: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the registry's weights lie already."""
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(yolov3_tiny.weights.parents[1]))


def write_pictures(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:03}.png"), np.full((8, 8, 3), number, np.uint8))


@pytest.mark.parametrize(("count", "step"), [(5, 1), (64, 1), (200, 3)])
def test_frames_are_the_users_own_evenly(
    tmp_path: Path, no_clip: None, count: int, step: int
) -> None:
    write_pictures(tmp_path / "pictures", count)
    greys = [int(frame.image[0, 0, 0]) for frame in real_frames(str(tmp_path / "pictures"))]
    assert greys == list(range(count))[::step][:FRAMES]


@pytest.mark.parametrize("uri", [None, "test://?frames=50", "rtsp://camera/stream", "csi://0"])
def test_what_is_live_or_made_up_is_not_opened(no_clip: None, uri: str | None) -> None:
    assert list(real_frames(uri)) == []


def test_the_demo_clip_follows(user_cache: None, tmp_path: Path) -> None:
    try:
        registry.fetch_clip()
    except DownloadError as error:
        pytest.skip(f"no clip: {error.message}")
    write_pictures(tmp_path / "pictures", 3)
    sizes = [frame.size_px for frame in real_frames(str(tmp_path / "pictures"))]
    assert sizes == [(8, 8)] * 3 + [(640, 272)] * FRAMES


def test_the_reference_is_fp32_from_the_same_weights(user_cache: None, tmp_path: Path) -> None:
    half = open_model("yolov3-tiny", size=(96, 96), recipe=Recipe("fp16", io="fp16"))
    reference = reference_for(half)
    assert (reference.precision, reference.input_px) == ("fp32", (96, 96))
    assert reference_for(reference) is reference


def test_another_models_reference_is_its_own_file(tmp_path: Path) -> None:
    half = open_model(write_small_net(tmp_path), recipe=Recipe("fp16"))
    assert reference_for(half) is half


def test_other_weights_under_a_registrys_name_are_not_taken_for_its(
    user_cache: None, tmp_path: Path
) -> None:
    from edgeseg.models.darknet.cfg import parse_cfg
    from edgeseg.models.darknet.export import export
    from edgeseg.models.darknet.plan import plan_network
    from edgeseg.models.darknet.weights import write_random_weights
    from edgeseg.models.zoo import MODELS

    cfg, weights = MODELS["yolov3-tiny"].cfg, tmp_path / "other.weights"
    write_random_weights(weights, plan_network(parse_cfg(cfg), (96, 96)), 3)
    other = export(
        cfg, weights, tmp_path / "other.onnx", size=(96, 96), name="yolov3-tiny",
        recipe=Recipe("fp16"),
    )  # fmt: skip
    assert reference_for(other) is other


def test_a_real_network_is_proven_on_real_frames(
    user_cache: None,
    card: CudaDevice,
    standin: ModuleType,
    api: Api,
    trt: FakeTensorRt,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """yolov3-tiny in fp16, over the stand-in, against fp32: no threshold is bent here."""
    standin.set_lazy(False)
    monkeypatch.setattr(first_use, "load_tensorrt", lambda: api)
    try:
        registry.fetch_clip()
    except DownloadError as error:
        pytest.skip(f"no clip: {error.message}")
    monkeypatch.setattr(proof, "ENOUGH_BOXES", 25)
    half = open_model("yolov3-tiny", recipe=Recipe("fp16", io="fp16"))
    whole = open_model("yolov3-tiny")
    monkeypatch.setattr("edgeseg.engines.cache.engines_dir", lambda: tmp_path / "engines")
    helper = FirstUse(lambda _: half, lambda: itertools.islice(real_frames(None), 30, None, 2))
    engine = open_tensorrt(whole, card, precision="fp16", first_use=helper)
    assert ", fp16" in engine.description
    engine.close()
    (path,) = (tmp_path / "engines").glob("*.json")
    scores = read_receipt(path).scores
    assert scores["boxes"] >= 20
    assert scores["score_error"] < 0.005
