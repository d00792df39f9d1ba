"""Station 5: who is who. The rules are in docs/TRACKING.md, the work is in csrc/cpu/tracker.cpp."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.masks.moving import joined_masks, moved_masks, no_masks
from edgeseg.types import Detections, Frame, Masks, Result, Tracks

LOST_S = 2.0
"""An identity ends when its object was not seen for longer."""
PERIOD_S = 0.04
"""From frame to frame, where neither the source nor the frames' times tell."""


def tracking_floor(conf: float) -> float:
    """Give the lowest score that tracking can use; detections down to it should come in.

    What scores below `conf` keeps an object that is known, but begins none, and
    is left out of the results otherwise.
    """
    return float(_native.tracking_floor(conf))


class TrackFollower:
    """Gives objects identities; carries them through frames that no network saw.

    What comes out are the detections that score `conf` or belong to an identity,
    and the objects that were missed but are more likely there than not.
    """

    name = "track"

    def __init__(
        self, *, conf: float = 0.25, fps: float | None = None, detect_every: int = 1
    ) -> None:
        """Begin without objects; `fps` is the source's. Raises ValueError for a bad `conf`."""
        period_s = 1 / fps if fps is not None and fps > 0 else PERIOD_S
        self._tracker = _native.Tracker(conf=conf, lost_s=LOST_S, period_s=period_s)
        self._conf = self._wanted_conf = conf
        self._watches = detect_every > 1
        self._masks = MaskMemory()
        self._count = IdentityCount()

    def retune(self, conf: float) -> None:
        """Have another `conf` from the next frame on; may be called from another thread."""
        self._wanted_conf = conf

    def follow(self, result: Result) -> Result:
        """Give the result with `tracks`, and detections and masks in step with them."""
        if self._wanted_conf != self._conf:
            self._conf = self._wanted_conf
            self._tracker.retune(self._conf)
        tracked = self._detected(result) if result.detected else self._carried(result.frame)
        boxes_px, scores, class_ids, ids, ages, carried, sources = tracked
        found = Detections(boxes_px, scores, class_ids)
        tracks = Tracks(ids, ages, carried)
        self._count.add(found, tracks, result.frame)
        masks = self._masks.in_step(result, found, tracks, sources)
        return replace(result, detections=found, tracks=tracks, masks=masks)

    def summary(self) -> dict[str, str]:
        """Tell how many identities there were, how long they lasted, and how many may be twice."""
        return {"tracks": self._count.text()} if self._count.identities else {}

    def figures(self) -> dict[str, object]:
        """Give the same as numbers."""
        return self._count.figures()

    def close(self) -> None:
        """Forget every mask."""
        self._masks = MaskMemory()

    def _detected(self, result: Result) -> _native.Tracked:
        found, frame = result.detections, result.frame
        image = frame.host_image if self._watches else None
        ids, overlaps = self._masks.overlaps(self._tracker, result)
        return self._tracker.update(
            found.boxes_px,
            found.scores,
            found.class_ids,
            frame.time_s,
            frame.size_px,
            image=image,
            mask_ids=ids,
            mask_overlaps=overlaps,
        )

    def _carried(self, frame: Frame) -> _native.Tracked:
        return self._tracker.carry(frame.time_s, frame.size_px, image=frame.host_image)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last mask of an identity, as masks of one row, and the box it belonged to."""

    masks: Masks
    box_px: NDArray[np.float32]


class MaskMemory:
    """Keeps the last mask of each identity, when the network brings masks of its own."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def overlaps(
        self, tracker: _native.Tracker, result: Result
    ) -> tuple[NDArray[np.int32] | None, NDArray[np.float32] | None]:
        """Compare what is remembered, moved to where it should be now, with the result's masks.

        Gives the ids, int32[K], and IoUs, float32[K, N]; None and None without masks.
        """
        masks = result.masks
        if masks is None or not self._seen:
            return None, None
        ids, boxes_px = tracker.predicted(result.frame.time_s)
        rows = np.array([i for i, key in enumerate(ids.tolist()) if key in self._seen], np.int64)
        if not len(rows):
            return None, None
        seen = [self._seen[key] for key in ids[rows].tolist()]
        now = moved_masks(joined_masks([item.masks for item in seen]), _boxes(seen), boxes_px[rows])
        return ids[rows], _native.mask_iou(
            now.grids, now.regions_px, now.clips_px, masks.grids, masks.regions_px, masks.clips_px
        )

    def in_step(
        self, result: Result, found: Detections, tracks: Tracks, sources: NDArray[np.int64]
    ) -> Masks | None:
        """Give a mask for each object: its own, else the last of its identity, moved along."""
        if result.masks is None and not self._seen:
            return None
        rows = []
        kept: dict[int, _Seen] = {}
        size_px = result.frame.size_px
        for row, (key, source) in enumerate(
            zip(tracks.ids.tolist(), sources.tolist(), strict=True)
        ):
            box_px = found.boxes_px[row : row + 1]
            before = self._seen.get(key)
            if source >= 0 and result.masks is not None:
                own = result.masks.select(np.array([source]))
                rows.append(own)
                if key > 0 and own.grids[0].size:
                    kept[key] = _Seen(own, box_px)
            elif before is not None:
                rows.append(moved_masks(before.masks, before.box_px, box_px))
            else:
                rows.append(no_masks(1, size_px))
        self._remember(kept, tracks)
        return joined_masks(rows) if rows else no_masks(0, size_px)

    def _remember(self, kept: dict[int, _Seen], tracks: Tracks) -> None:
        """Keep the new masks, and of the others those whose object was shown just now."""
        shown = set(tracks.ids.tolist())
        older = {key: seen for key, seen in self._seen.items() if key in shown}
        self._seen = older | kept


