"""Temperatures and memory of this machine, from /sys and /proc."""

from __future__ import annotations

import os
from pathlib import Path

THERMAL = Path("/sys/class/thermal")
_COLDEST_C, _HOTTEST_C = -60.0, 200.0


def temperatures_c(folder: Path = THERMAL) -> dict[str, float]:
    """Give the temperature of each zone that can be read, by the zone's type.

    Zones of one type are numbered. A sensor that is switched off reads far
    below what can be, and is left out.
    """
    found: dict[str, float] = {}
    for zone in sorted(folder.glob("thermal_zone*"), key=lambda path: (len(path.name), path.name)):
        try:
            name = (zone / "type").read_text().strip()
            celsius = int((zone / "temp").read_text()) / 1000
        except (OSError, ValueError):
            continue
        if _COLDEST_C < celsius < _HOTTEST_C:
            again = sum(known.split("#")[0] == name for known in found)
            found[f"{name}#{again + 1}" if again else name] = celsius
    return found


def resident_bytes() -> int | None:
    """Give the memory this process holds; None where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def available_bytes() -> int | None:
    """Give the memory that the machine can still give; None where /proc does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return int(kilobytes) * 1024
    except (OSError, ValueError, StopIteration):
        return None
