"""Look labels over: count them, and list what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edgeseg.errors import LabelError
from edgeseg.labels.convert import Show, byte_progress
from edgeseg.labels.formats import ReadOptions, guess_source, open_labels
from edgeseg.labels.problems import Problem, Problems
from edgeseg.labels.types import LabelPicture
from edgeseg.types import Size

_SMALL_PX, _LARGE_PX = 32**2, 96**2
"""COCO's limits of small, medium and large, in pixels of area."""


@dataclass(slots=True)
class Survey:
    """What is in a set of labels."""

    format: str
    pictures: int = 0
    without_objects: int = 0
    objects: int = 0
    masks: int = 0
    crowds: int = 0
    scores: int = 0
    tracks: int = 0
    """Identities given."""
    classes: dict[str, int] = field(default_factory=dict)
    """Objects of each class, in the order of the classes; those without objects too."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Objects that are small, medium and large in COCO's sense."""
    pictures_px: tuple[Size, Size] | None = None
    """The smallest and the largest picture."""
    errors: int = 0
    warnings: int = 0


def survey(
    source: Path,
    options: ReadOptions,
    take: Callable[[Problem], None] = lambda _: None,
    *,
    show: Show | None = None,
) -> Survey:
    """Read all labels; `take` gets each problem as it is found.

    What makes the rest of a file unreadable is a problem, and the end. Raises
    ConfigError, and LabelError when there is nothing to read.
    """
    found = Survey(options.format or guess_source(source))
    problems = Problems(take, thorough=True)
    try:
        _read(source, options, problems, found, show)
    except LabelError as error:
        if not error.file:
            raise
        place = f"{error.file}:{error.line}" if error.line is not None else error.file
        problems.error(error.file, error.line, error.message.removeprefix(f"{place}: "))
    found.errors, found.warnings = problems.errors, problems.warnings
    return found


def _read(
    source: Path, options: ReadOptions, problems: Problems, found: Survey, show: Show | None
) -> None:
    """Count into `found`."""
    reader = open_labels(source, problems, options, byte_progress(source, show))
    classes: Counter[int] = Counter()
    tracks: set[int] = set()
    names: Counter[str] = Counter()
    for picture in reader.pictures():
        names[picture.name] += 1
        if names[picture.name] == 2:
            problems.warning(picture.file, None, f"{picture.name} is there more than once")
        _count(picture, found)
        classes.update(item.class_id for item in picture.objects)
        tracks.update(item.track_id for item in picture.objects if item.track_id)
        _find_duplicates(picture, problems)
        if show is not None:
            show("pictures", found.pictures, reader.count)
    found.tracks = len(tracks)
    found.classes = {reader.classes.name(n): classes[n] for n in range(len(reader.classes))}


def _count(picture: LabelPicture, found: Survey) -> None:
    found.pictures += 1
    found.without_objects += not picture.objects
    found.objects += len(picture.objects)
    low, high = found.pictures_px or (picture.size_px, picture.size_px)
    found.pictures_px = (
        min(low, picture.size_px, key=_area),
        max(high, picture.size_px, key=_area),
    )
    for item in picture.objects:
        found.masks += item.mask is not None
        found.crowds += item.crowd
        found.scores += item.score is not None
        area = item.area_px
        size = "small" if area < _SMALL_PX else "medium" if area < _LARGE_PX else "large"
        found.sizes[size] = found.sizes.get(size, 0) + 1


def _area(size_px: Size) -> int:
    return size_px[0] * size_px[1]


def _find_duplicates(picture: LabelPicture, problems: Problems) -> None:
    """Tell of objects that are there twice: same class, box and mask."""
    seen: dict[object, int | None] = {}
    for item in picture.objects:
        box = tuple(round(edge, 1) for edge in item.box_px)
        key = (item.class_id, box, item.mask, item.crowd)
        if key in seen:
            other = f" (line {seen[key]})" if seen[key] not in (None, item.line) else ""
            file = picture.file
            problems.warning(file, item.line, f"{picture.name}: the same object again{other}")
        else:
            seen[key] = item.line
