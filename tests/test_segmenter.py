"""Promises of the Python API."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_net import write_small_net

import edgeseg


@pytest.fixture(scope="module")
def cfg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_net(tmp_path_factory.mktemp("net"))


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)


def test_predict_takes_an_array_and_a_file(cfg: Path, tmp_path: Path) -> None:
    image = picture(1)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    with edgeseg.Segmenter(cfg, conf=0.1) as segmenter:
        from_array = segmenter.predict(image)
        from_file = segmenter.predict(tmp_path / "a.png")
    assert len(from_array.detections) > 0
    np.testing.assert_array_equal(from_array.detections.boxes_px, from_file.detections.boxes_px)
    assert from_file.frame.path == str(tmp_path / "a.png")


def test_predict_from_several_threads_gives_the_same(cfg: Path) -> None:
    images = [picture(seed) for seed in range(20)]
    with edgeseg.Segmenter(cfg, conf=0.1) as segmenter, ThreadPoolExecutor(4) as pool:
        alone = [segmenter.predict(image) for image in images]
        together = list(pool.map(segmenter.predict, images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.detections.boxes_px, other.detections.boxes_px)


def test_stream_gives_every_frame_and_ends_its_threads_with_the_loop(cfg: Path) -> None:
    scene = "test://?size=64x48&frames=12"
    assert [r.frame.index for r in edgeseg.stream(scene, model=str(cfg))] == list(range(12))
    for result in edgeseg.stream(scene, model=str(cfg)):
        assert result.frame.index == 0
        break
    assert not [t for t in threading.enumerate() if t.name.startswith("edgeseg-")]


def test_wrong_arguments_are_errors_that_name_them(cfg: Path) -> None:
    with pytest.raises(edgeseg.ConfigError, match="cnf"):
        edgeseg.Segmenter(cfg, cnf=0.1)
    with pytest.raises(edgeseg.SourceOpenError, match=r"absent\.png"), edgeseg.Segmenter(cfg) as s:
        s.predict("absent.png")
    with pytest.raises(ValueError, match="uint8"), edgeseg.Segmenter(cfg) as s:
        s.predict(np.zeros((4, 4)))  # type: ignore[arg-type]


def test_every_public_name_exists_and_all_are_listed() -> None:
    assert edgeseg.__all__ == sorted(edgeseg.__all__)
    for name in edgeseg.__all__:
        assert getattr(edgeseg, name) is not None
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = edgeseg.nothing_here
