"""`edgeseg doctor`: what this machine has, what is missing, and the line that mends it."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeseg import __version__
from edgeseg.files import cache_dir


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    area: str
    value: str
    ok: bool = True
    needed: bool = False
    """Without it `edgeseg run` does not work here."""
    fix: str = ""
    """The command or step that mends it."""


def examine() -> list[Finding]:
    """Look at everything; a check that breaks becomes a finding itself."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _system,
        _native,
        _packages,
        _opencv,
        _codecs,
        _devices,
        _cameras,
        _display,
        _cache,
        _service,
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # noqa: BLE001 - a doctor must not die of what it looks for
            findings.append(
                Finding(check.__name__.strip("_"), f"check failed: {error!r}", ok=False)
            )
    return findings


def print_findings(findings: list[Finding], *, as_json: bool) -> None:
    """Print the findings as a list for people, or as JSON."""
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
        return
    width = max(len(finding.area) for finding in findings)
    for finding in findings:
        mark = "ok" if finding.ok else "MISSING" if finding.needed else "-"
        print(f"{mark:>7}  {finding.area:<{width}}  {finding.value}")
        if finding.fix and not finding.ok:
            print(f"{'':>7}  {'':<{width}}  fix: {finding.fix}")


def _system() -> Iterator[Finding]:
    yield Finding("edgeseg", f"{__version__}, Python {platform.python_version()}, {sys.executable}")
    board = _read("/proc/device-tree/model") or platform.machine()
    release = _read("/etc/nv_tegra_release").split("\n")[0]
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    yield Finding("machine", ", ".join(filter(None, (board, system, release))))
    from edgeseg.engines.onnxruntime import available_cpus

    yield Finding("processors", f"{available_cpus()} usable of {os.cpu_count()}")


def _native() -> Iterator[Finding]:
    try:
        from edgeseg import _native
    except ImportError as error:
        fix = "reinstall from a folder outside the source tree: pip install edgeseg"
        yield Finding("native ops", str(error), ok=False, needed=True, fix=fix)
        return
    cuda = "with CUDA" if _native.cuda_built() else "without CUDA"
    levels = ", ".join(_native.simd_levels())
    yield Finding("native ops", f"{cuda}, SIMD: {levels}")


def _packages() -> Iterator[Finding]:
    jetson = Path("/etc/nv_tegra_release").exists()
    wanted = (
        ("numpy", "numpy", True, "pip install numpy"),
        ("av", "av", True, "pip install av"),
        ("onnx", "onnx", True, "pip install onnx"),
        ("onnxruntime", "onnxruntime", not jetson, "pip install 'edgeseg[cpu]'"),
        ("pygame", "pygame-ce", False, "pip install 'edgeseg[gui]'   (the window)"),
        ("tensorrt", "tensorrt", False, _TENSORRT_FIX if jetson else "only on NVIDIA machines"),
        (
            "tensorrt_rtx",
            "tensorrt-rtx",
            False,
            "only on NVIDIA machines: pip install 'edgeseg[rtx]'",
        ),
        ("pycuda", "pycuda", False, "only on NVIDIA machines, where edgeseg's own calls serve too"),
    )
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported
    for module, package, needed, fix in wanted:
        yield _package(module, package, needed=needed, fix=fix)


_TENSORRT_FIX = "JetPack brings it for the system Python: make the venv with --system-site-packages"


def _package(module: str, package: str, *, needed: bool, fix: str) -> Finding:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        loaded = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - TensorRT raises OSError, and others what they like
        reason = "not installed" if isinstance(error, ModuleNotFoundError) else str(error)
        return Finding(package, reason, ok=False, needed=needed, fix=fix)
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = str(getattr(loaded, "__version__", "unknown version"))
    return Finding(package, version, needed=needed)


