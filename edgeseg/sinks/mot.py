"""MOTChallenge rows: what benchmarks of tracking read."""

from __future__ import annotations

from edgeseg.errors import SinkError
from edgeseg.types import Result


def mot_rows(result: Result) -> str:
    """Give `frame,id,left,top,width,height,score,-1,-1,-1` for each object with an identity.

    Frames count from 1 and follow the source's own count; objects come in the
    order of their ids. Raises SinkError for a result that was not tracked.
    """
    if result.tracks is None:
        raise SinkError(
            "sink mot: the objects have no identities",
            hint="Tracking is off for single pictures, and by --track off; ask for it: --track on",
        )
    frame = result.frame.index + 1
    rows = sorted(
        (key, score, *box)
        for key, score, box in zip(
            result.tracks.ids.tolist(),
            result.detections.scores.tolist(),
            result.detections.boxes_px.tolist(),
            strict=True,
        )
        if key > 0
    )
    return "".join(
        f"{frame},{key},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},"
        f"{score:.6f},-1,-1,-1\n"
        for key, score, left, top, right, bottom in rows
    )
