"""Compile the kernels' own source for the CPU, over the stand-in runtime beside this file."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CSRC = ROOT / "csrc"
NAME = "_native_on_cpu"
BUILD_TIMEOUT_S = 600
"""Ample: it takes 20 s of one core."""


class CannotBuildError(Exception):
    """The compiler or a package to build with is missing."""


def kernels_on_cpu() -> ModuleType:
    """Give the extension module, built if a source has changed since."""
    sources = [*sorted((CSRC / "cuda").glob("*.cu")), *sorted(HERE.glob("*.cpp"))]
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise CannotBuildError(f"no compiler {compiler}")
    if importlib.util.find_spec("pybind11") is None:
        raise CannotBuildError("pybind11 is not installed: pip install 'edgeseg[test]'")
    folder = ROOT / "build" / "kernels_on_cpu" / _fingerprint(compiler)
    module = folder / f"{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not module.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _build(compiler, sources, folder, module)
    spec = importlib.util.spec_from_file_location(NAME, module)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def _fingerprint(compiler: str) -> str:
    digest = hashlib.sha256(f"{compiler} {sys.version}".encode())
    for path in sorted([*CSRC.rglob("*.*"), *HERE.glob("*.*")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _build(compiler: str, sources: list[Path], folder: Path, module: Path) -> None:
    import pybind11

    includes = [HERE, CSRC, pybind11.get_include(), sysconfig.get_path("include")]
    # Another namespace: pybind11 would take the product's classes for ours.
    flags = ["-std=c++17", "-O1", "-w", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"]
    flags += ["-Dedgeseg=edgeseg_on_cpu", "-DEDGESEG_WITH_CUDA=1"]
    flags += [f"-I{include}" for include in includes]

    def compile_one(source: Path) -> str:
        target = folder / f"{source.name}.o"
        _run([compiler, "-x", "c++", *flags, "-c", str(source), "-o", str(target)])
        return str(target)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    part = module.with_suffix(".part")
    _run([compiler, "-shared", *objects, "-o", str(part)])
    part.replace(module)


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}\n{done.stderr}")