def _opencv() -> Iterator[Finding]:
    try:
        import cv2
    except ImportError as error:
        fix = "pip install 'edgeseg[cpu]', or on a Jetson: sudo apt install python3-opencv"
        yield Finding("opencv", str(error), ok=False, needed=True, fix=fix)
        return
    build = cv2.getBuildInformation()
    has = [name for name in ("GStreamer", "FFMPEG", "V4L/V4L2") if _built_with(build, name)]
    yield Finding("opencv", f"{cv2.__version__} with {', '.join(has) or 'no video library'}")
    yield Finding(
        "GStreamer in cv2",
        "yes" if "GStreamer" in has else "no: csi:// cameras need it",
        ok="GStreamer" in has,
        fix="the pip wheels never have it; use the system's cv2 (venv --system-site-packages)",
    )
    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python")
    wheels = [name for name in names if _is_installed(name)]
    if len(wheels) > 1:
        fix = f"pip uninstall -y {' '.join(wheels)} && pip install {wheels[-1]}"
        yield Finding(
            "opencv wheels", f"{' and '.join(wheels)} overwrite each other", ok=False, fix=fix
        )


def _built_with(build: str, name: str) -> bool:
    return any(
        line.strip().startswith(f"{name}:") and "YES" in line.upper() for line in build.splitlines()
    )


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _codecs() -> Iterator[Finding]:
    import av

    encoders = [name for name in ("libx264", "h264_v4l2m2m", "libopenh264") if _can_encode(name)]
    yield Finding(
        "H.264 encoder",
        ", ".join(encoders) or "none: videos are written as MPEG-4",
        ok=bool(encoders),
        fix="pip install --force-reinstall av   (its wheels bring libx264)",
    )
    yield Finding("FFmpeg", f"libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}")


def _can_encode(codec: str) -> bool:
    import av

    try:
        av.codec.Codec(codec, "w")
    except Exception:  # noqa: BLE001 - an unknown codec raises a class of its own
        return False
    return True


def _devices() -> Iterator[Finding]:
    from edgeseg import _native

    nodes = [
        node for node in ("/dev/nvidia0", "/dev/nvgpu", "/dev/nvhost-gpu") if Path(node).exists()
    ]
    if not nodes:
        yield Finding("NVIDIA GPU", "none seen: the network runs on the CPU", ok=False)
    elif not _native.cuda_built():
        fix = "reinstall with nvcc on the PATH: pip install --no-binary edgeseg edgeseg"
        yield Finding("NVIDIA GPU", "present, but this build has no CUDA", ok=False, fix=fix)
    else:
        yield Finding("NVIDIA GPU", f"{_native.device_count()} usable")
    yield _place()


def _place() -> Finding:
    """Say what `edgeseg run` would choose."""
    from edgeseg.placement import place_for

    place = place_for()
    where = place.device.description if place.device is not None else "the CPU"
    return Finding("runs go to", f"{where}, engine {place.engine}")


def _cameras() -> Iterator[Finding]:
    from edgeseg.sources.cameras import list_cameras

    cameras = list_cameras()
    yield Finding(
        "cameras",
        "; ".join(f"{camera.path} {camera.name}" for camera in cameras) or "none",
        ok=bool(cameras),
        fix="plug one in, then: edgeseg cameras",
    )
    for camera in cameras:
        if camera.problem:
            fix = "if it is a permission: sudo usermod -aG video $USER, then log in again"
            yield Finding(f"camera {camera.path}", camera.problem, ok=False, fix=fix)


def _display() -> Iterator[Finding]:
    from edgeseg.sinks.window import display_available

    reason = display_available()
    yield Finding(
        "window", reason or "yes", ok=reason is None, fix="runs write files instead; nothing to do"
    )


def _cache() -> Iterator[Finding]:
    folder = cache_dir()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    size_mb = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    yield Finding(
        "cache",
        f"{folder}, {size_mb:.0f} MB, {free_gb:.0f} GB free",
        ok=writable and free_gb > 1,
        needed=True,
        fix="make room, or choose another folder: export EDGESEG_CACHE_DIR=...",
    )


def _service() -> Iterator[Finding]:
    from edgeseg.service.doctor import findings

    yield from findings()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
