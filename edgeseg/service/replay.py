"""`edgeseg replay`: a flight record as text, pictures or video."""

from __future__ import annotations

import io
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseg.errors import ConfigError, SourceOpenError
from edgeseg.files import written_aside
from edgeseg.service.records import Record, list_records, read_record
from edgeseg.sinks.aside import writing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOG_LINES = 20
_LARGEST_PX = 4096
_ABOUT = ("reason", "saved_utc", "began_utc", "source", "model", "version", "python", "machine")


def replay(path: Path, output: Path | None) -> None:
    """Print a record, or a folder's newest one; write its frames to `output` when one is named.

    Raises SourceOpenError, SinkError.
    """
    if path.is_dir():
        records = list_records(path)
        if not records:
            raise SourceOpenError(f"{path}: there is no flight record")
        path = records[-1]
    record = read_record(path)
    print(f"{path}\n" + "\n".join(_plain(line) for line in summary(record)))
    if output is not None:
        count = _write(record, output)
        print(f"{count} frames written to {output}", file=sys.stderr)


def summary(record: Record) -> list[str]:
    """Give what a record says, as lines."""
    lines = [f"{name:>10}  {record.about[name]}" for name in _ABOUT if name in record.about]
    moments = record.moments
    lines.append(f"{'frames':>10}  {_frames(record)}")
    if moments:
        lines.append(f"{'last seen':>10}  {_seen(moments[-1].facts)}")
    lines.append(f"{'median ms':>10}  {_medians(record) or 'no timings'}")
    for title, text, most in (
        ("error", str(record.about.get("error", "")), -1),
        ("where it was", record.stacks, 0),
        ("log", record.log, -_LOG_LINES),
    ):
        body = text.strip().splitlines()
        if body:
            lines += ["", f"{title}:"]
            lines += [f"  {line}" for line in (body[most:] if most < -1 else body)]
    return lines


def _frames(record: Record) -> str:
    kept = len(record.moments)
    if not kept:
        return "none: it ended before the first result"
    first, last = record.moments[0].facts, record.moments[-1].facts
    span_s = _number(last.get("wall_s")) - _number(first.get("wall_s"))
    return (
        f"{kept} kept, of {first.get('frame')} to {last.get('frame')}, "
        f"over {span_s:.1f} s before the end"
    )


def _seen(facts: dict[str, Any]) -> str:
    names = [str(item.get("class")) for item in _dicts(facts.get("objects"))]
    return ", ".join(f"{count} {name}" for name, count in Counter(names).items()) or "no object"


def _medians(record: Record) -> str:
    samples: dict[str, list[float]] = {}
    for moment in record.moments:
        for row in _dicts(moment.facts.get("timings")):
            for name, value in row.items():
                if name != "frame" and isinstance(value, (int, float)):
                    samples.setdefault(str(name), []).append(float(value))
    return "  ".join(f"{name} {statistics.median(v):.2f}" for name, v in samples.items())


def _write(record: Record, output: Path) -> int:
    """Write the frames as a video when the name is that of one, else as pictures in a folder."""
    from edgeseg.sinks.encoder import FORMATS

    if output.suffix.lower() in FORMATS:
        return _write_video(record, output)
    if output.suffix and not output.is_dir():
        raise ConfigError(
            f"--output {output}: neither a folder nor a video", hint="Try: last/   or: last.mp4"
        )
    count = 0
    with writing(output):
        for number, moment in enumerate(record.moments):
            if moment.jpeg:
                with written_aside(output / f"{_name(moment.facts, number)}.jpg") as aside:
                    aside.write_bytes(moment.jpeg)
                count += 1
    return count


def _write_video(record: Record, output: Path) -> int:
    from edgeseg.service.flight import SECONDS
    from edgeseg.service.ring import SLOTS
    from edgeseg.sinks import RunInfo, make_sink
    from edgeseg.sources.base import SourceInfo
    from edgeseg.types import Detections, Frame, Result

    sink = make_sink(f"video:{output}")
    sink.open(RunInfo(SourceInfo("flight record", live=False, fps=SLOTS / SECONDS), (), ""))
    count = 0
    try:
        for picture in _pictures(record):
            frame = Frame(picture, count, count * SECONDS / SLOTS)
            sink.write(Result(frame, Detections.empty(), ()), picture)
            count += 1
    finally:
        sink.close()
    return count


def _pictures(record: Record) -> Iterator[NDArray[np.uint8]]:
    """Give the frames that can be decoded, uint8[H, W, 3] BGR."""
    import numpy as np
    from PIL import Image

    for moment in record.moments:
        if not moment.jpeg:
            continue
        try:
            with Image.open(io.BytesIO(moment.jpeg), formats=("JPEG",)) as image:
                if max(image.size) > _LARGEST_PX:
                    continue
                yield np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        except (OSError, ValueError, SyntaxError):
            continue


def _name(facts: dict[str, Any], number: int) -> str:
    frame = facts.get("frame")
    return f"{frame:09d}" if isinstance(frame, int) and frame >= 0 else f"unnumbered-{number}"


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _plain(line: str) -> str:
    """Give a line without what a terminal would obey: a record may come from anywhere."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
