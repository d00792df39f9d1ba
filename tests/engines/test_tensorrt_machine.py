"""Promises about the machine: which TensorRT, which GPU, how much memory."""

from __future__ import annotations

import ctypes
import importlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from trt_packages import as_tensorrt, fetch, run_python, stub_libraries

from edgeseg.engines.tensorrt import api as api_module
from edgeseg.engines.tensorrt.api import load_tensorrt
from edgeseg.engines.tensorrt.device import Device, find_device, l4t_release
from edgeseg.engines.tensorrt.memory import (
    MAX_WORKSPACE,
    MIN_WORKSPACE,
    Memory,
    free_memory,
    needed_bytes,
    peak_rss_bytes,
    refuse_too_little,
    workspace_bytes,
)
from edgeseg.engines.tensorrt.watch import Phases
from edgeseg.errors import EngineError, MissingDependencyError

MB = 1 << 20
BOARD = Device("Orin", "8.7", integrated=True, free_bytes=100 * MB, total_bytes=8000 * MB)
CARD = Device("RTX", "8.9", integrated=False, free_bytes=3000 * MB, total_bytes=8000 * MB)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, in which `tensorrt` can be written; no other TensorRT is seen."""
    kept = [path for path in sys.path if "tensorrt" not in path]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *kept])
    for name in [name for name in sys.modules if name.startswith("tensorrt")]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("tensorrt")]:
        del sys.modules[name]


def write_package(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    importlib.invalidate_caches()


def test_without_tensorrt_the_extra_is_named(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingDependencyError, match=r"edgeseg\[tensorrt\]"):
        load_tensorrt()
    with pytest.raises(MissingDependencyError, match=r"edgeseg\[rtx\]"):
        load_tensorrt("rtx")
    (packages / "tensorrt").mkdir()  # a folder of that name is no package
    with pytest.raises(MissingDependencyError, match=r"edgeseg\[tensorrt\]"):
        load_tensorrt()
    monkeypatch.setattr(api_module, "is_jetson", lambda: True)
    with pytest.raises(MissingDependencyError, match="--system-site-packages"):
        load_tensorrt()


@pytest.mark.parametrize(
    "failure",
    [
        "raise OSError('libnvinfer.so.10: cannot open shared object file')",
        "raise ImportError('undefined symbol: nvinfer')",
        "import a_module_that_nvinfer_needs",
        "raise RuntimeError('nvinfer is broken')",
    ],
)
def test_a_tensorrt_that_does_not_load_is_told_from_none(packages: Path, failure: str) -> None:
    write_package(packages, "tensorrt", failure)
    write_package(packages, "tensorrt_rtx", "__version__ = '1.7.1'")
    with pytest.raises(MissingDependencyError, match=r"is installed but does not load: .*nvinfer"):
        load_tensorrt()
    assert load_tensorrt("rtx").name == "TensorRT-RTX 1.7.1"


@pytest.mark.parametrize(
    ("module", "version", "fits"),
    [
        ("tensorrt", "8.6.2.3", False),
        ("tensorrt", "10.2.0", False),
        ("tensorrt", "10.3.0", True),
        ("tensorrt", "11.4.0.106", True),
        ("tensorrt", "12", False),
        ("tensorrt_rtx", "1.4.0.76", False),
        ("tensorrt_rtx", "1.7.1.116", True),
    ],
)
def test_an_old_tensorrt_is_refused_with_the_way_out(
    packages: Path, monkeypatch: pytest.MonkeyPatch, module: str, version: str, fits: bool
) -> None:
    write_package(packages, module, f"__version__ = '{version}'")
    if fits:
        assert load_tensorrt().version == version
        return
    with pytest.raises(EngineError, match=rf"{version} is too old: edgeseg needs 10?\.\d or newer"):
        load_tensorrt()
    monkeypatch.setattr(api_module, "is_jetson", lambda: True)
    with pytest.raises(EngineError, match=r"JetPack 6\.1 for Orin is the first"):
        load_tensorrt()


@pytest.mark.needs_network
def test_the_real_tensorrt_8_is_refused(tmp_path: Path) -> None:
    package = as_tensorrt(tmp_path / "package", fetch("tensorrt-bindings", "8.6.1"))
    env = {
        "PYTHONPATH": str(package),
        "LD_LIBRARY_PATH": str(stub_libraries(tmp_path / "stubs", "8")),
    }
    code = """
from edgeseg.engines.tensorrt.api import load_tensorrt
from edgeseg.errors import EngineError
try:
    load_tensorrt()
except EngineError as error:
    print(error)
