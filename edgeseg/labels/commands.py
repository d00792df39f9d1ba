"""`edgeseg labels`: convert, count and check labels."""

from __future__ import annotations

import dataclasses
import json as json_module
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from edgeseg.labels.convert import Converted, Show
    from edgeseg.labels.formats import ReadOptions
    from edgeseg.labels.problems import Problem
    from edgeseg.labels.survey import Survey

app = App(
    name="labels",
    help="Convert labels between formats, count them, find what is wrong with them.",
    help_format="plaintext",
)

Flag = Annotated[bool, Parameter(negative=())]
Format = Literal["yolo", "yolo-seg", "coco", "masks", "class-masks", "jsonl"]
From = Annotated[Format | None, Parameter(name="--from")]

_UNSOUND = 4
"""Exit code of a check that found labels which cannot be used, as LabelError has it."""


@app.command
def convert(
    source: Path,
    dest: str,
    *,
    from_: From = None,
    to: Format | None = None,
    names: Path | None = None,
    pictures: Path | None = None,
    size: str | None = None,
    segmentation: Literal["rle", "polygon", "none"] = "rle",
    tolerance: float = 0.0,
    scores: Flag = False,
    copy: Flag = False,
    skip_bad: Flag = False,
) -> int:
    """Write labels in another format; formats are guessed where that is possible.

    Examples: edgeseg labels convert instances_train.json dataset/ --to yolo-seg
    |  edgeseg labels convert dataset/ labels.json --segmentation polygon

    Parameters
    ----------
    source
        A folder of YOLO labels or of masks, a COCO .json, or edgeseg's .jsonl.
    dest
        A .json or .jsonl file, or a new folder; it appears when it is complete.
    from_
        Format of SOURCE.
    to
        Format of DEST.
    names
        Names of the classes (one a line, a data.yaml, or the word coco): of YOLO's and class
        masks' numbers; of other formats the order into which the classes are put, by name.
    pictures
        Folder of the pictures; default: images/ beside the labels.
    size
        Size of pictures that are not found, as 1280x720.
    segmentation
        How COCO gets its masks.
    tolerance
        Pixels by which polygons may leave a mask's edge, for fewer corners; 0 is exact.
    scores
        Write YOLO's lines with the score as last number.
    copy
        Copy the pictures to images/ beside the labels.
    skip_bad
        Leave out what cannot be used, instead of ending at the first.
    """
    from edgeseg.errors import ConfigError
    from edgeseg.labels import convert as conversion
    from edgeseg.labels.formats import WriteOptions, guess_target

    if not 0 <= tolerance <= 100:
        raise ConfigError(f"--tolerance must be from 0 to 100 pixels, got {tolerance:g}")
    writing = WriteOptions(to or guess_target(dest), segmentation, tolerance, scores, copy)
    reading = _reading(from_, names, pictures, size)
    with _bar() as show:
        done = conversion.convert(
            source, Path(dest).expanduser(), reading, writing, skip_bad=skip_bad, show=show
        )
    print(_told(done))
    return 0


@app.command
def info(
    source: Path,
    *,
    from_: From = None,
    names: Path | None = None,
    pictures: Path | None = None,
    size: str | None = None,
    json: Flag = False,
) -> int:
    """Count pictures, objects, classes and problems.

    Parameters
    ----------
    source
        A folder of YOLO labels or of masks, a COCO .json, or edgeseg's .jsonl.
    from_
        Format of SOURCE.
    names
        Names of the classes: one a line, a data.yaml, or the word coco.
    pictures
        Folder of the pictures; default: images/ beside the labels.
    size
        Size of pictures that are not found, as 1280x720.
    json
        Print JSON.
    """
    from edgeseg.labels.survey import survey

    with _bar() as show:
        found = survey(source, _reading(from_, names, pictures, size), show=show)
    if json:
        print(json_module.dumps(dataclasses.asdict(found), indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0


@app.command
def check(
    source: Path,
    *,
    from_: From = None,
    names: Path | None = None,
    pictures: Path | None = None,
    size: str | None = None,
) -> int:
    """List what is wrong with labels, one line each with file and line.

    Ends with 4 when there are labels that cannot be used; warnings alone end with 0.

    Parameters
    ----------
    source
        A folder of YOLO labels or of masks, a COCO .json, or edgeseg's .jsonl.
    from_
        Format of SOURCE.
    names
        Names of the classes: one a line, a data.yaml, or the word coco.
    pictures
        Folder of the pictures; default: images/ beside the labels.
    size
        Size of pictures that are not found, as 1280x720.
    """
    from edgeseg.labels.survey import survey

    def tell(problem: Problem) -> None:
        print(f"{problem}" if problem.serious else f"{problem} (warning)")

    found = survey(source, _reading(from_, names, pictures, size), tell)
    print(
        f"{found.objects} objects in {found.pictures} pictures: "
        f"{_count(found.errors, 'error')}, {_count(found.warnings, 'warning')}"
    )
    return _UNSOUND if found.errors else 0


def _reading(
    format_: str | None, names: Path | None, pictures: Path | None, size: str | None
) -> ReadOptions:
    from edgeseg.labels.formats import ReadOptions
    from edgeseg.sizes import parse_size

    return ReadOptions(format_ or "", names, pictures, parse_size(size) if size else None)


def _told(done: Converted) -> str:
    """Give the line that says what a conversion did."""
    text = (
        f"{done.place}: {_count(done.objects, 'object')} ({done.masks} with masks) of "
        f"{_count(len(done.classes), 'class', 'classes')} in {_count(done.pictures, 'picture')}"
    )
    if done.crowds:
        text += f"; {_count(done.crowds, 'crowd')} not written: YOLO has no word for them"
    return text + (f"; {done.left_out} left out" if done.left_out else "")


def _lines(found: Survey) -> Iterator[str]:
    """Give what `info` prints."""
    from edgeseg.sizes import format_size

    yield f"format    {found.format}"
    low_high = found.pictures_px or ((0, 0), (0, 0))
    sizes = " to ".join(dict.fromkeys(map(format_size, low_high)))
    yield (f"pictures  {found.pictures}, {sizes}; {found.without_objects} without objects")
    parts = [f"{count} {size}" for size, count in sorted(found.sizes.items(), reverse=True)]
    extras = {
        "with masks": found.masks,
        "crowds": found.crowds,
        "with scores": found.scores,
        "tracks": found.tracks,
    }
    parts += [f"{count} {what}" for what, count in extras.items() if count]
    yield f"objects   {found.objects}" + (f": {', '.join(parts)}" if parts else "")
    yield f"problems  {_count(found.errors, 'error')}, {_count(found.warnings, 'warning')}"
    present = {name: count for name, count in found.classes.items() if count}
    yield f"classes   {len(found.classes)}, {len(present)} with objects"
    for name, count in present.items():
        yield f"  {count:>8}  {name}"


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


@contextmanager
def _bar() -> Iterator[Show | None]:
    """Draw a bar on stderr; None without a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        tasks = {
            what: progress.add_task(what, total=None, visible=False)
            for what in ("bytes", "pictures")
        }

        def show(what: str, done: int, total: int | None) -> None:
            progress.update(tasks[what], completed=done, total=total, visible=True)

        yield show
