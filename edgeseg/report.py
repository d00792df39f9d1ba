"""What the commands print for people."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.files import written_aside
from edgeseg.settings import Settings, option_names
from edgeseg.sinks.aside import writing

if TYPE_CHECKING:
    from edgeseg.runner import Summary
    from edgeseg.sources.cameras import Camera


def print_summary(summary: Summary) -> None:
    """Print what a run did, on standard error: standard output may be a sink."""
    print("\n".join(summary_lines(summary)), file=sys.stderr)


def write_summary(summary: Summary, path: Path) -> None:
    """Write what a run did as JSON. Raises SinkError when the file cannot be written."""
    text = json.dumps(dataclasses.asdict(summary), indent=2, ensure_ascii=False) + "\n"
    with writing(path), written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def summary_lines(summary: Summary) -> list[str]:
    """Give the lines of a run's summary."""
    frames = f"{summary.frames} in {summary.seconds:.1f} s, {summary.fps:.1f} FPS"
    stages = "  ".join(f"{name} {ms:.2f}" for name, ms in summary.stages_ms.items())
    drops = ", ".join(f"{count} ({reason})" for reason, count in summary.drops.items())
    rows = [
        ("source", summary.source),
        ("model", summary.model),
        ("engine", summary.engine),
        ("backend", summary.backend),
        ("frames", frames),
        ("dropped", drops or "none"),
        ("objects", str(summary.objects)),
        *summary.notes.items(),
        ("median ms", stages),
    ]
    if summary.reconnects:
        rows.insert(6, ("lost", f"{summary.reconnects} times, and connected again"))
    rows += [("written", place) for place in summary.places]
    return [f"{label:>10}  {text}" for label, text in rows]


def print_settings(settings: Settings, origins: dict[str, str]) -> None:
    """Print every option as a line of TOML, with a comment that says where its value comes from."""
    flags = option_names()
    lines = []
    for field in dataclasses.fields(settings):
        if field.name == "config":
            continue
        flag = flags[field.name]
        value = getattr(settings, field.name)
        text = f"{flag} = {toml_value(value)}" if value is not None else f"# {flag} ="
        lines.append((text, origins.get(flag, "default")))
    width = min(40, max(len(text) for text, _ in lines))
    for text, origin in lines:
        print(f"{text:<{width}}  # {origin}")


def toml_value(value: object) -> str:
    """Write a value of an option as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)


def print_cameras(*, as_json: bool) -> None:
    """Print the cameras of this machine."""
    from edgeseg.sources.cameras import list_cameras

    cameras = list_cameras()
    if as_json:
        print(json.dumps([dataclasses.asdict(camera) for camera in cameras], indent=2))
        return
    if not cameras:
        print("no cameras found (no /dev/video* that can capture)")
    for camera in cameras:
        print("\n".join(camera_lines(camera)))


def camera_lines(camera: Camera) -> list[str]:
    """Give a camera's lines: what it is, then a line for each format and size."""
    lines = [f"{camera.path}  {camera.name}" + (f"  ({camera.driver})" if camera.driver else "")]
    lines += [f"  stable name: {camera.by_id}"] if camera.by_id else []
    lines += [f"  {camera.problem}"] if camera.problem else []
    for modes in camera.formats:
        for size in modes.sizes:
            rates = " ".join(f"{fps:g}" for fps in size.fps) or "unknown"
            width, height = size.size_px
            lines.append(f"  {modes.fourcc}  {width}x{height} at {rates} FPS")
    return lines


def print_sinks() -> None:
    """Print the kinds of sinks."""
    from edgeseg.sinks import KINDS

    for kind, text in KINDS.items():
        print(f"{kind:<9} {text}")
