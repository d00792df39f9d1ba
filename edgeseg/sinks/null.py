"""A sink that forgets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.sinks.base import RunInfo
from edgeseg.sinks.spec import Spec
from edgeseg.types import Result


class NullSink:
    """Takes results and keeps nothing: to measure the rest."""

    needs_picture = False

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text

    def open(self, run: RunInfo) -> None:
        """Do nothing."""

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:
        """Forget the result."""

    def close(self) -> str | None:
        """Give None: nothing lies anywhere."""
        return None
