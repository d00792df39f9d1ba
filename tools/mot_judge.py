"""The judge and the rival of eval_tracking.py; runs where `trackeval` and `trackers` are.

Reads a JSON list of tasks from standard input, writes a list of answers. Both
packages want OpenCV's other wheel, so they have an environment of their own:

    python -m venv judge && judge/bin/pip install trackeval trackers
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np


def edges(rows):
    """Give left, top, right, bottom of MOTChallenge rows."""
    return np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])


def iou(a, b):
    """Give the overlap of each of `a` with each of `b`."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a, b))
    return shared / np.maximum(area_a[:, None] + area_b - shared, 1e-9)


def judge(truth, rows, frames):
    """Give MOTA, IDF1 and switches as trackeval counts them."""
    from trackeval.metrics import CLEAR, Identity

    truth_ids, truth_index = np.unique(truth[:, 1], return_inverse=True)
    own_ids, own_index = np.unique(rows[:, 1], return_inverse=True)
    task = {
        "num_timesteps": frames,
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(own_ids),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(rows),
        "gt_ids": [],
        "tracker_ids": [],
        "similarity_scores": [],
    }
    truth_boxes, own_boxes = edges(truth), edges(rows)
    for frame in range(1, frames + 1):
        a, b = truth[:, 0] == frame, rows[:, 0] == frame
        task["gt_ids"].append(truth_index[a])
        task["tracker_ids"].append(own_index[b])
        task["similarity_scores"].append(iou(truth_boxes[a], own_boxes[b]))
    with contextlib.redirect_stdout(io.StringIO()):
        clear = CLEAR({"PRINT_CONFIG": False}).eval_sequence(task)
        identity = Identity({"PRINT_CONFIG": False}).eval_sequence(task)
    return {
        "mota": 100 * float(clear["MOTA"]),
        "idf1": 100 * float(identity["IDF1"]),
        "switches": int(clear["IDSW"]),
        "false": int(clear["CLR_FP"]),
        "missed": int(clear["CLR_FN"]),
        "identities": len(own_ids),
    }


def rival(boxes, fps=None):
    """Run ByteTrack of the package `trackers` over boxes, its defaults but for the frame rate."""
    import supervision
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker() if fps is None else ByteTrackTracker(frame_rate=fps)
    rows, seconds = [], []
    for frame, rows_found in enumerate(boxes):
        found = np.asarray(rows_found, np.float64).reshape(-1, 5)
        detections = supervision.Detections(
            xyxy=found[:, :4], confidence=found[:, 4], class_id=np.zeros(len(found), int)
        )
        start = time.perf_counter()
        tracked = tracker.update(detections)
        seconds.append(time.perf_counter() - start)
        if not len(tracked):
            continue
        for (left, top, right, bottom), key in zip(
            tracked.xyxy.tolist(), tracked.tracker_id.tolist(), strict=True
        ):
            if key >= 0:
                rows.append([frame + 1, key + 1, left, top, right - left, bottom - top, 1])
    return np.array(rows).reshape(-1, 7), 1e3 * float(np.median(seconds))


def answer(task):
    """Do one task: judge ours, run the rival both ways and judge it, or time the rival."""
    if task["kind"] == "time":
        return {"rival_ms": rival(task["boxes"])[1]}
    truth = np.loadtxt(task["truth"], delimiter=",", ndmin=2)
    truth = truth[truth[:, 6] != 0]
    ours = np.array(task["rows"], np.float64).reshape(-1, 10)
    answers = {"edgeseg": judge(truth, ours, task["frames"])}
    if task["boxes"] is not None:
        for name, fps in (("trackers", None), ("trackers, rate told", task["fps"])):
            answers[name] = judge(truth, rival(task["boxes"], fps)[0], task["frames"])
    return answers


def main() -> None:
    """Answer every task."""
    warnings.simplefilter("ignore")
    tasks = json.loads(sys.stdin.read())
    Path(sys.argv[1]).write_text(json.dumps([answer(task) for task in tasks]))


if __name__ == "__main__":
    main()
