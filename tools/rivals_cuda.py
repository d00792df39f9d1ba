"""What people use on a GPU for the work of the CUDA ops: torch and torchvision."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from numpy.typing import NDArray
from torchvision.ops import batched_nms

from edgeseg.types import HeadSpec

REPEATS = 50


def torchvision_us(
    heads: list[NDArray[Any]], specs: list[HeadSpec], side: int, conf: float, iou: float
) -> float:
    """Time YOLOv3's decode as usually written, then batched_nms; median in microseconds."""
    device = torch.device("cuda")
    tensors = [torch.from_numpy(head).to(device) for head in heads]
    grids = []
    for head, spec in zip(tensors, specs, strict=True):
        rows, columns = torch.meshgrid(
            torch.arange(head.shape[2], device=device),
            torch.arange(head.shape[3], device=device),
            indexing="ij",
        )
        grids.append((torch.stack([columns, rows]), torch.tensor(spec.anchors_net, device=device)))

    def detect() -> Any:
        boxes, scores = [], []
        for head, (grid, anchors) in zip(tensors, grids, strict=True):
            cells = head.view(3, 5 + specs[0].classes, head.shape[2], head.shape[3])
            centre = (cells[:, :2].sigmoid() + grid) * (side / head.shape[3])
            half = cells[:, 2:4].exp() * anchors[:, :, None, None] / 2
            boxes.append(torch.cat([centre - half, centre + half], 1).flatten(2).permute(0, 2, 1))
            score = cells[:, 4:5].sigmoid() * cells[:, 5:].sigmoid()
            scores.append(score.flatten(2).permute(0, 2, 1))
        all_boxes = torch.cat([part.reshape(-1, 4) for part in boxes])
        all_scores = torch.cat([part.reshape(-1, specs[0].classes) for part in scores])
        cell, label = (all_scores > conf).nonzero(as_tuple=True)
        return batched_nms(all_boxes[cell], all_scores[cell, label], label, iou)

    times = []
    for i in range(REPEATS + 10):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        detect()
        end.record()
        end.synchronize()
        if i >= 10:
            times.append(1e3 * begin.elapsed_time(end))
    return statistics.median(times)
