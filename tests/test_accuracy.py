"""Promises about what comes out at the end: COCO mAP, and the boxes Darknet itself prints."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from coco_eval import coco_map

import edgeseg
from edgeseg.models.registry import Files


def published_cfg(files: Files, folder: Path) -> Path:
    """Write yolov3-tiny's cfg as it is published everywhere, with the second head's wrong masks."""
    text = files.cfg.read_text()
    wrong, count = re.subn(r"mask\s*=\s*1\s*,\s*2\s*,\s*3", "mask = 0,1,2", text)
    assert count == 1
    cfg = folder / "published.cfg"
    cfg.write_text(wrong)
    return cfg


def test_yolov3_tiny_reaches_its_map_and_the_published_cfg_loses_a_quarter(
    yolov3_tiny: Files, data_dir: Path, tmp_path: Path
) -> None:
    options = {"weights": yolov3_tiny.weights, "names": yolov3_tiny.names, "size": 416}
    right = coco_map(yolov3_tiny.cfg, data_dir, **options)
    wrong = coco_map(published_cfg(yolov3_tiny, tmp_path), data_dir, **options)
    assert right[0] >= 0.188
    assert right[1] >= 0.322
    assert wrong[0] < 0.75 * right[0]
    assert wrong[1] < 0.75 * right[1]


def test_the_published_cfg_gives_darknets_own_list_for_its_dog(
    yolov3_tiny: Files, data_dir: Path, tmp_path: Path
) -> None:
    # What Debian's darknet (CPU) prints, see data/images/SOURCE.md.
    expected = [("dog", 56), ("car", 52), ("truck", 55), ("car", 62), ("bicycle", 59)]
    cfg = published_cfg(yolov3_tiny, tmp_path)
    options = {"weights": yolov3_tiny.weights, "names": yolov3_tiny.names, "conf": 0.5}
    with edgeseg.Segmenter(cfg, **options) as segmenter:
        result = segmenter.predict(data_dir / "images" / "dog.jpg")
    seen = [(o["class"], 100 * o["score"]) for o in result.to_dict()["objects"]]  # type: ignore[attr-defined]
    assert_same_list(seen, expected)


def test_other_pictures_agree_with_the_darknet_program(
    yolov3_tiny: Files, data_dir: Path, tmp_path: Path
) -> None:
    darknet = shutil.which("darknet")
    if darknet is None:
        pytest.skip("the program darknet is not installed (Debian package darknet)")
    # darknet's parser wants the training keys of the published file; it ships that file.
    cfg = Path("/usr/share/darknet/cfg/yolov3-tiny.cfg")
    if not cfg.exists():
        pytest.skip(f"no {cfg}")
    options = {"weights": yolov3_tiny.weights, "names": yolov3_tiny.names, "conf": 0.5}
    (tmp_path / "data").symlink_to(cfg.parents[1] / "data")
    data_file = tmp_path / "coco.data"
    data_file.write_text(f"classes=80\nnames={yolov3_tiny.names}\n")
    with edgeseg.Segmenter(cfg, **options) as segmenter:
        for name in ("person", "horses", "eagle"):
            picture = data_dir / "images" / f"{name}.jpg"
            command = [darknet, "detector", "test", data_file, cfg, yolov3_tiny.weights, picture]
            command += ["-out", "seen"]  # else it waits for a key in a window
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},  # it wants to show a window
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            expected = [
                (found[1], int(found[2]))
                for found in re.finditer(r"^([a-z ]+): (\d+)%$", done.stdout, re.MULTILINE)
            ]
            objects: Any = segmenter.predict(picture).to_dict()["objects"]
            assert expected, done.stdout
            assert_same_list([(o["class"], 100 * o["score"]) for o in objects], expected)


def assert_same_list(seen: list[tuple[str, float]], expected: list[tuple[str, int]]) -> None:
    """Compare classes and percentages, in any order, within one point."""
    assert [name for name, _ in sorted(seen)] == [name for name, _ in sorted(expected)]
    for (_, ours), (_, theirs) in zip(sorted(seen), sorted(expected), strict=True):
        assert ours == pytest.approx(theirs, abs=1.0)
