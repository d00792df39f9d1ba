"""The class of each pixel, composed from the masks of objects (`--segment semantic`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeseg.types import NO_CLASS, ClassMap, Result


class ComposedClasses:
    """A follower that makes class maps for networks that give objects.

    Each pixel is of the object with the highest score whose mask has it, of the
    first of those that score alike; a pixel of none is NO_CLASS. A result that
    has a class map already stays as it is.
    """

    name = "classes"

    def __init__(self) -> None:
        self._without = 0

    def follow(self, result: Result) -> Result:
        """Give the result with a class map."""
        if result.class_map is not None:
            return result
        width, height = result.frame.size_px
        classes = np.full((height, width), NO_CLASS, np.uint16)
        masks = result.masks
        scores = result.detections.scores
        # From the least certain on: what is painted later lies on top.
        for i in np.argsort(-scores, kind="stable")[::-1].tolist():
            if masks is None or masks.grids[i].size == 0:
                self._without += 1
                continue
            left, top, right, bottom = masks.box(i)
            part = classes[top:bottom, left:right]
            part[masks.pixels(i)] = result.detections.class_ids[i]
        whole = (0.0, 0.0, float(width), float(height))
        return replace(result, class_map=ClassMap(classes, whole, NO_CLASS))

    def summary(self) -> dict[str, str]:
        """Say how many objects had no mask."""
        if not self._without:
            return {}
        return {"classes": f"{self._without} objects without a mask are in no class map"}

    def figures(self) -> dict[str, object]:
        """Give the same as a number."""
        return {"objects_without_mask": self._without}

    def close(self) -> None:
        """Release memory."""
