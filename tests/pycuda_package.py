"""The real pycuda, built from its source over an empty driver, and a driver made of host memory.

pycuda has no wheels, and importing it needs libcuda. Its build here takes a
minute of one core and is kept between runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

VERSION = "2026.1"
BUILD_TIMEOUT_S = 580
HERE = Path(__file__).parent

SITECONF = """\
USE_SHIPPED_BOOST = True
BOOST_INC_DIR = BOOST_LIB_DIR = BOOST_PYTHON_LIBNAME = BOOST_THREAD_LIBNAME = []
BOOST_COMPILER = "gcc43"
CUDA_ROOT = {cuda!r}
CUDA_TRACE = CUDA_ENABLE_GL = CUDA_ENABLE_CURAND = False
CUDADRV_LIB_DIR = [{stubs!r}]
CUDADRV_LIBNAME = ["cuda"]
CUDART_LIB_DIR = CURAND_LIB_DIR = CURAND_LIBNAME = CXXFLAGS = LDFLAGS = []
CUDART_LIBNAME = ["cudart"]
"""


def cuda_root() -> Path:
    """Give the CUDA toolkit's folder; skips without its headers."""
    nvcc = shutil.which("nvcc")
    places = [os.environ.get("CUDA_ROOT"), os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    places += [str(Path(nvcc).resolve().parents[1])] if nvcc else []
    for place in filter(None, places):
        if (Path(place) / "include" / "cuda.h").exists():
            return Path(place)
    pytest.skip("pycuda is built with the CUDA toolkit's headers; there are none")


def fetch_pycuda() -> Path:
    """Give a folder with pycuda; skips where it cannot be had or built."""
    import platformdirs

    cache = os.environ.get("EDGESEG_TEST_CACHE") or platformdirs.user_cache_dir("edgeseg")
    tag = f"{sys.implementation.cache_tag}-{os.uname().machine}"
    folder = Path(cache) / "test-packages" / f"pycuda-{VERSION}-{tag}"
    if folder.exists():
        return folder
    cuda, compiler = cuda_root(), shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        source = _source(Path(aside))
        stubs = Path(aside) / "stubs"
        stubs.mkdir()
        (stubs / "empty.cpp").write_text("")
        target = str(stubs / "libcuda.so")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", target,
             str(stubs / "empty.cpp")],
            check=True, timeout=60,
        )  # fmt: skip
        (source / "siteconf.py").write_text(SITECONF.format(cuda=str(cuda), stubs=str(stubs)))
        _run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target",
             f"{aside}/new", str(source)],
            "built", CPATH=str(cuda / "include"), MAX_JOBS="2",
        )  # fmt: skip
        try:
            Path(aside, "new").rename(folder)
        except OSError:
            assert folder.exists()  # another process was faster
    return folder


def _source(folder: Path) -> Path:
    """Download and unpack the source."""
    _run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pycuda",
         "--dest", str(folder), f"pycuda=={VERSION}"],
        "fetched",
    )  # fmt: skip
    (archive,) = folder.glob("pycuda-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def _run(command: list[str], done: str, **env: str) -> None:
    try:
        ended = subprocess.run(
            command, env=os.environ | env, capture_output=True, text=True,
            timeout=BUILD_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip(f"pycuda could not be {done} in {BUILD_TIMEOUT_S} s")
    if ended.returncode != 0:
        lines = [line for line in ended.stderr.splitlines() if "rror" in line] or ["no pip"]
        pytest.skip(f"pycuda {VERSION} could not be {done}: {lines[-1].strip()[:200]}")


def host_driver(folder: Path, pycuda: Path) -> Path:
    """Compile libcuda.so.1 of host memory, with every symbol that pycuda asks for; give its folder.

    What `host_driver.cpp` does not do fails with "not supported".
    """
    (module,) = pycuda.glob("pycuda/_driver*.so")
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", str(module)],
        check=True, timeout=60, capture_output=True, text=True,
    ).stdout  # fmt: skip
    asked = {name for name in listed.split() if name.startswith("cu") and name[2:3].isupper()}
    source = HERE / "host_driver.cpp"
    made = source.read_text()
    stubs = "".join(
        f"int {name}() {{ return 801; }}\n" for name in sorted(asked) if f"int {name}(" not in made
    )
    (folder / "stubs.cpp").write_text(f'extern "C" {{\n{stubs}}}\n')
    subprocess.run(
        ["g++", "-std=c++17", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1",
         "-o", str(folder / "libcuda.so.1"), str(source), str(folder / "stubs.cpp")],
        check=True, timeout=120,
    )  # fmt: skip
    return folder
