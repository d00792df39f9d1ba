"""TensorRT's packages by name, kept between runs, and stub libraries to import the bindings over.

The bindings wheels of full TensorRT are real; the libraries they need are not
on the package index, but importing them takes only a few C symbols.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

RTX = "1.7.1.116"
BINDINGS = ("10.3.0", "10.13.3.9", "10.16.1.11", "11.0.0.114", "11.4.0.106")

SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
    # The rest is for TensorRT 8: C++ names of its old parsers.
    "_ZN11nvuffparser15createUffParserEv",
    "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
    "_ZN14nvcaffeparser117createCaffeParserEv",
    "_ZN14nvcaffeparser123shutdownProtobufLibraryEv",
)
"""What `nm -D --undefined-only` of the bindings lists of TensorRT's own."""


def fetch(package: str, version: str, *, needs: bool = False) -> Path:
    """Give a folder with that package (and what it `needs`); skips where it cannot be had."""
    import platformdirs

    cache = os.environ.get("EDGESEG_TEST_CACHE") or platformdirs.user_cache_dir("edgeseg")
    tag = f"{sys.implementation.cache_tag}-{os.uname().machine}"
    folder = Path(cache) / "test-packages" / f"{package}-{version}-{tag}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{aside}/new"]
        command += [] if needs else ["--no-deps"]
        done = subprocess.run(
            [*command, f"{package}=={version}"],
            capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["no pip"]
            pytest.skip(f"no {package} {version}: {lines[-1]}")
        try:
            Path(aside, "new").rename(folder)
        except OSError:
            assert folder.exists()  # another process was faster
    return folder


def fetch_rtx() -> Path:
    """Give the folder of TensorRT-RTX."""
    return fetch("tensorrt-rtx", RTX, needs=True)


def stub_libraries(folder: Path, major: str) -> Path:
    """Compile libnvinfer and its companions, empty; skips without a C++ compiler."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    folder.mkdir(parents=True)
    source = folder / "stub.cpp"
    bodies = "".join(f"void* {symbol}() {{ return nullptr; }}\n" for symbol in SYMBOLS)
    source.write_text(f'extern "C" {{\n{bodies}}}\n')
    names = ["nvinfer", "nvinfer_plugin", "nvonnxparser"]
    for name in [*names, "nvparsers"] if major == "8" else names:
        library = folder / f"lib{name}.so.{major}"
        subprocess.run(
            [compiler, "-shared", "-fPIC", f"-Wl,-soname,{library.name}", "-o", library, source],
            check=True, timeout=60,
        )  # fmt: skip
    return folder


def as_tensorrt(folder: Path, bindings: Path) -> Path:
    """Write the package `tensorrt` that the libraries' wheel would bring over the bindings."""
    package = folder / "tensorrt"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n"
    )
    (folder / "tensorrt_bindings").symlink_to(bindings / "tensorrt_bindings")
    return folder


def run_python(code: str, *arguments: str, env: Mapping[str, str], stdin: str = "") -> str:
    """Run code in a process of its own; give what it printed."""
    root = str(Path(__file__).parents[1])
    paths = [env.get("PYTHONPATH", ""), root, str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | env | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        input=stdin, capture_output=True, text=True, timeout=290, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
