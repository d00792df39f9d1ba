"""A GPU that is a CPU: the kernels' own source over the stand-in, and a TensorRT that is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fake_tensorrt import FakeTensorRt, fake_api
from kernels_on_cpu.build import BUILD_TIMEOUT_S, CannotBuildError, kernels_on_cpu
from small_net import write_small_net

import edgeseg.device
from edgeseg.device import CudaDevice, open_device
from edgeseg.engines.tensorrt.api import Api
from edgeseg.models import open_model
from edgeseg.types import Model


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the first test that needs the kernels the time to build them."""
    for item in items:
        if {"compiled", "any_device"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(BUILD_TIMEOUT_S))


@pytest.fixture(scope="session")
def compiled() -> ModuleType:
    """The kernels on the CPU; skips where they cannot be compiled."""
    try:
        return kernels_on_cpu()
    except CannotBuildError as error:
        pytest.skip(f"the kernels cannot be built for the CPU: {error}")


@pytest.fixture
def standin(compiled: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in as this machine's GPU; it does its work as late as it may."""
    monkeypatch.setattr(edgeseg.device, "native", lambda: compiled)
    compiled.set_lazy(True)
    yield compiled
    compiled.set_lazy(False)
    compiled.set_integrated(False)


@pytest.fixture(params=["own memory", "shared memory"])
def device(request: pytest.FixtureRequest, standin: ModuleType) -> CudaDevice:
    """A card, and a board."""
    standin.set_integrated(request.param == "shared memory")
    return open_device(0, "runtime")


@pytest.fixture
def card(standin: ModuleType) -> CudaDevice:
    """A GPU with memory of its own."""
    return open_device(0, "runtime")


@pytest.fixture
def api(standin: ModuleType) -> Api:
    """TensorRT over the stand-in."""
    return fake_api(standin)


@pytest.fixture
def trt(api: Api) -> FakeTensorRt:
    """Its module, to look into and to break."""
    fake: FakeTensorRt = api.trt  # type: ignore[assignment]
    return fake


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A small network as ONNX, in an empty cache; its ONNX file serves as a plan."""
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    return open_model(write_small_net(tmp_path))


@pytest.fixture(
    params=[
        "kernels_on_cpu",
        pytest.param("cuda, by the extension", marks=pytest.mark.needs_cuda),
        pytest.param("cuda, by pycuda", marks=pytest.mark.needs_cuda),
    ]
)
def any_device(request: pytest.FixtureRequest) -> CudaDevice:
    """The stand-in, and the real GPU with each way to its memory."""
    if request.param == "kernels_on_cpu":
        found: CudaDevice = request.getfixturevalue("card")
        return found
    if "pycuda" in request.param:
        pytest.importorskip("pycuda", reason="pycuda is not installed")
        return open_device(0, "pycuda")
    return open_device(0, "runtime")
