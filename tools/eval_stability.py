"""Do steadied masks flicker less, and are they as right? On moving shapes and on DAVIS clips.

Masks come from the truth with noise added (a jittering box, a boundary that
wobbles, parts and whole masks that drop out), or from any program:

    python tools/eval_stability.py                                  # moving shapes
    python tools/eval_stability.py --davis ../shared/data/masks/davis
    python tools/eval_stability.py --davis DIR --masks package.module:make --noise 0

`make()` gives a callable that takes a frame, uint8[H, W, 3] BGR, and boxes,
float32[N, 4] px, and gives `edgeseg.types.Masks`.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.masks.certainty import certainty
from edgeseg.masks.smoothing import MaskSmoother
from edgeseg.masks.stability import StabilityMeter
from edgeseg.types import Detections, Frame, Masks, Result, Tracks

Masker = Callable[[NDArray[np.uint8], NDArray[np.float32]], Masks]

GRID = 64
MARGIN = 0.2
"""Share of the box by which a mask's region is larger on each side."""
LEVELS = (0.0, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Scene:
    """Frames with one object and its true mask in each."""

    name: str
    frames: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]


@dataclass(frozen=True)
class Noise:
    """What is wrong with masks, times `level`."""

    level: float
    seed: int = 1

    def boxes(self, box: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Move each side of a box by up to 4 % of the box."""
        size = np.tile(box[2:] - box[:2], 2)
        moved = box + rng.uniform(-0.04, 0.04, 4) * self.level * size
        return moved.astype(np.float32)

    def grid(self, grid: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Let the boundary wobble by about a cell and a half, and parts drop out."""
        if self.level == 0:
            return grid
        if rng.random() < 0.03 * self.level:
            return np.zeros((0, 0), np.uint8)
        field = cv2.GaussianBlur(rng.standard_normal(grid.shape).astype(np.float32), (0, 0), 4)
        wobble = field / field.std() * 1.5 * self.level
        inside = (grid >= 128).astype(np.uint8)
        reach = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
        reach = reach - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
        reach = reach - np.where(reach > 0, 0.5, -0.5) + wobble
        if rng.random() < 0.08 * self.level:
            y, x = rng.integers(0, GRID * 3 // 4, 2)
            reach[y : y + GRID // 4, x : x + GRID // 4] = -5
        return np.clip(reach * 96 + 128, 0, 255).astype(np.uint8)


def shapes(frames: int = 120) -> Iterator[Scene]:
    """Draw shapes that move, turn and change."""
    for name, draw in (("gliding", _gliding), ("waving", _waving), ("growing", _growing)):
        yield Scene(name, [_drawn(draw(t)) for t in range(frames)])


def _drawn(mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    return np.dstack([mask] * 3), mask > 127


def _gliding(t: int) -> NDArray[np.uint8]:
    mask = np.zeros((240, 480), np.uint8)
    cv2.ellipse(mask, (60 + 3 * t, 120 + round(20 * np.sin(t / 9))), (34, 60), 20, 0, 360, 255, -1)
    return mask


def _waving(t: int) -> NDArray[np.uint8]:
    mask = np.zeros((240, 480), np.uint8)
    centre = (80 + 2 * t, 120)
    cv2.ellipse(mask, centre, (28, 70), 0, 0, 360, 255, -1)
    for phase in (0.0, np.pi):
        swing = 0.9 * np.sin(t / 4 + phase)
        tip = (round(centre[0] + 70 * np.sin(swing)), round(centre[1] + 70 * np.cos(swing)))
        cv2.line(mask, centre, tip, 255, 18)
    return mask


def _growing(t: int) -> NDArray[np.uint8]:
    mask = np.zeros((240, 480), np.uint8)
    radius = 50 + 30 * np.sin(t / 12)
    cv2.ellipse(mask, (240, 120), (round(radius), round(110 - radius)), t, 0, 360, 255, -1)
    return mask


def davis(folder: Path) -> Iterator[Scene]:
    """Read the sequences of a folder: NAME.mp4 with a mask NAME/00000.png a frame."""
    for clip in sorted(folder.glob("*.mp4")):
        frames = []
        with av.open(str(clip)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                path = folder / clip.stem / f"{index:05d}.png"
                if path.is_file():
                    truth = np.asarray(Image.open(path)) > 0
                    frames.append((frame.to_ndarray(format="bgr24"), truth))
        yield Scene(clip.stem, frames)


def true_box(truth: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """Give the box of a mask; None for an empty one."""
    rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    if not len(rows):
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def grid_of(truth: NDArray[np.bool_], region: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Sample a mask over a region as a network would: GRID cells a side, means of four."""
    side = 4 * GRID
    left, top, right, bottom = region.tolist()
    scale_x, scale_y = (right - left) / side, (bottom - top) / side
    matrix = np.array(
        [[scale_x, 0, left + scale_x / 2 - 0.5], [0, scale_y, top + scale_y / 2 - 0.5]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    full = cv2.warpAffine(truth.astype(np.uint8) * 255, matrix, (side, side), flags=flags)
    return cv2.resize(full, (GRID, GRID), interpolation=cv2.INTER_AREA)


def masks_of_scene(scene: Scene, noise: Noise, masker: Masker | None) -> Iterator[Masks | None]:
    """Give one mask for each frame, None where the object is not in the picture."""
    rng = np.random.default_rng(noise.seed)
    for image, truth in scene.frames:
        box = true_box(truth)
        if box is None:
            yield None
            continue
        box = noise.boxes(box, rng)
        if masker is not None:
            yield masker(image, box[None])
            continue
        margin = MARGIN * np.tile(box[2:] - box[:2], 2) * (-1, -1, 1, 1)
        region = (box + margin).astype(np.float32)
        grid = noise.grid(grid_of(truth, region), rng)
        yield Masks((grid,), region[None], region[None], (truth.shape[1], truth.shape[0]))


def full_mask(masks: Masks, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Give the first mask at the frame's size."""
    out = np.zeros(shape, np.bool_)
    (left, top, right, bottom), sure = certainty(masks, 0)
    out[top:bottom, left:right] = sure >= 128
    return out


def flicker_px(masks: list[NDArray[np.bool_]]) -> float:
    """Give the share of the mask that changes and changes back, in the frame, unaligned."""
    shares = [
        np.count_nonzero((a == c) & (a != b)) / max(1, np.count_nonzero(a | b | c))
        for a, b, c in zip(masks, masks[1:], masks[2:], strict=False)
    ]
    return float(np.mean(shares)) if shares else 0.0


def measure(scene: Scene, noise: Noise, masker: Masker | None = None) -> dict[str, float]:
    """Hold raw and steadied masks of a scene against the truth and against themselves."""
    smoother = MaskSmoother()
    meters = {"raw": StabilityMeter(), "steady": StabilityMeter()}
    full: dict[str, list[NDArray[np.bool_]]] = {"raw": [], "steady": []}
    ious: dict[str, list[float]] = {"raw": [], "steady": []}
    tracks = Tracks(np.ones(1, np.int32), np.ones(1, np.int32), np.zeros(1, np.bool_))
    for (image, truth), raw in zip(scene.frames, masks_of_scene(scene, noise, masker), strict=True):
        if raw is None:
            continue
        found = Detections(raw.regions_px, np.ones(1, np.float32), np.zeros(1, np.int32))
        for name, masks in (("raw", raw), ("steady", smoother.smooth(tracks, raw))):
            pixels = full_mask(masks, truth.shape)
            full[name].append(pixels)
            either = np.count_nonzero(pixels | truth)
            ious[name].append(np.count_nonzero(pixels & truth) / max(1, either))
            meters[name].add(Result(Frame(image), found, ("it",), tracks=tracks, masks=masks))
    report: dict[str, float] = {}
    for name, meter in meters.items():
        told = meter.to_dict()
        report[f"iou_{name}"] = float(np.mean(ious[name]))
        report[f"flicker_px_{name}"] = flicker_px(full[name])
        report[f"flicker_{name}"] = float(str(told["flicker"]))
        report[f"temporal_iou_{name}"] = float(str(told["temporal_iou"]))
    return report


def main() -> None:
    """Print one line for each scene and level of noise."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--davis", type=Path, help="folder of DAVIS clips; default: moving shapes")
    parser.add_argument("--masks", help="MODULE:FUNCTION that makes the masks; default: the truth")
    parser.add_argument("--noise", type=float, nargs="*", default=LEVELS, help="levels of noise")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    masker = None
    if options.masks:
        module, _, function = options.masks.partition(":")
        masker = getattr(importlib.import_module(module), function)()
    scenes = davis(options.davis) if options.davis else shapes()
    rows = []
    print(
        f"{'scene':<18}{'noise':>6}{'IoU':>16}{'flicker %':>16}{'score: flicker':>18}{'tIoU':>16}"
    )
    for scene in scenes:
        for level in options.noise:
            report = measure(scene, Noise(level), masker)
            rows.append({"scene": scene.name, "noise": level, **report})
            print(f"{scene.name:<18}{level:>6g}{_pair(report, 'iou')}", end="")
            print(f"{_pair(report, 'flicker_px', 100)}  {_pair(report, 'flicker', 100)}", end="")
            print(_pair(report, "temporal_iou"))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _pair(report: dict[str, float], name: str, times: float = 1.0) -> str:
    raw, steady = report[f"{name}_raw"] * times, report[f"{name}_steady"] * times
    return f"{raw:>8.3f}{steady:>8.3f}"


if __name__ == "__main__":
    main()
