"""Names for the files of frames."""

from __future__ import annotations

from pathlib import Path

from edgeseg.types import Frame


class FrameNames:
    """Names the files of frames: the picture's stem, or the frame's number.

    Pictures of one stem in different folders get `_2`, `_3` and so on, in the
    order in which they come.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()

    def name(self, frame: Frame) -> str:
        """Give a name without ending that no other frame of the run has."""
        if frame.path is None:
            return f"{frame.index:06d}"
        stem = Path(frame.path).stem or "picture"
        name, number = stem, 1
        while name in self._used:
            number += 1
            name = f"{stem}_{number}"
        self._used.add(name)
        return name
