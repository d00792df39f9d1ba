"""What all tests share: where real data lie, and when CUDA tests run."""

from __future__ import annotations

import os
from pathlib import Path

# ONNX Runtime reads this when it is imported; the library sets it too, tests
# that import ONNX Runtime first must not lose the race.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgeseg.models.registry import Files

TEST_CACHE = os.environ.get("EDGESEG_TEST_CACHE")
DATA = Path(os.environ.get("EDGESEG_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real pictures, clips and small models; skips without it."""
    if not DATA.is_dir():
        pytest.skip(f"no real data in {DATA}; set EDGESEG_TEST_DATA")
    return DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none, unless one is required."""
    from edgeseg import _native

    status = _native.cuda_status()
    if status["devices"] > 0 or os.environ.get("EDGESEG_REQUIRE_CUDA") == "1":
        return
    skip = pytest.mark.skip(reason=f"no CUDA device: {status['error']}")
    for item in items:
        if item.get_closest_marker("needs_cuda") is not None:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def private_folders(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep the user's own cache and settings out of every test."""
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    kept = {"EDGESEG_CACHE_DIR", "EDGESEG_REQUIRE_CUDA"}
    for name in set(os.environ) - kept:
        if name.startswith("EDGESEG_") and not name.startswith("EDGESEG_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def yolov3_tiny() -> Files:
    """Registry cfg, official weights and names of yolov3-tiny; skips where they cannot be had.

    They stay in $EDGESEG_TEST_CACHE (default: the user's cache), so that one machine
    fetches them once.
    """
    from edgeseg.errors import DownloadError
    from edgeseg.models import registry

    before = os.environ.pop("EDGESEG_CACHE_DIR", None)
    if TEST_CACHE:
        os.environ["EDGESEG_CACHE_DIR"] = TEST_CACHE
    try:
        return registry.fetch("yolov3-tiny")
    except DownloadError as error:
        pytest.skip(f"no yolov3-tiny weights: {error.message}")
    finally:
        os.environ.pop("EDGESEG_CACHE_DIR", None)
        if before is not None:
            os.environ["EDGESEG_CACHE_DIR"] = before
