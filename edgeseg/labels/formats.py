"""The label formats by name: guess one, open a reader, open a writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgeseg.errors import ConfigError, LabelError
from edgeseg.labels.coco_writer import CocoWriter, Segmentation
from edgeseg.labels.instances import INSTANCES
from edgeseg.labels.names import read_class_names
from edgeseg.labels.problems import Problems
from edgeseg.labels.types import Classes, LabelReader, LabelWriter
from edgeseg.sinks.base import RunInfo
from edgeseg.sources.base import SourceInfo
from edgeseg.types import Size

FORMATS: Mapping[str, str] = {
    "yolo": "YOLO boxes: a folder of class cx cy w h lines",
    "yolo-seg": "YOLO segments: a folder of class x1 y1 x2 y2 … lines",
    "coco": "COCO JSON: boxes, run lengths or polygons, one .json file",
    "masks": "instance masks: a folder with masks/NAME.png and instances.jsonl",
    "class-masks": "class masks: a folder of NAME.png, the class's number plus 1 in each pixel",
    "jsonl": "edgeseg's results: one .jsonl file",
}
_ENDINGS = {".json": "coco", ".jsonl": "jsonl"}
_TASTED_FILES = 200


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How labels are read."""

    format: str = ""
    """One of FORMATS; empty: as the place looks."""
    names: Path | None = None
    """Class names: of YOLO's numbers; for other formats the order into which they are put."""
    pictures: Path | None = None
    """Folder of the pictures; default: where the format has them."""
    size_px: Size | None = None
    """Size of pictures that are not found."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How labels are written."""

    format: str = ""
    segmentation: Segmentation = "rle"
    """COCO's masks."""
    tolerance_px: float = 0.0
    """How far a polygon may leave the mask's edge, to have fewer corners."""
    scores: bool = False
    """YOLO: a last column with the score."""
    copy: bool = False
    """Copy the pictures to images/ beside the labels."""


def guess_source(source: Path) -> str:
    """Tell the format of labels that are there. Raises ConfigError and LabelError."""
    if source.is_file():
        found = _ENDINGS.get(source.suffix.lower(), "")
        if source.name == INSTANCES:
            raise ConfigError(
                f"{source} is the list of a folder of masks", hint=f"Name {source.parent}"
            )
    elif not source.exists():
        raise LabelError(f"{source} does not exist")
    elif (source / INSTANCES).is_file():
        found = "masks"
    else:
        found = _guess_folder(source)
    if not found:
        raise ConfigError(f"{source}: no format of labels is to be seen", hint=_known("--from"))
    return found


def guess_target(target: str) -> str:
    """Tell the format that a name to write asks for. Raises ConfigError."""
    found = _ENDINGS.get(Path(target).suffix.lower())
    if found is None:
        raise ConfigError(f"{target}: a folder can hold several formats", hint=_known("--to"))
    return found


def open_labels(
    source: Path,
    problems: Problems,
    options: ReadOptions = ReadOptions(),
    advance: Callable[[int], None] | None = None,
) -> LabelReader:
    """Open labels for reading; `advance` is told of bytes read while large files are opened.

    Raises ConfigError and LabelError.
    """
    from edgeseg.labels.class_maps import ClassMapsReader
    from edgeseg.labels.coco import CocoReader
    from edgeseg.labels.instances import InstancesReader
    from edgeseg.labels.jsonl import JsonlReader
    from edgeseg.labels.yolo import YoloReader

    kind = options.format or guess_source(source)
    _check(source, kind)
    pictures = options.pictures
    if kind in ("yolo", "yolo-seg"):
        return YoloReader(
            source, problems, pictures=pictures, names=options.names, size_px=options.size_px
        )
    if kind == "class-masks":
        return ClassMapsReader(source, problems, pictures=pictures, names=options.names)
    names = read_class_names(options.names) if options.names else ()
    if kind == "coco":
        return CocoReader(
            source,
            problems,
            pictures=pictures,
            names=names,
            size_px=options.size_px,
            advance=advance,
        )
    reader = InstancesReader if kind == "masks" else JsonlReader
    return reader(source, problems, pictures=pictures, names=names, advance=advance)


def create_labels(
    target: Path, classes: Classes, options: WriteOptions, *, source: str = ""
) -> LabelWriter:
    """Open a place for writing; it gets its name when it is complete.

    `source` is the place read from, which is not overwritten. Raises
    ConfigError and SinkError.
    """
    from edgeseg.labels.data_sets import FolderWriter
    from edgeseg.labels.jsonl import JsonlWriter

    kind = options.format or guess_target(str(target))
    if kind not in ("coco", "jsonl"):
        return FolderWriter(target, kind, classes, options)
    if options.copy:
        raise ConfigError(f"--copy needs a folder, and {target} is one file")
    run = RunInfo(SourceInfo(source, live=False), classes.names(), f"labels of {Path(source).name}")
    if kind == "jsonl":
        return JsonlWriter(target, run, classes)
    return CocoWriter(
        target, run, classes, masks=options.segmentation, tolerance_px=options.tolerance_px
    )


def _check(source: Path, kind: str) -> None:
    """Check that a format's kind of place is there. Raises ConfigError and LabelError."""
    if kind not in FORMATS:
        raise ConfigError(f"there is no format {kind}", hint=_known("--from"))
    if not source.exists():
        raise LabelError(f"{source} does not exist")
    if source.is_file() != (kind in ("coco", "jsonl")):
        raise LabelError(f"{source} is no place of this format", hint=FORMATS[kind])


def _known(flag: str) -> str:
    words = "\n  ".join(f"{kind:<12} {text}" for kind, text in FORMATS.items())
    return f"Say which: {flag} FORMAT\n  {words}"


def _guess_folder(source: Path) -> str:
    """Tell YOLO boxes from segments by the first lines, and from folders of PNGs."""
    from edgeseg.labels.pictures import stems_in
    from edgeseg.labels.yolo import is_segment, label_files

    folder = source / "labels" if (source / "labels").is_dir() else source
    files = label_files(folder)
    if not files:
        return "class-masks" if stems_in(source, (".png",)) else ""
    for file in islice(files.values(), _TASTED_FILES):
        with suppress(OSError), (folder / file).open(encoding="utf-8", errors="replace") as text:
            if is_segment(text.readline(1 << 16).split()):
                return "yolo-seg"
    return "yolo"
