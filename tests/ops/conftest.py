"""The CUDA ops on a device, and the kernels' own source on the CPU."""

from __future__ import annotations

import pytest
from device_ops import DeviceOps
from kernels_on_cpu.build import BUILD_TIMEOUT_S, CannotBuildError, kernels_on_cpu

from edgeseg import _native


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the first test that needs the kernels the time to build them."""
    for item in items:
        if {"on_cpu", "ops"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(BUILD_TIMEOUT_S))


@pytest.fixture(scope="session")
def on_cpu() -> DeviceOps:
    """The kernels on the CPU; skips where they cannot be compiled."""
    try:
        return DeviceOps(kernels_on_cpu())
    except CannotBuildError as error:
        pytest.skip(f"the kernels cannot be built for the CPU: {error}")


@pytest.fixture(
    params=["kernels_on_cpu", pytest.param("cuda", marks=pytest.mark.needs_cuda)], scope="session"
)
def ops(request: pytest.FixtureRequest) -> DeviceOps:
    """All CUDA ops as functions of NumPy arrays."""
    if request.param == "kernels_on_cpu":
        found: DeviceOps = request.getfixturevalue("on_cpu")
        return found
    return DeviceOps(_native)
