"""Measure the masks of a network that brings its own, on pictures with instance masks.

The folder has images/, masks/ (8-bit PNG of instance numbers, 255 is to be ignored) and
instances.jsonl, one object a line: image, id, class_id, bbox as x, y, width, height.

A detection is matched to the instance of its class that its box overlaps most, from the
most certain detection on, each instance once, if that IoU is 0.5 or more. Printed is the
mean IoU of the matched masks in the full-size picture; ignored pixels count as background.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import edgeseg
from edgeseg.types import Masks

Instance = dict[str, Any]
MIN_BOX_IOU = 0.5


def instances_of(folder: Path) -> dict[str, list[Instance]]:
    """Give the instances of each picture."""
    found = defaultdict(list)
    for line in (folder / "instances.jsonl").read_text().splitlines():
        instance = json.loads(line)
        found[instance["image"]].append(instance)
    return dict(found)


def box_iou(box: NDArray[np.float32], instance: Instance) -> float:
    """Overlap of a box and an instance's."""
    x, y, width, height = instance["bbox"]
    left, top = max(box[0], x), max(box[1], y)
    right, bottom = min(box[2], x + width), min(box[3], y + height)
    common = max(0.0, right - left) * max(0.0, bottom - top)
    both = (box[2] - box[0]) * (box[3] - box[1]) + width * height - common
    return float(common / both)


def matches(
    result: edgeseg.Result, instances: list[Instance]
) -> Iterator[tuple[int, Instance, float]]:
    """Give detection number, instance and box IoU of each pair."""
    free = list(instances)
    found = result.detections
    for number, (box, class_id) in enumerate(zip(found.boxes_px, found.class_ids, strict=True)):
        rivals = [(box_iou(box, i), i) for i in free if i["class_id"] == class_id]
        overlap, instance = max(rivals, key=lambda rival: rival[0], default=(0.0, None))
        if instance is not None and overlap >= MIN_BOX_IOU:
            free.remove(instance)
            yield number, instance, overlap


def mask_iou(masks: Masks, number: int, truth: NDArray[np.bool_]) -> float:
    """Overlap of a mask and the true one, bool[H, W]."""
    left, top, right, bottom = masks.box(number)
    mask = np.zeros_like(truth)
    mask[top:bottom, left:right] = masks.pixels(number)
    both = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / both if both else 0.0


def evaluate(model: str, folder: Path, **options: Any) -> dict[str, Any]:
    """Give the figures of a model, opened with `options`."""
    instances = instances_of(folder)
    boxes: list[float] = []
    overlaps: list[float] = []
    with edgeseg.Segmenter(model, **options) as segmenter:
        for name, of_picture in instances.items():
            result = segmenter.predict(folder / "images" / name)
            if result.masks is None:
                raise SystemExit(f"{model} gives no masks")
            numbers = np.asarray(Image.open(folder / "masks" / f"{Path(name).stem}.png"))
            for number, instance, overlap in matches(result, of_picture):
                boxes.append(overlap)
                overlaps.append(mask_iou(result.masks, number, numbers == instance["id"]))
    return {
        "model": model,
        "pictures": len(instances),
        "instances": sum(map(len, instances.values())),
        "matched": len(overlaps),
        "box_iou": float(np.mean(boxes)),
        "mask_iou": float(np.mean(overlaps)),
        "options": options,
    }


def main() -> None:
    """Evaluate from the command line; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--conf", type=float, default=0.25)
    parser.add_argument("--iou", type=float, default=0.45)
    parser.add_argument("--size")
    arguments = parser.parse_args()
    options = {"conf": arguments.conf, "iou": arguments.iou, "size": arguments.size}
    print(json.dumps(evaluate(arguments.model, arguments.folder, **options), indent=2))


if __name__ == "__main__":
    main()
