"""Convert labels from one format into another."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edgeseg.labels.formats import ReadOptions, WriteOptions, create_labels, open_labels
from edgeseg.labels.problems import Problem, Problems

log = logging.getLogger(__name__)

_TOLD = 10

Show = Callable[[str, int, int | None], None]
"""Told of progress: what is done, how much so far, of how much."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion did."""

    place: str
    pictures: int
    objects: int
    masks: int
    """Objects with a mask."""
    left_out: int
    """Labels that could not be used."""
    crowds: int = 0
    """Crowds that the format has no word for."""
    classes: dict[str, int] = field(default_factory=dict)
    """Objects of each class."""


def convert(
    source: Path,
    target: Path,
    reading: ReadOptions,
    writing: WriteOptions,
    *,
    skip_bad: bool = False,
    show: Show | None = None,
) -> Converted:
    """Read labels and write them anew; the target appears when it is complete.

    Raises LabelError at the first label that cannot be used, unless such are to
    be skipped; ConfigError, SinkError.
    """
    skipped = _Skipped()
    problems = Problems(skipped.take if skip_bad else None)
    reader = open_labels(source, problems, reading, byte_progress(source, show))
    writer = create_labels(target, reader.classes, writing, source=str(source))
    pictures = masks = crowds = 0
    found: Counter[int] = Counter()
    try:
        for picture in reader.pictures():
            writer.add(picture)
            pictures += 1
            found.update(item.class_id for item in picture.objects)
            masks += sum(item.mask is not None for item in picture.objects)
            crowds += sum(item.crowd for item in picture.objects)
            if show is not None:
                show("pictures", pictures, reader.count)
        place = writer.finish(reader.classes)
    except BaseException:
        writer.discard()
        raise
    classes = {reader.classes.name(number): count for number, count in sorted(found.items())}
    lost = crowds if writing.format in ("yolo", "yolo-seg") else 0
    return Converted(place, pictures, found.total(), masks, problems.errors, lost, classes)


def byte_progress(source: Path, show: Show | None) -> Callable[[int], None] | None:
    """Give what a reader tells of the bytes it read."""
    if show is None or not source.is_file():
        return None
    total, read = source.stat().st_size, 0

    def advance(count: int) -> None:
        nonlocal read
        read += count
        show("bytes", read, total)

    return advance


class _Skipped:
    """Tells of the first labels that are left out."""

    def __init__(self) -> None:
        self._count = 0

    def take(self, problem: Problem) -> None:
        if not problem.serious:
            return
        self._count += 1
        if self._count <= _TOLD:
            log.warning("%s; left out", problem)
        elif self._count == _TOLD + 1:
            log.warning("and more; `edgeseg labels check` lists all")
