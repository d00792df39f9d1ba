"""COCO's mean average precision on the real pictures of coco_val128."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

import edgeseg


def coco_of_labels(folder: Path) -> dict[str, Any]:
    """Turn a folder of YOLO labels into COCO ground truth."""
    images, annotations = [], []
    for number, path in enumerate(sorted((folder / "images").glob("*.jpg")), start=1):
        height, width = cv2.imread(str(path)).shape[:2]
        images.append({"id": number, "file_name": path.name, "width": width, "height": height})
        for line in (folder / "labels" / f"{path.stem}.txt").read_text().splitlines():
            class_id, *box = map(float, line.split())
            cx, cy, w, h = np.array(box) * (width, height, width, height)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(class_id),
                    "bbox": [cx - w / 2, cy - h / 2, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number} for number in range(80)]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def coco_map(model: Path, data_dir: Path, **options: Any) -> tuple[float, float]:
    """Give mAP 50-95 and mAP 50, from 0 to 1, of a model opened with `options`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO()
    truth.dataset = coco_of_labels(data_dir / "coco_val128")
    truth.createIndex()
    rows = []
    with edgeseg.Segmenter(model, conf=0.001, **options) as segmenter:
        for image in truth.dataset["images"]:
            path = data_dir / "coco_val128" / "images" / image["file_name"]
            seen = segmenter.predict(path).detections
            xywh = np.column_stack(
                (seen.boxes_px[:, :2], seen.boxes_px[:, 2:] - seen.boxes_px[:, :2])
            )
            rows += [
                [image["id"], *box, score, class_id]
                for box, score, class_id in zip(xywh, seen.scores, seen.class_ids, strict=True)
            ]
    judge = COCOeval(truth, truth.loadRes(np.array(rows)), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])
