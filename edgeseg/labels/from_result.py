"""Results of a run as labels."""

from __future__ import annotations

from edgeseg.labels.types import LabelObject, LabelPicture, Mask
from edgeseg.types import Masks, Result


def labelled(result: Result, name: str, *, sized: bool = False) -> LabelPicture:
    """Give a frame's objects as labels; `sized` leaves out boxes without width or height."""
    found = result.detections
    tracks = result.tracks.ids.tolist() if result.tracks is not None else [0] * len(found)
    objects = []
    for row, (box, score, class_id, track_id) in enumerate(
        zip(
            found.boxes_px.tolist(),
            found.scores.tolist(),
            found.class_ids.tolist(),
            tracks,
            strict=True,
        )
    ):
        left, top, right, bottom = box
        if sized and not (right > left and bottom > top):
            continue
        mask = None if result.masks is None else mask_at(result.masks, row)
        objects.append(LabelObject(class_id, (left, top, right, bottom), mask, score, track_id))
    time_s = None if result.frame.path is not None else result.frame.time_s
    return LabelPicture(name, result.frame.size_px, tuple(objects), time_s)


def mask_at(masks: Masks, row: int) -> Mask | None:
    """Give the pixels of one detection; None when it has no mask, or no pixel."""
    if not masks.grids[row].size:
        return None
    left, top, right, bottom = masks.box(row)
    if right <= left or bottom <= top:
        return None
    return Mask.from_pixels(masks.pixels(row), left, top)
