"""What a result becomes outside of edgeseg: a JSON object, an object of another package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeseg.errors import MissingDependencyError
from edgeseg.types import Result

if TYPE_CHECKING:
    import supervision


def to_dict(result: Result) -> dict[str, object]:
    """Give the JSONL object of a frame (see README, section Results)."""
    width, height = result.frame.size_px
    record: dict[str, object] = {
        "frame": result.frame.index,
        "time_s": round(result.frame.time_s, 6),
        "width": width,
        "height": height,
        "objects": _objects(result),
    }
    if result.class_map is not None:
        record["classes"] = result.class_areas()
    if result.frame.path is not None:
        record["path"] = result.frame.path
    return record


def _objects(result: Result) -> list[dict[str, object]]:
    found = result.detections
    objects = []
    for row, (box, score, class_id) in enumerate(
        zip(found.boxes_px.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True)
    ):
        item: dict[str, object] = {
            "class_id": class_id,
            "class": result.class_name(class_id),
            "score": round(score, 6),
            "box": [round(edge, 2) for edge in box],
        }
        if result.tracks is not None and result.tracks.ids[row] > 0:
            item["track_id"] = int(result.tracks.ids[row])
        mask = _mask(result, row)
        if mask is not None:
            item["mask"] = mask
        objects.append(item)
    return objects


def _mask(result: Result, row: int) -> dict[str, object] | None:
    if result.masks is None or not result.masks.grids[row].size:
        return None
    from edgeseg.masks.compact import record

    return record(result.masks, row)


def to_supervision(result: Result) -> supervision.Detections:
    """Convert for the `supervision` package.

    Raises MissingDependencyError when it is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise MissingDependencyError(
            "to_supervision() needs the package supervision",
            hint="Install it: pip install supervision",
        ) from error
    names = [result.class_name(i) for i in result.detections.class_ids.tolist()]
    return supervision.Detections(
        xyxy=result.detections.boxes_px,
        mask=None if result.masks is None else result.masks.dense(),
        confidence=result.detections.scores,
        class_id=result.detections.class_ids.astype(int),
        tracker_id=None if result.tracks is None else result.tracks.ids.astype(int),
        data={"class_name": np.array(names, dtype=str)},
    )
