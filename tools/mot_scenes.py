"""Scenes with ground truth, and boxes for trackers made from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
"""float64[N, 10] as MOTChallenge writes them: frame, id, left, top, width, height, …"""
Boxes = list[NDArray[np.float32]]
"""For each frame float32[N, 5]: left, top, right, bottom, score."""


@dataclass(frozen=True)
class Scene:
    """A clip and what is truly in it."""

    name: str
    clip: Path
    fps: float
    size_px: tuple[int, int]
    frames: int
    truth: Rows


def read_rows(path: Path) -> Rows:
    """Read MOTChallenge rows."""
    text = path.read_text()
    return np.loadtxt(text.splitlines(), delimiter=",", ndmin=2) if text else np.zeros((0, 10))


def open_scene(folder: Path) -> Scene:
    """Read a folder with one clip and gt/gt.txt; rows that are to be ignored are left out."""
    import av

    clip = next(p for p in sorted(folder.iterdir()) if p.suffix in (".avi", ".mp4"))
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        fps, size_px = float(stream.average_rate), (stream.width, stream.height)
        frames = sum(1 for _ in container.decode(stream))
    truth = read_rows(folder / "gt" / "gt.txt")
    return Scene(folder.name, clip, fps, size_px, frames, truth[truth[:, 6] != 0])


def thinned_boxes(scene: Scene, seed: int, *, keep: float, jitter: float) -> Boxes:
    """Give the true boxes, each kept by chance, its edges off by a share of its sides.

    Scores are drawn from 0.3 to 1, so that a tracker's two stages both have work.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for frame in range(1, scene.frames + 1):
        rows = scene.truth[scene.truth[:, 0] == frame]
        rows = rows[rng.random(len(rows)) < keep]
        size = np.hstack([rows[:, 4:6]] * 2)
        boxes = np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])
        boxes += rng.uniform(-jitter, jitter, boxes.shape) * size
        scores = rng.uniform(0.3, 1, (len(rows), 1))
        frames.append(np.hstack([boxes, scores]).astype(np.float32))
    return frames


def detected_boxes(
    scene: Scene, *, model: str, size: int, conf: float, frames: int | None = None
) -> Boxes:
    """Give a network's boxes of people, untracked; of the first `frames`, or of all."""
    import edgeseg

    results = edgeseg.stream(
        scene.clip, model=model, size=str(size), conf=conf, track="off", masks="off",
        classes="person", max_frames=frames,
    )  # fmt: skip
    return [
        np.hstack([r.detections.boxes_px, r.detections.scores[:, None]]).astype(np.float32)
        for r in results
    ]


def track_boxes(scene: Scene, boxes: Boxes, *, conf: float = 0.25) -> Rows:
    """Run our tracker over boxes; give MOTChallenge rows."""
    from edgeseg import _native

    tracker = _native.Tracker(conf=conf, period_s=1 / scene.fps)
    rows = []
    for frame, found in enumerate(boxes):
        tracked = tracker.update(
            np.ascontiguousarray(found[:, :4]),
            np.ascontiguousarray(found[:, 4]),
            np.zeros(len(found), np.int32),
            frame / scene.fps,
            scene.size_px,
        )
        for box, score, key in zip(*(tracked[i].tolist() for i in (0, 1, 3)), strict=True):
            if key > 0:
                left, top, right, bottom = box
                size = right - left, bottom - top
                rows.append([frame + 1, key, left, top, *size, score, -1, -1, -1])
    return np.array(rows).reshape(-1, 10)
