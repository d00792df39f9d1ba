"""`edgeseg segments`: a run whose result is a cut in time."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from edgeseg.errors import ConfigError
from edgeseg.report import print_summary
from edgeseg.runner import Summary, run
from edgeseg.segments.report import lines_of
from edgeseg.settings import Settings
from edgeseg.sinks import file_stem


def run_segments(settings: Settings, *, gap_s: float, shortest_s: float, shots: bool) -> Summary:
    """Run as `edgeseg run` does, with a segments sink beside those asked for; print what it found.

    Raises EdgesegError.
    """
    for name, value in (("gap", gap_s), ("shortest", shortest_s)):
        if not 0 <= value <= 1e6:
            raise ConfigError(f"--{name} must be from 0 to 1000000 seconds, got {value:g}")
    path = settings.output / f"{file_stem(settings.uri)}-segments.json"
    options = f"gap={gap_s:g}&shortest={shortest_s:g}&shots={'yes' if shots else 'no'}"
    sink = f"segments:{path}?{options}&csv=yes&png=yes"
    summary = run(dataclasses.replace(settings, sink=(*settings.sink, sink)), show_progress=True)
    print_summary(summary)
    if summary.frames:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        print("\n".join(lines_of(record)), file=sys.stdout)
    return summary
