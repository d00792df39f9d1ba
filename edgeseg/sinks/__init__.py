"""Where results go: a window, files, or nowhere.

A sink is named by `KIND:PATH`, or by a path whose ending tells the kind;
options stand behind a question mark: `video:out.mp4?crf=20&preset=veryfast`.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgeseg.errors import ConfigError
from edgeseg.sinks.base import RunInfo, Sink, StopRequested
from edgeseg.sinks.spec import Spec, parse_spec
from edgeseg.sources.base import SourceInfo

__all__ = [
    "KINDS",
    "RunInfo",
    "Sink",
    "StopRequested",
    "default_sinks",
    "make_sink",
    "make_sinks",
    "targets",
]

log = logging.getLogger(__name__)

KINDS: Mapping[str, str] = {
    "window": "live window; q quits, f full screen, s saves a picture (--sink window:)",
    "video": "annotated video; options crf, preset, codec, fps (--sink out.mp4, .mkv .mov .avi);"
    " a cut-out background stays transparent in .mov and .webm",
    "jsonl": "one JSON object a frame (--sink out.jsonl; jsonl:- is standard output)",
    "csv": "one row an object (--sink out.csv)",
    "yolo": "YOLO boxes, one file a frame; options scores, images, every (--sink yolo:labels/)",
    "yolo-seg": "YOLO segments; images=yes makes a data set (--sink 'yolo-seg:set/?images=yes')",
    "coco": "COCO JSON with scores; options masks=rle|polygon|none, tolerance (--sink out.json)",
    "masks": "PNG masks, instances.jsonl; options images, every (--sink masks:set/)",
    "mot": "MOTChallenge rows of tracked objects (--sink mot:out.txt)",
    "pictures": "annotated pictures; options format, quality (--sink pictures:out/); a cut-out"
    " background is transparent",
    "index": "class maps as palette PNG, the pixel is the class (--sink index:folder/)",
    "segments": "shots, and when each class and track was there; options gap, shortest, shots,"
    " csv, png (--sink segments:out.json)",
    "null": "nothing is kept (--sink null:)",
}
"""What each kind of sink does, with an example."""

EXTENSIONS: Mapping[str, str] = {
    ".mp4": "video",
    ".m4v": "video",
    ".mkv": "video",
    ".mov": "video",
    ".avi": "video",
    ".webm": "video",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".json": "coco",
}
"""The kind of a path without one."""

_OPTIONS: Mapping[str, frozenset[str]] = {
    "video": frozenset({"crf", "preset", "codec", "fps"}),
    "yolo": frozenset({"scores", "images", "every"}),
    "yolo-seg": frozenset({"scores", "images", "every", "tolerance"}),
    "coco": frozenset({"masks", "tolerance"}),
    "masks": frozenset({"images", "every"}),
    "pictures": frozenset({"format", "quality"}),
    "segments": frozenset({"gap", "shortest", "shots", "csv", "png"}),
}
_WITHOUT_PATH = frozenset({"window", "null"})


def make_sink(spec: str) -> Sink:
    """Make the sink a user names; nothing is opened yet.

    Raises ConfigError that lists the kinds.
    """
    return _make(_parse(spec))


def make_sinks(specs: Sequence[str]) -> list[Sink]:
    """Make several sinks, all different. Raises ConfigError."""
    parsed = [_parse(spec) for spec in specs]
    seen: dict[tuple[str, str], str] = {}
    for spec in parsed:
        if spec.kind == "null":
            continue
        place = _place(spec)
        if place in seen:
            raise ConfigError(
                f"two sinks write to one place: {seen[place]} and {spec.text}",
                hint="Give each a path of its own.",
            )
        seen[place] = spec.text
    return [_make(spec) for spec in parsed]


def default_sinks(
    info: SourceInfo, output: Path, *, headless: bool = False, alpha: bool = False
) -> list[Sink]:
    """Choose where results go when the user names nothing.

    A window where there is a display; otherwise says why not, and chooses a
    video (or pictures) and a JSONL file in the folder `output`. With `alpha`
    the video is of a format that keeps transparency.
    """
    if not headless:
        from edgeseg.sinks.window import display_available

        reason = display_available()
        if reason is None:
            return make_sinks(["window:"])
        log.warning("%s; writing to %s instead", reason, output)
    stem = file_stem(info.name)
    if info.live:
        stem += time.strftime("-%Y%m%d-%H%M%S")
    if info.pictures:
        return make_sinks([f"pictures:{output}", f"jsonl:{output / stem}.jsonl"])
    ending = "webm" if alpha else "mp4"
    return make_sinks([f"video:{output / stem}.{ending}", f"jsonl:{output / stem}.jsonl"])


def file_stem(source: str) -> str:
    """Give a plain file name, without ending, for what is made from a source."""
    return re.sub(r"[^\w.-]+", "-", Path(source).stem).strip("-.") or "edgeseg"


def targets(specs: Sequence[str]) -> list[Path]:
    """Give the files and folders that sinks write to. Raises ConfigError."""
    parsed = [_parse(spec) for spec in specs]
    return [spec.path for spec in parsed if spec.target and spec.target != "-"]


def _parse(text: str) -> Spec:
    """Take a spec apart and check it as far as is possible without its kind's module."""
    try:
        spec = parse_spec(text, KINDS, EXTENSIONS)
    except ConfigError as error:
        known = "\n  ".join(f"{kind:<9} {words}" for kind, words in KINDS.items())
        raise ConfigError(error.message, hint=f"Kinds of sinks:\n  {known}") from error
    if not spec.target and spec.kind not in _WITHOUT_PATH:
        raise ConfigError(f"sink {text}: no path", hint=KINDS[spec.kind])
    if spec.target and spec.kind in _WITHOUT_PATH:
        raise ConfigError(f"sink {text}: {spec.kind}: takes no path", hint=KINDS[spec.kind])
    if spec.target == "-" and spec.kind != "jsonl":
        raise ConfigError(f"sink {text}: only JSONL goes to standard output", hint="Use jsonl:-")
    unknown = set(spec.options) - _OPTIONS.get(spec.kind, frozenset())
    if unknown:
        raise ConfigError(
            f"sink {text}: unknown option {', '.join(sorted(unknown))}", hint=KINDS[spec.kind]
        )
    return spec


