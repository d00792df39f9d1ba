"""Measure a mask head: mean IoU of its masks in full-size pictures, with known and found boxes.

    python tools/eval_masks.py ../shared/data/masks/coco_val_dev --davis ../shared/data/masks/davis
        [--model FILE.onnx] [--detector yolov3-tiny] [--grabcut] [--flip] [--passes 2]
        [--output FILE]

The folder holds id maps (training/pictures.py says how). For each object: `true`
takes its box, `jittered` moves each side of the box by up to 8 % of its width or
height (one seed), `detector` takes the boxes of a real detector (416 x 416,
scores over 0.1) that have the object's class and overlap it by IoU 0.5 or more.
IoU is strict: unknown pixels are background. `davis` is every 8th frame at true
boxes, the mean over clips. Times are this process's on one thread, for the whole
object: crop, network and paste, the first and the last in NumPy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from mask_sets import (
    Box,
    Image,
    Picture,
    detected,
    filled,
    grabcut,
    iou_of,
    jittered,
    read_clips,
    read_id_maps,
)
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from training.crop import CLIP, LOGITS_PX, crop_of, grown, meta_of, paste
from training.pictures import is_dev

SHIPPED = Path(__file__).parents[1] / "edgeseg" / "masks" / "mask_head.onnx"
BATCH = 8


class MaskHead:
    """The network in ONNX Runtime, on one thread."""

    def __init__(self, path: Path, *, flip: bool = False, passes: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._flip = flip
        self._passes = passes

    def logits(
        self, image: Image, boxes_px: Sequence[Box]
    ) -> tuple[list[Box], NDArray[np.float32]]:
        """Give the boxes used, and float32[N, 64, 64]."""
        boxes = list(boxes_px)
        for _ in range(self._passes - 1):
            found = self._run(image, boxes)
            boxes = [tightened(box, one) for box, one in zip(boxes, found, strict=True)]
        return boxes, self._run(image, boxes)

    def _run(self, image: Image, boxes_px: Sequence[Box]) -> NDArray[np.float32]:
        rgb = image[:, :, ::-1]
        results = []
        for start in range(0, len(boxes_px), BATCH):
            part = boxes_px[start : start + BATCH]
            crops = np.stack([crop_of(rgb, box) for box in part]).transpose(0, 3, 1, 2)
            meta = np.stack([meta_of(box) for box in part])
            found = self._infer(crops, meta)
            if self._flip:
                found = (found + self._infer(crops[..., ::-1], meta)[..., ::-1]) / 2
            results.append(found)
        return np.concatenate(results)[:, 0]

    def _infer(self, crops: NDArray[np.float32], meta: NDArray[np.float32]) -> NDArray[np.float32]:
        feed = {"crops": np.ascontiguousarray(crops), "meta": meta}
        result: NDArray[np.float32] = self._session.run(None, feed)[0]
        return result


def tightened(box_px: Box, logits: NDArray[np.float32], trust: float = 0.7) -> Box:
    """Move each side of a box by `trust` of the way to where the mask ends."""
    x, y = np.flatnonzero((logits > 0).any(0)), np.flatnonzero((logits > 0).any(1))
    if len(x) < 2 or len(y) < 2:
        return box_px
    left, top, right, bottom = grown(box_px)
    cells = np.array([x[0], y[0], x[-1] + 1, y[-1] + 1]) / LOGITS_PX
    extent = np.array([left, top, left, top]) + cells * np.tile([right - left, bottom - top], 2)
    return trust * extent + (1 - trust) * box_px


def measure(
    head: MaskHead, picture: Picture, chosen: Sequence[tuple[int, Box]], clip: float
) -> list[float]:
    """Give the IoU of each (id, box)."""
    if not chosen:
        return []
    boxes, logits = head.logits(picture.image, [box for _, box in chosen])
    height, width = picture.ids.shape
    pasted = (
        paste(one, box, (width, height), clip) for box, one in zip(boxes, logits, strict=True)
    )
    return [
        iou_of(picture, number, region, mask)
        for (number, _), (region, mask) in zip(chosen, pasted, strict=True)
    ]


def main() -> None:
    """Parse, measure, print, write."""
    options = _parse()
    cv2.setNumThreads(1)
    head = MaskHead(options.model, flip=options.flip, passes=options.passes)
    pictures = read_id_maps(options.folder) if options.folder else []
    if options.tuning:
        pictures = [picture for picture in pictures if is_dev(picture.name)]
    report = {"model": str(options.model), "flip": options.flip, "passes": options.passes}
    report |= _on_pictures(head, pictures, options)
    if options.davis:
        report["davis"] = _on_clips(head, options)
    text = json.dumps(report, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


def _on_pictures(
    head: MaskHead, pictures: Sequence[Picture], options: argparse.Namespace
) -> dict[str, object]:
    if not pictures:
        return {}
    rng = np.random.default_rng(1)
    true = [[(number, box) for number, _, box in p.objects] for p in pictures]
    sets = {"true": true, "jittered": [[(n, jittered(b, rng)) for n, b in t] for t in true]}
    if options.detector:
        sets["detector"] = detected(pictures, options.detector)
    report: dict[str, object] = {}
    for name, chosen in sets.items():
        start_s = time.process_time()
        ious = [
            i
            for p, c in zip(pictures, chosen, strict=True)
            for i in measure(head, p, c, options.clip)
        ]
        each_ms = (time.process_time() - start_s) / len(ious) * 1000
        report[name] = _figures(ious) | {"process_ms_per_object": round(each_ms, 2)}
    true_pairs = [(p, n, b) for p, c in zip(pictures, true, strict=True) for n, b in c]
    report["box"] = _figures([filled(*pair) for pair in true_pairs])
    if options.grabcut:
        start_s = time.process_time()
        report["grabcut"] = _figures([grabcut(*pair) for pair in true_pairs]) | {
            "process_ms_per_object": round(
                (time.process_time() - start_s) / len(true_pairs) * 1000, 2
            )
        }
    return report


def _on_clips(head: MaskHead, options: argparse.Namespace) -> dict[str, object]:
    ours: dict[str, list[float]] = defaultdict(list)
    rival: dict[str, list[float]] = defaultdict(list)
    for frame in read_clips(options.davis):
        ((number, _, box),) = frame.objects
        ours[frame.name] += measure(head, frame, [(number, box)], options.clip)
        if options.grabcut:
            rival[frame.name].append(grabcut(frame, number, box))
    return {key: _by_clip(ious) for key, ious in (("mask_head", ours), ("grabcut", rival)) if ious}


def _by_clip(ious: dict[str, list[float]]) -> dict[str, object]:
    means = {name: round(float(np.mean(values)), 4) for name, values in ious.items()}
    return {"iou": round(float(np.mean(list(means.values()))), 4), "clips": means}


def _figures(ious: Sequence[float]) -> dict[str, float | int]:
    values = np.array(ious)
    return {
        "iou": round(float(values.mean()), 4),
        "over_half": round(float((values > 0.5).mean()), 4),
        "objects": len(values),
    }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="pictures with id maps")
    parser.add_argument("--tuning", action="store_true", help="only what training keeps for tuning")
    parser.add_argument("--davis", type=Path, help="clips with a mask for each frame")
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--detector", help="registry name or ONNX file; needs edgeseg installed")
    parser.add_argument("--grabcut", action="store_true", help="the rival, slow")
    parser.add_argument(
        "--clip", type=float, default=CLIP, help="share of the box a mask may leave it"
    )
    parser.add_argument("--flip", action="store_true", help="mean with the mirrored crop")
    parser.add_argument("--passes", type=int, default=1, help="2: again with the box tightened")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