"""
    assert run_python(code, env=env).startswith("TensorRT 8.6.1 is too old")


DRIVER = r"""
#include <cstring>
#include <cstddef>
static int retained = 0;
extern "C" {
int cuInit(unsigned) { return INIT; }
int cuDeviceGet(int* device, int index) { *device = index; return index < 1 ? 0 : 101; }
int cuDeviceGetName(char* name, int size, int) { std::strncpy(name, "Toy GPU", size); return 0; }
int cuDeviceGetAttribute(int* value, int which, int) {
  *value = which == 75 ? 8 : which == 76 ? 7 : which == 18 ? 1 : -1;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** context, int) {
  ++retained;
  *context = &retained;
  return RETAIN;
}
int cuDevicePrimaryCtxRelease_v2(int) { --retained; return 0; }
int cuCtxPushCurrent_v2(void*) { return 0; }
int cuCtxPopCurrent_v2(void**) { return 0; }
int cuMemGetInfo_v2(size_t* free, size_t* total) { *free = 5000; *total = 8000; return 0; }
}
"""

ASK = """
import dataclasses, json, sys
from edgeseg.engines.tensorrt.device import find_device
found = find_device(int(sys.argv[1]))
print(json.dumps(found and dataclasses.asdict(found)))
"""


def asked(folder: Path, index: str = "0", *, init: int = 0, retain: int = 0) -> object:
    """Ask a driver library that answers as told."""
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    source = folder / "driver.cpp"
    source.write_text(DRIVER)
    command = [compiler, "-shared", "-fPIC", f"-DINIT={init}", f"-DRETAIN={retain}"]
    subprocess.run([*command, "-o", folder / "libcuda.so.1", source], check=True, timeout=60)
    return json.loads(run_python(ASK, index, env={"LD_LIBRARY_PATH": str(folder)}))


def test_the_driver_is_asked_for_the_gpu(tmp_path: Path) -> None:
    toy = {"name": "Toy GPU", "compute_capability": "8.7", "integrated": True}
    assert asked(tmp_path) == toy | {"free_bytes": 5000, "total_bytes": 8000}
    assert asked(tmp_path, "1") is None
    assert asked(tmp_path, init=100) is None
    assert asked(tmp_path, retain=2) == toy | {"free_bytes": None, "total_bytes": None}


def test_without_a_driver_there_is_no_gpu() -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        assert find_device() is None
    else:
        pytest.skip("this machine has a driver")


def test_the_jetson_release_is_read(tmp_path: Path) -> None:
    file = tmp_path / "nv_tegra_release"
    assert l4t_release(file) == ""
    file.write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64")
    assert l4t_release(file) == "36.4.3"
    file.write_text("something else")
    assert l4t_release(file) == ""


def machine(folder: Path, available_kb: int, cgroup: tuple[str, int, int] | None = None) -> Path:
    (folder / "proc").mkdir()
    (folder / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {available_kb} kB\n")
    if cgroup is not None:
        group = folder / "sys/fs/cgroup"
        group.mkdir(parents=True)
        limit, used, inactive = cgroup
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text(f"anon 1\ninactive_file {inactive}\n")
    return folder


@pytest.mark.parametrize(
    ("cgroup", "host"),
    [(None, 2048), (("max", 9, 9), 2048), (("1500", 600, 100), 1000), (("9999", 0, 0), 2048)],
)
def test_free_memory_is_the_least_of_all_limits(
    tmp_path: Path, cgroup: tuple[str, int, int] | None, host: int
) -> None:
    root = machine(tmp_path, 2, cgroup)
    assert free_memory(None, root=root) == Memory(host)
    assert free_memory(BOARD, root=root) == Memory(host)  # it is the same memory
    assert free_memory(CARD, root=root) == Memory(host, CARD.free_bytes)


def test_where_nothing_is_known_nothing_is_refused(tmp_path: Path) -> None:
    memory = free_memory(None, root=tmp_path)
    assert memory == Memory(None)
    refuse_too_little(memory, 1 << 50, rtx=True, name="x")
    assert workspace_bytes(memory, 1 << 50) == MAX_WORKSPACE // 2


@pytest.mark.parametrize(
    ("memory", "workspace"),
    [
        (Memory(2000 * MB), 500 * MB),
        (Memory(1000 * MB), MIN_WORKSPACE),
        (Memory(1001 * MB + 5), MIN_WORKSPACE),
        (Memory(64_000 * MB), MAX_WORKSPACE),
        (Memory(2000 * MB, 3001 * MB), 1500 * MB),
    ],
)
def test_the_workspace_is_half_of_what_is_left(memory: Memory, workspace: int) -> None:
    assert workspace_bytes(memory, 1000 * MB) == workspace


def test_a_build_that_would_not_fit_is_explained() -> None:
    size = 248 * MB
    needed = needed_bytes(size, rtx=False)
    refuse_too_little(Memory(needed, 2 * size), size, rtx=False, name="yolov3")
    with pytest.raises(EngineError, match=r"takes about 2143 MB of memory, 2143 MB are free"):
        refuse_too_little(Memory(needed - 1), size, rtx=False, name="yolov3")
    with pytest.raises(EngineError, match=r"takes about 520 MB of the GPU's memory, 105 MB"):
        refuse_too_little(Memory(needed, 100 * MB), size, rtx=False, name="yolov3")


def test_the_peak_is_this_processs_own() -> None:
    code = "from edgeseg.engines.tensorrt.memory import peak_rss_bytes as p; print(p())"
    held = bytearray(300 * MB)
    held[::4096] = b"x" * len(held[::4096])
    assert peak_rss_bytes() > 300 * MB
    assert 5 * MB < int(run_python(code, env={})) < 150 * MB


def test_nested_phases_are_one_share_that_never_falls() -> None:
    told: list[tuple[float, str]] = []
    phases = Phases(lambda share, name: told.append((share, name)), threading.Event())
    phases.start("all", None, 2)
    phases.start("first", "all", 4)
    assert phases.step("first", 1)
    phases.finish("first")
    phases.step("all", 0)
    phases.start("second", "all", 1)
    phases.start("deep", "second", 2)
    phases.step("deep", 0)
    phases.step("deep", 7)
    phases.finish("deep")
    phases.step("stranger", 0)
    phases.finish("stranger")
    phases.step("all", 1)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert told[2] == (0.25, "first")
    assert told[3] == (0.5, "all")
    assert (0.75, "deep") in told
    assert shares[-1] == 1.0


def test_a_cancelled_build_is_told_to_stop_at_its_next_step() -> None:
    stop = threading.Event()
    phases = Phases(None, stop)
    phases.start("all", None, 2)
    assert phases.step("all", 0)
    stop.set()
    assert not phases.step("all", 1)
