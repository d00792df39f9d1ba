"""Compare a candidate network's detections with those of the fp32 reference, on real frames.

A box is sure from a score of 0.4. It counts as found when the other side has a
box of its class, at least half overlapping, from a score of 0.15: so a score
that moves a little across a threshold is no lost box.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Detections, Frame, Model

if TYPE_CHECKING:
    from edgeseg.engines.base import Engine

Perceive = Callable[[Frame], Detections]

SEEN = 0.15
SURE = 0.4
MATCH_IOU = 0.5
MIN_BOXES = 20
"""Sure boxes of the reference, below which nothing is proven."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a candidate may do worse than the reference."""

    lost: float
    """Share of the reference's sure boxes that the candidate does not see."""
    invented: float
    """The candidate's sure boxes that the reference does not see, per sure box of it."""
    score_error: float
    """Mean difference of the scores of matched boxes."""
    box_error: float
    """Mean of 1 - IoU of matched boxes."""


LIMITS = {
    "fp32": Limits(lost=0.005, invented=0.005, score_error=0.002, box_error=0.005),
    "fp16": Limits(lost=0.01, invented=0.01, score_error=0.01, box_error=0.02),
    "int8": Limits(lost=0.05, invented=0.05, score_error=0.06, box_error=0.08),
}
"""By precision of the candidate."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the candidate may be used, and the figures that say so."""

    frames: int
    boxes: int
    """The reference's sure boxes."""
    lost: float
    invented: float
    score_error: float
    score_error_p95: float
    box_error: float
    reasons: tuple[str, ...]
    """What is beyond its limit; empty when the candidate passed."""

    @property
    def passed(self) -> bool:
        """Whether the candidate may be used."""
        return not self.reasons

    def to_dict(self) -> dict[str, object]:
        """Give what an engine's receipt holds."""
        fields = dataclasses.asdict(self)
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in fields.items()}
        return rounded | {"reasons": list(self.reasons), "passed": self.passed}

    def __str__(self) -> str:
        figures = (
            f"{self.boxes} boxes in {self.frames} frames: {self.lost:.1%} lost, "
            f"{self.invented:.1%} invented, scores off by {self.score_error:.3f}, "
            f"boxes by {self.box_error:.1%}"
        )
        return figures if self.passed else f"{figures}; refused: {'; '.join(self.reasons)}"


def perceiver(engine: Engine, model: Model) -> Perceive:
    """Look at frames through an engine, with edgeseg's own pixel work on the CPU, from `SEEN`."""
    from edgeseg.backends.cpu import CpuBackend
    from edgeseg.backends.options import DetectOptions

    backend = CpuBackend(model, DetectOptions(conf=SEEN))

    def perceive(frame: Frame) -> Detections:
        batch = backend.preprocess(frame)
        return backend.detect(engine.infer(batch), batch.letterboxes[0])

    return perceive


def compare(
    reference: Perceive,
    candidate: Perceive,
    frames: Iterable[Frame],
    limits: Limits,
    *,
    enough_boxes: int | None = None,
) -> Verdict:
    """Judge `candidate` by the frames; both give detections from a score of `SEEN`.

    It ends early once the reference has shown `enough_boxes` sure ones. Raises
    what they raise.
    """
    tally = _Tally()
    for frame in frames:
        tally.add(reference(frame), candidate(frame))
        if enough_boxes is not None and tally.boxes >= enough_boxes:
            break
    return tally.verdict(limits)


class _Tally:
    """Counts over frames."""

    def __init__(self) -> None:
        self._frames = self._boxes = self._lost = self._invented = 0
        self._score_errors: list[float] = []
        self._box_errors: list[float] = []

    @property
    def boxes(self) -> int:
        """The reference's sure boxes so far."""
        return self._boxes

    def add(self, expected: Detections, seen: Detections) -> None:
        """Count one frame."""
        self._frames += 1
        pairs = match(expected, seen)
        sure = np.flatnonzero(expected.scores >= SURE)
        self._boxes += len(sure)
        self._lost += sum(1 for index in sure if index not in pairs)
        found = {other for other, _ in pairs.values()}
        claimed = np.flatnonzero(seen.scores >= SURE)
        self._invented += sum(1 for index in claimed if index not in found)
        for index in sure:
            if index in pairs:
                other, iou = pairs[int(index)]
                self._score_errors.append(abs(float(expected.scores[index] - seen.scores[other])))
                self._box_errors.append(1 - iou)

    def verdict(self, limits: Limits) -> Verdict:
        """Hold the figures against the limits."""
        scores = self._score_errors or [0.0]
        figures = {
            "lost": self._lost / max(self._boxes, 1),
            "invented": self._invented / max(self._boxes, 1),
            "score_error": float(np.mean(scores)),
            "box_error": float(np.mean(self._box_errors or [0.0])),
        }
        reasons = [
            f"{name.replace('_', ' ')} {value:.3f}, at most {getattr(limits, name):g} is allowed"
            for name, value in figures.items()
            if not value <= getattr(limits, name)
        ]
        if self._boxes < MIN_BOXES:
            reasons.append(
                f"the reference sees {self._boxes} sure boxes, a comparison needs {MIN_BOXES}"
            )
        p95 = float(np.quantile(scores, 0.95))
        return Verdict(
            self._frames, self._boxes, score_error_p95=p95, reasons=tuple(reasons), **figures
        )


def match(expected: Detections, seen: Detections) -> dict[int, tuple[int, float]]:
    """Pair boxes of one class, best expected first, each with the free box it overlaps most.

    Gives, by index of the expected box, the index of the other and their IoU.
    """
    overlap = iou(expected.boxes_px, seen.boxes_px)
    overlap[expected.class_ids[:, None] != seen.class_ids[None, :]] = 0
    pairs: dict[int, tuple[int, float]] = {}
    for index in range(len(expected)):
        if overlap.shape[1] == 0:
            break
        best = int(np.argmax(overlap[index]))
        if overlap[index, best] >= MATCH_IOU:
            pairs[index] = best, float(overlap[index, best])
            overlap[:, best] = 0
    return pairs


def iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give float64[N, M]: intersection over union of boxes [N, 4] and [M, 4]."""
    a, b = first.astype(np.float64)[:, None], second.astype(np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) for boxes in (a, b)]
    union: NDArray[np.float64] = np.maximum(areas[0] + areas[1] - shared, 1e-12)
    return np.asarray(shared / union, np.float64)