def _boxes(seen: list[_Seen]) -> NDArray[np.float32]:
    return np.concatenate([item.box_px for item in seen])


@dataclass(slots=True)
class _Life:
    """What is known of an identity for the summary."""

    class_id: int
    first_s: float
    last_s: float
    box_px: list[float]
    succeeded: bool = False


class IdentityCount:
    """Counts identities, and estimates how many are the second one of an object.

    One that begins where another of its class was lost less than LOST_S before,
    and away from the picture's rim, is most likely the same object under a new
    number: a switch. Each loss explains one of them.
    """

    def __init__(self) -> None:
        self._now: dict[int, _Life] = {}
        self.identities = 0
        self.switches = 0
        self._seconds = 0.0

    def add(self, found: Detections, tracks: Tracks, frame: Frame) -> None:
        """Take the objects of a frame."""
        for key, class_id, box in zip(
            tracks.ids.tolist(), found.class_ids.tolist(), found.boxes_px.tolist(), strict=True
        ):
            if key == 0:
                continue
            life = self._now.get(key)
            if life is None:
                self.identities += 1
                self.switches += self._follows_another(class_id, box, frame)
                self._now[key] = _Life(class_id, frame.time_s, frame.time_s, box)
            else:
                self._seconds += max(0.0, frame.time_s - life.last_s)
                life.class_id, life.last_s, life.box_px = class_id, frame.time_s, box
        if len(self._now) > 64:
            self._now = {
                key: life
                for key, life in self._now.items()
                if frame.time_s - life.last_s <= 2 * LOST_S
            }

    @property
    def mean_s(self) -> float:
        """How long an identity was there, on average."""
        return self._seconds / max(1, self.identities)

    def figures(self) -> dict[str, object]:
        """Give the summary's numbers."""
        return {
            "identities": self.identities,
            "mean_s": round(self.mean_s, 3),
            "switches_estimated": self.switches,
        }

    def text(self) -> str:
        """Give the summary's line."""
        names = "identity" if self.identities == 1 else "identities"
        return (
            f"{self.identities} {names}, {self.mean_s:.1f} s on average, "
            f"about {self.switches} switched"
        )

    def _follows_another(self, class_id: int, box: list[float], frame: Frame) -> bool:
        width, height = frame.size_px
        side = max(1.0, ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5)
        x, y = _middle(box)
        if not (side / 2 < x < width - side / 2 and side / 2 < y < height - side / 2):
            return False
        near = [
            (distance, life)
            for life in self._now.values()
            if life.class_id == class_id
            and not life.succeeded
            and 0 < frame.time_s - life.last_s <= LOST_S
            and (distance := _distance(life.box_px, (x, y))) <= side
        ]
        if not near:
            return False
        min(near, key=lambda pair: pair[0])[1].succeeded = True
        return True


def _middle(box: list[float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _distance(box: list[float], point: tuple[float, float]) -> float:
    x, y = _middle(box)
    return float(((x - point[0]) ** 2 + (y - point[1]) ** 2) ** 0.5)
