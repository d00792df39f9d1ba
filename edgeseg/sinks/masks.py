"""Instance masks: an indexed PNG for each frame, and a list of the instances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SinkError
from edgeseg.labels.data_sets import write_names
from edgeseg.labels.from_result import labelled
from edgeseg.labels.instances import INSTANCES, InstancesWriter
from edgeseg.labels.types import Classes
from edgeseg.sinks.aside import AsideFile, prepare_folder
from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.spec import Spec
from edgeseg.sinks.training import TrainingFolder
from edgeseg.types import Result


class MasksSink:
    """Writes masks/NAME.png, instances.jsonl and names.txt, with `?images=yes` also images/.

    edgeseg.labels.id_maps says what the values mean.
    """

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._folder = TrainingFolder(spec)
        self._file: AsideFile | None = None
        self._writer: InstancesWriter | None = None
        self._classes = Classes()

    def open(self, run: RunInfo) -> None:
        """Make the folder. Raises SinkError."""
        self._classes = Classes(run.class_names)
        folder = self._folder.open()
        prepare_folder(folder / "masks")
        self._file = AsideFile(folder / INSTANCES, run)
        self._writer = InstancesWriter(folder, self._file.write, self._classes, distinct=True)

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Write one mask. Raises SinkError."""
        if self._writer is None:
            raise SinkError(f"{self.name} is not open")
        names = self._folder.take(result.frame)
        if names is not None:
            self._writer.add(labelled(result, names[1], sized=True))

    def close(self) -> str | None:
        """Finish the list, and give the folder. Raises SinkError."""
        file, self._file, self._writer = self._file, None, None
        if file is None or file.gone or self._folder.path is None:
            return None
        try:
            write_names(self._folder.path, "masks", self._classes, pictures=self._folder.images)
        except SinkError:
            file.discard()
            raise
        file.finish()
        return str(self._folder.path)
