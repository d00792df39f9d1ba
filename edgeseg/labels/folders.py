"""Folders of labels that appear when they are complete."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgeseg.errors import LabelError, SinkError
from edgeseg.files import written_aside
from edgeseg.labels.pictures import stem_of
from edgeseg.labels.types import LabelPicture
from edgeseg.sinks.aside import writing


class NewFolder:
    """A folder that is called NAME.part until it is complete. Raises SinkError."""

    def __init__(self, path: Path) -> None:
        """Make the folder; `path` must not exist, or be empty."""
        self.final = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
        with writing(self.final):
            if self.final.exists() and (not self.final.is_dir() or any(self.final.iterdir())):
                raise SinkError(
                    f"{path} exists", hint="Name a new folder, or an empty one: none is mixed."
                )
            self.path = self.final.with_name(f"{self.final.name}.{os.getpid()}.part")
            self.path.mkdir(parents=True)

    def finish(self) -> str:
        """Give the folder its name, and return it."""
        with writing(self.final):
            if self.final.is_dir():
                self.final.rmdir()
            self.path.rename(self.final)
        return str(self.final)

    def discard(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.path, ignore_errors=True)


class LabelFiles:
    """Names one file for each picture, and refuses a name twice.

    `distinct` promises that no name comes twice; then none is remembered, which
    a live source would do for days.
    """

    def __init__(self, folder: Path, ending: str, *, distinct: bool = False) -> None:
        self._folder = folder
        self._ending = ending
        self._distinct = distinct
        self._taken: dict[str, str] = {}

    def write(self, picture: LabelPicture, data: bytes) -> Path:
        """Write the file of one picture. Raises LabelError and SinkError."""
        stem = stem_of(picture.name)
        if stem in self._taken:
            raise LabelError(
                f"{picture.name} and {self._taken[stem]} would have one file of labels",
                file=picture.file,
                hint="Rename one of the pictures.",
            )
        if not self._distinct:
            self._taken[stem] = picture.name
        path = self._folder / f"{stem}{self._ending}"
        with writing(path), written_aside(path) as aside:
            aside.write_bytes(data)
        return path


def copy_picture(picture: LabelPicture, images: Path) -> None:
    """Copy a picture's file to its place below `images`. Raises LabelError and SinkError."""
    if picture.path is None:
        raise LabelError(
            f"{picture.name}: its picture was not found",
            file=picture.file,
            hint="Say where the pictures are: --pictures FOLDER, or leave out --copy.",
        )
    path = images / picture.name
    with writing(path), written_aside(path) as aside:
        shutil.copyfile(picture.path, aside)
