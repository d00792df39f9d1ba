"""TensorRT-RTX in this process, and a small network to build."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from small_net import write_small_net
from trt_packages import fetch_rtx

from edgeseg.engines.tensorrt.api import Api, load_tensorrt
from edgeseg.models import open_model
from edgeseg.types import Model


@pytest.fixture(scope="session")
def rtx() -> Api:
    """TensorRT-RTX; skips where it cannot be fetched."""
    sys.path.append(str(fetch_rtx()))
    importlib.invalidate_caches()
    return load_tensorrt("rtx")


@pytest.fixture
def small_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A small network as ONNX, in an empty cache."""
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    return open_model(write_small_net(tmp_path))


@pytest.fixture
def open_batch_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The same with an open batch."""
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    return open_model(write_small_net(tmp_path), batch=None)
