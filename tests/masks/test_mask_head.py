"""The shipped mask head is the file that was promised, and as good as its card says."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from training.mixture import SHARES
from training.pictures import is_dev

ROOT = Path(__file__).parents[2]
NETWORK = ROOT / "edgeseg" / "masks" / "mask_head.onnx"
MEASURING = ("coco_val_dev", "davis")
FLOORS = {"true": 0.74, "jittered": 0.72}


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(NETWORK), providers=["CPUExecutionProvider"])


def shapes(values: object) -> dict[str, list[int | str]]:
    return {value.name: value.shape for value in values}


def test_inputs_and_outputs(session: onnxruntime.InferenceSession) -> None:
    assert shapes(session.get_inputs()) == {"crops": ["N", 3, 128, 128], "meta": ["N", 3]}
    assert shapes(session.get_outputs()) == {"logits": ["N", 1, 64, 64]}
    assert {value.type for value in session.get_inputs()} == {"tensor(float)"}
    assert session.get_outputs()[0].type == "tensor(float)"


def test_the_batch_changes_no_mask(session: onnxruntime.InferenceSession) -> None:
    rng = np.random.default_rng(0)
    crops = rng.random((5, 3, 128, 128), np.float32)
    meta = rng.random((5, 3), np.float32)
    together = session.run(None, {"crops": crops, "meta": meta})[0]
    alone = [
        session.run(None, {"crops": crops[k : k + 1], "meta": meta[k : k + 1]})[0] for k in range(5)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-3)


def test_it_is_small_and_int8_as_tensorrt_takes_it() -> None:
    assert NETWORK.stat().st_size < 3_000_000
    model = onnx.load(str(NETWORK))
    assert model.ir_version <= 8
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    zeros = [
        arrays[node.input[2]]
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    ]
    assert len(zeros) > 60
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros)
    int8 = sum(array.size for array in arrays.values() if array.dtype == np.int8)
    assert int8 > 0.9 * sum(array.size for array in arrays.values())


def test_its_card_belongs_to_it() -> None:
    card = NETWORK.with_name("MASK_HEAD.md").read_text()
    assert hashlib.sha256(NETWORK.read_bytes()).hexdigest() in card
    assert all(name in card for name in SHARES)


@pytest.mark.needs_data
def test_it_is_as_good_as_promised(data_dir: Path) -> None:
    folder = data_dir / "masks" / "coco_val_dev"
    if not folder.is_dir():
        pytest.skip(f"no measuring pictures in {folder}")
    command = [sys.executable, str(ROOT / "tools" / "eval_masks.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["true"]["objects"] == 360
    assert report["box"]["iou"] == pytest.approx(0.577, abs=0.002)  # the measure is the measure
    assert {
        name: report[name]["iou"] for name in FLOORS if report[name]["iou"] < FLOORS[name]
    } == {}


@pytest.mark.needs_data
def test_no_measuring_picture_was_trained_on(data_dir: Path) -> None:
    masks = data_dir / "masks"
    if not (masks / "coco_val_dev").is_dir():
        pytest.skip(f"no pictures in {masks}")
    assert not set(MEASURING) & set(SHARES)
    trained = [path for name in SHARES for path in (masks / name).glob("images/*")]
    measured = [path for name in MEASURING for path in (masks / name).rglob("images/*")]
    assert measured
    assert not {path.name for path in trained} & {path.name for path in measured}

    def sizes(paths: list[Path]) -> dict[int, list[Path]]:
        found: dict[int, list[Path]] = {}
        for path in paths:
            found.setdefault(path.stat().st_size, []).append(path)
        return found

    by_size = sizes(trained)
    for size, paths in sizes(measured).items():
        contents = {path.read_bytes() for path in by_size.get(size, [])}
        assert not [path for path in paths if path.read_bytes() in contents]
    tuning = [path for path in (masks / "train_coco_mixed").glob("images/*") if is_dev(path.name)]
    assert 25 < len(tuning) < 55