def _place(spec: Spec) -> tuple[str, str]:
    """Give what two sinks must not share: a file, or a folder with one kind of files."""
    if spec.kind == "window" or (spec.kind == "jsonl" and spec.target == "-"):
        return spec.kind, spec.target
    from edgeseg.sinks.aside import writing

    with writing(spec.path):
        real = os.path.realpath(spec.path)
    if spec.kind in ("yolo", "yolo-seg"):  # files of one name
        return "yolo", real
    return (spec.kind, real) if spec.kind in ("masks", "pictures", "index") else ("file", real)


def _make(spec: Spec) -> Sink:
    """Make a sink by its kind."""
    return _MAKERS[spec.kind](spec)


def _make_window(spec: Spec) -> Sink:
    from edgeseg.sinks.window import WindowSink

    return WindowSink(spec)


def _make_video(spec: Spec) -> Sink:
    from edgeseg.sinks.video import VideoSink

    return VideoSink(spec)


def _make_jsonl(spec: Spec) -> Sink:
    from edgeseg.sinks.lines import LinesSink, StdoutSink, json_line

    return StdoutSink(spec) if spec.target == "-" else LinesSink(spec, json_line)


def _make_csv(spec: Spec) -> Sink:
    from edgeseg.sinks.lines import CSV_COLUMNS, LinesSink, csv_rows, csv_text

    return LinesSink(spec, csv_rows, header=csv_text([CSV_COLUMNS]))


def _make_yolo(spec: Spec) -> Sink:
    from edgeseg.sinks.yolo import YoloSink

    return YoloSink(spec)


def _make_yolo_seg(spec: Spec) -> Sink:
    from edgeseg.sinks.yolo import YoloSink

    return YoloSink(spec, segments=True)


def _make_masks(spec: Spec) -> Sink:
    from edgeseg.sinks.masks import MasksSink

    return MasksSink(spec)


def _make_coco(spec: Spec) -> Sink:
    from edgeseg.sinks.coco import CocoSink

    return CocoSink(spec)


def _make_mot(spec: Spec) -> Sink:
    from edgeseg.sinks.lines import LinesSink
    from edgeseg.sinks.mot import mot_rows

    return LinesSink(spec, mot_rows)


def _make_pictures(spec: Spec) -> Sink:
    from edgeseg.sinks.pictures import PicturesSink

    return PicturesSink(spec)


def _make_index(spec: Spec) -> Sink:
    from edgeseg.sinks.index import IndexSink

    return IndexSink(spec)


def _make_segments(spec: Spec) -> Sink:
    from edgeseg.sinks.segments import SegmentsSink

    return SegmentsSink(spec)


def _make_null(spec: Spec) -> Sink:
    from edgeseg.sinks.null import NullSink

    return NullSink(spec)


_MAKERS: Mapping[str, Callable[[Spec], Sink]] = {
    "window": _make_window,
    "video": _make_video,
    "jsonl": _make_jsonl,
    "csv": _make_csv,
    "yolo": _make_yolo,
    "yolo-seg": _make_yolo_seg,
    "coco": _make_coco,
    "masks": _make_masks,
    "mot": _make_mot,
    "pictures": _make_pictures,
    "index": _make_index,
    "segments": _make_segments,
    "null": _make_null,
}
