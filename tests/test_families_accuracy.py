"""Promises about real networks of other programs on real pictures."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgeseg
from edgeseg.types import Masks

sys.path.append(str(Path(__file__).parents[1] / "tools"))

SINET = """
classes = ["background", "person"]
color = "bgr"
scale = 1.0
mean = [102.890434, 111.25247, 126.91212]
std = [16047.89, 16019.45, 16920.70]
"""
SELFIE = 'classes = ["person"]\nmean = 0\nstd = 1\n'


@pytest.mark.skipif(not hasattr(Masks, "pixels"), reason="this build cannot paste masks")
def test_yolov8n_seg_reaches_its_mask_iou(data_dir: Path) -> None:
    from eval_seg_model import evaluate

    model = data_dir / "models" / "onnx" / "yolov8n-seg_int8.onnx"
    found = evaluate(str(model), data_dir / "masks" / "coco_val_dev")
    assert found["instances"] == 360
    assert found["matched"] >= 135
    assert found["mask_iou"] >= 0.74


@pytest.mark.parametrize(
    ("name", "side", "least"),
    [("selfie_segmentation", SELFIE, 0.50), ("SINet_Softmax_simple", SINET, 0.25)],
)
def test_person_networks_run_from_a_side_toml(
    name: str, side: str, least: float, data_dir: Path, tmp_path: Path
) -> None:
    model = tmp_path / f"{name}.onnx"
    shutil.copyfile(data_dir / "models" / "onnx" / model.name, model)
    model.with_suffix(".toml").write_text(side)
    folder = data_dir / "masks" / "train_coco_oneperson"
    overlaps = []
    with edgeseg.Segmenter(model, segment="semantic") as segmenter:
        assert segmenter.model.class_names == ("background", "person")
        for path in sorted((folder / "images").iterdir())[:40]:
            result = segmenter.predict(path)
            mask = result.class_map.dense(result.frame.size_px) == 1
            numbers = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png"))
            truth = (numbers > 0) & (numbers < 255)
            overlaps.append((mask & truth).sum() / max(1, (mask | truth).sum()))
            told = {item["class"]: item["area"] for item in result.to_dict()["classes"]}
            assert sum(told.values()) == pytest.approx(1, abs=1e-5)
    # Both were made for portraits; people in COCO's scenes are smaller.
    assert np.mean(overlaps) >= least
