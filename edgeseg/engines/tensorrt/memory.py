"""Is there room for a build? Better asked before than answered by the kernel's killer."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

from edgeseg.engines.tensorrt.device import Device
from edgeseg.errors import EngineError

_PER_MODEL_BYTE = 3
_BASE_RTX, _BASE = 350 << 20, 1300 << 20
"""Measured with TensorRT-RTX without a GPU: the whole process peaks at 334, 519, 653 and 1014 MB
for ONNX files of 35, 63 (INT8), 126 and 252 MB. Full TensorRT loads its kernels besides: that
base is a guess on the safe side."""

MAX_WORKSPACE = 4 << 30
MIN_WORKSPACE = 16 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """Free bytes of the computer, and of a GPU with memory of its own."""

    host: int | None
    device: int | None = None


def free_memory(device: Device | None, *, root: Path = Path("/")) -> Memory:
    """Read what a process may still take: MemAvailable, the cgroup's limit, the GPU's own.

    `root` is where /proc and /sys are looked for.
    """
    known = [free for free in (_mem_available(root), _cgroup_free(root)) if free is not None]
    own = device.free_bytes if device is not None and not device.integrated else None
    return Memory(min(known) if known else None, own)


def needed_bytes(model_bytes: int, *, rtx: bool) -> int:
    """Estimate the peak of a build from the size of the ONNX file."""
    return (_BASE_RTX if rtx else _BASE) + _PER_MODEL_BYTE * model_bytes


def workspace_bytes(memory: Memory, needed: int) -> int:
    """Choose the builder's scratch memory: half of what is left, whole MiB, at most 4 GiB.

    On a board the GPU takes it from the same memory as the build itself.
    """
    left = memory.device
    if left is None:
        left = MAX_WORKSPACE if memory.host is None else memory.host - needed
    chosen = max(MIN_WORKSPACE, min(MAX_WORKSPACE, left // 2))
    return chosen >> 20 << 20


def refuse_too_little(memory: Memory, model_bytes: int, *, rtx: bool, name: str) -> None:
    """Raise EngineError when the build of an ONNX file of that size would not fit."""
    needed = needed_bytes(model_bytes, rtx=rtx)
    place, free = "memory", memory.host
    if memory.device is not None and memory.device < 2 * model_bytes:
        # The weights, once as they came and once as a tactic wants them.
        place, free, needed = "the GPU's memory", memory.device, 2 * model_bytes
    if free is None or free >= needed:
        return
    raise EngineError(
        f"building {name} takes about {needed / 1e6:.0f} MB of {place}, "
        f"{free / 1e6:.0f} MB are free",
        hint="Close programs (on a Jetson also the desktop: sudo systemctl isolate "
        "multi-user.target), or build for a smaller model. This is an estimate: "
        "--ignore-memory builds all the same.",
    )


def peak_rss_bytes() -> int:
    """Give the most memory this process ever held.

    Not by getrusage, whose figure starts with that of the parent process.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # not Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _mem_available(root: Path) -> int | None:
    try:
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # not Linux: nothing is known
    return None


def _cgroup_free(root: Path) -> int | None:
    """Give what a container may still take (cgroup v2); file pages count as free."""
    folder = root / "sys/fs/cgroup"
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        rows = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        statistics = dict(row.split() for row in rows)
        return max(0, limit - used + int(statistics.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None  # no cgroup v2, or no limit: "max"
