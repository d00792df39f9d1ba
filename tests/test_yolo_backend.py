"""YOLO exports of other programs: their boxes and masks, against the definition."""

from __future__ import annotations

from pathlib import Path

import definitions
import definitions_families
import foreign_nets as nets
import numpy as np
import pytest

import edgeseg
from edgeseg.backends import open_backend
from edgeseg.backends.feeding import Feeder
from edgeseg.backends.yolo import YoloBackend
from edgeseg.errors import ConfigError, DeviceError, EngineError
from edgeseg.models import open_model
from edgeseg.network_spec import Preprocessing, YoloOutputs
from edgeseg.types import Frame, Letterbox, Model

NET_PX = (96, 64)
CELLS = 12 * 8 + 6 * 4 + 3 * 2
NAMES = ("cat", "dog", "cow")
MASKS = 5


def model(family: str, *, masks: bool = False, layout: str = "nchw") -> Model:
    outputs = YoloOutputs("boxes", len(NAMES), "protos" if masks else None, MASKS if masks else 0)
    how = Preprocessing(pad=114, sampling="centres", rounding="nearest", layout=layout)
    return Model(
        "net", Path("net.onnx"), NET_PX, (), NAMES, family=family, preprocessing=how,
        outputs=outputs,
    )  # fmt: skip


def rows_of(family: str, count: int, *, masks: bool = False, seed: int = 0) -> np.ndarray:
    """Plausible rows, float32[count, channels] of a family."""
    rng = np.random.default_rng(seed)
    centres, sizes = rng.uniform(0, NET_PX, (count, 2)), rng.uniform(4, 60, (count, 2))
    scores = rng.uniform(0, 1, (count, len(NAMES))) ** 3
    parts = {
        "yolo-v5": [centres, sizes, rng.uniform(0, 1, (count, 1)), scores],
        "yolo-v8": [centres, sizes, scores],
        "yolo-v10": [
            centres - sizes / 2, centres + sizes / 2, scores[:, :1],
            rng.integers(0, len(NAMES), (count, 1)),
        ],
    }[family]  # fmt: skip
    if masks:
        parts.append(rng.standard_normal((count, MASKS)))
    return np.concatenate(parts, axis=1).astype(np.float32)


def heads_of(family: str, rows: np.ndarray, prototypes: np.ndarray | None = None) -> list:
    boxes = np.ascontiguousarray(rows.T if family == "yolo-v8" else rows)[np.newaxis]
    return [boxes] if prototypes is None else [boxes, prototypes[np.newaxis]]


def expected_of(family: str, rows: np.ndarray, conf: float, labels: str) -> list[tuple]:
    """(row, class, score, box_net) of every candidate, rows first, classes next."""
    found = []
    for number, row in enumerate(rows.astype(np.float64)):
        if family == "yolo-v10":
            scores, box = {int(row[5]): row[4]}, row[:4]
        else:
            first = 5 if family == "yolo-v5" else 4
            share = row[4] if family == "yolo-v5" else 1.0
            scores = {i: share * s for i, s in enumerate(row[first : first + len(NAMES)])}
            box = np.concatenate([row[:2] - row[2:4] / 2, row[:2] + row[2:4] / 2])
            if labels == "best":
                best = max(scores, key=lambda i: (scores[i], -i))
                scores = {best: scores[best]}
        found += [(number, i, score, box) for i, score in scores.items() if score > conf]
    return found


@pytest.mark.parametrize("labels", ["multi", "best"])
@pytest.mark.parametrize("family", ["yolo-v5", "yolo-v8", "yolo-v10"])
def test_detections_follow_the_definition(family, labels):
    rows = rows_of(family, 150)
    letterbox = Letterbox.fit((300, 100), NET_PX)
    backend = open_backend("auto", model(family), conf=0.2, iou=0.5, labels=labels)
    seen = backend.detect(heads_of(family, rows), letterbox)
    found = expected_of(family, rows, 0.2, labels)
    boxes = np.array([box for *_, box in found])
    scores = np.array([score for _, _, score, _ in found])
    classes = np.array([i for _, i, _, _ in found])
    if family == "yolo-v10":
        keep = definitions.strict_order(scores)
    else:
        keep = definitions.nms(boxes, scores, classes, 0.5)
    boxes_px = letterbox.to_source(boxes[keep].astype(np.float32))
    keep = np.array(keep)[(boxes_px[:, :2] < boxes_px[:, 2:]).all(axis=1)]
    assert len(keep) > 20
    np.testing.assert_array_equal(seen.detections.class_ids, classes[keep])
    np.testing.assert_allclose(seen.detections.scores, scores[keep], rtol=1e-6)
    np.testing.assert_allclose(
        seen.detections.boxes_px, letterbox.to_source(boxes[keep].astype(np.float32)), atol=1e-3
    )
    assert seen.masks is None


@pytest.mark.parametrize("family", ["yolo-v5", "yolo-v8", "yolo-v10"])
@pytest.mark.parametrize("size_px", [(300, 100), (96, 64), (50, 80)])
def test_masks_are_those_of_ultralytics_within_a_step(family, size_px):
    rows = rows_of(family, 60, masks=True)
    prototypes = np.random.default_rng(1).standard_normal((MASKS, 16, 24)).astype(np.float32)
    backend = YoloBackend(model(family, masks=True))
    letterbox = Feeder(model(family)).feed(frame(size_px)).letterboxes[0]
    seen = backend.detect(heads_of(family, rows, prototypes), letterbox)
    assert seen.masks is not None
    assert len(seen.masks) == len(seen.detections) > 3
    for i, grid in enumerate(seen.masks.grids):
        row = np.argmin(
            np.abs(rows[:, 4:-MASKS] - seen.detections.scores[i]).min(axis=1)
        ) if family != "yolo-v5" else np.argmin(
            np.abs(rows[:, 4:5] * rows[:, 5:-MASKS] - seen.detections.scores[i]).min(axis=1)
        )  # fmt: skip
        exact = definitions_families.native_mask(
            rows[row, -MASKS:], prototypes, seen.detections.boxes_px[i], NET_PX,
            letterbox.region_net, size_px,
        )  # fmt: skip
        got = definitions_families.mask_certainty(
            grid, seen.masks.regions_px[i], seen.masks.clips_px[i], size_px
        )
        # Half a step of rounding, and a whole one where 255 stands for all above it.
        np.testing.assert_allclose(got, 256 * exact, atol=1.01)
        sure = np.abs(exact - 0.5) > 1.01 / 256
        np.testing.assert_array_equal((got >= 128)[sure], (exact > 0.5)[sure])


def frame(size_px: tuple[int, int]) -> Frame:
    return Frame(np.random.default_rng(0).integers(0, 256, (*size_px[::-1], 3), np.uint8))


def test_masks_are_left_out_where_nobody_wants_them():
    rows, prototypes = rows_of("yolo-v8", 20, masks=True), np.zeros((MASKS, 16, 24), np.float32)
    backend = open_backend("cpu", model("yolo-v8", masks=True), masks=False)
    seen = backend.detect(heads_of("yolo-v8", rows, prototypes), Letterbox.fit((9, 9), NET_PX))
    assert seen.masks is None
    assert len(seen.detections)


@pytest.mark.parametrize("family", ["yolo-v5", "yolo-v8", "yolo-v10"])
def test_numbers_that_are_none_make_no_detections(family):
    rows = rows_of(family, 40, masks=True)
    rows[::2, :4] = np.nan
    rows[1::4, 2] = np.inf
    rows[3::4, 4:-MASKS] = np.nan
    prototypes = np.full((MASKS, 16, 24), np.nan, np.float32)
    backend = YoloBackend(model(family, masks=True))
    seen = backend.detect(heads_of(family, rows, prototypes), Letterbox.fit((96, 64), NET_PX))
    assert len(seen.detections) == 0
    assert len(seen.masks) == 0


def test_classes_that_are_none_of_the_networks_are_left_out():
    rows = np.array([[0, 0, 9, 9, 0.9, c] for c in (0, 1, 7, -1, np.nan, 1e9)], np.float32)
    letterbox = Letterbox.fit(NET_PX, NET_PX)
    backend = open_backend("cpu", model("yolo-v10"), class_ids={1, 2})
    assert backend.detect(heads_of("yolo-v10", rows), letterbox).detections.class_ids.tolist() == [
        1
    ]
    backend = open_backend("cpu", model("yolo-v8"), class_ids={2}, labels="multi")
    seen = backend.detect(heads_of("yolo-v8", rows_of("yolo-v8", 50)), letterbox)
    assert set(seen.detections.class_ids.tolist()) == {2}
    with pytest.raises(ValueError, match="from 0 to 2, got 3"):
        open_backend("cpu", model("yolo-v8"), class_ids={3})


def test_of_too_many_candidates_the_best_compete():
    rows = rows_of("yolo-v8", 60_000)
    letterbox = Letterbox.fit(NET_PX, NET_PX)
    backend = open_backend("cpu", model("yolo-v8"), conf=0.0, labels="multi")
    seen = backend.detect(heads_of("yolo-v8", rows), letterbox)
    assert seen.detections.scores[0] == rows[:, 4:].max()


def test_another_shape_than_the_files_is_an_engine_error():
    backend = YoloBackend(model("yolo-v8"))
    with pytest.raises(EngineError, match=r"gave \[\[1, 9, 126\]\], not boxes of 7 channels"):
        backend.detect([np.zeros((1, 9, 126), np.float32)], Letterbox.fit(NET_PX, NET_PX))


def test_cuda_is_refused_in_words():
    with pytest.raises(
        DeviceError, match="networks of the family yolo-v8 are read on the CPU only"
    ):
        open_backend("cuda", model("yolo-v8"))


@pytest.mark.parametrize(
    ("size_px", "region"),
    [((96, 64), (0, 0, 96, 64)), ((300, 100), (0, 16, 96, 32)), ((50, 79), (27, 0, 41, 64))],
)
def test_frames_are_placed_as_ultralytics_does(size_px, region):
    batch = Feeder(model("yolo-v8")).feed(frame(size_px))
    assert batch.letterboxes[0].region_net == region
    expected = definitions_families.centred_letterbox(frame(size_px).image, NET_PX, region, 114)
    np.testing.assert_allclose(batch.tensor[0], expected, atol=1e-6)


def test_the_whole_way_from_a_file(tmp_path):
    rows = np.zeros((CELLS, 7), np.float32)
    rows[0] = [48, 32, 40, 20, 0.1, 0.9, 0.3]
    rows[1] = [49, 32, 40, 20, 0.1, 0.8, 0.3]  # falls to the first
    path = nets.fixed_net(
        tmp_path / "net.onnx",
        {"output0": np.ascontiguousarray(rows.T)[np.newaxis]},
        size=NET_PX,
        metadata=nets.ultralytics(NAMES),
    )
    with edgeseg.Segmenter(path, masks="off") as segmenter:
        (item,) = segmenter.predict(frame((192, 128)).image).to_dict()["objects"]
    assert item == {"class_id": 1, "class": "dog", "score": 0.9, "box": [56.0, 44.0, 136.0, 84.0]}
    # The network's own program shows one class a box; all are to be had.
    with edgeseg.Segmenter(path, labels="multi", classes="dog,cow") as segmenter:
        found = segmenter.predict(frame((192, 128)).image).detections
    assert found.class_ids.tolist() == [1, 2]
    with pytest.raises(ConfigError, match="no class 'bird'"):
        edgeseg.Segmenter(path, classes="bird")


def test_half_precision_in_and_out(tmp_path):
    rows = np.zeros((1, 7, CELLS), np.float16)
    rows[0, :, 0] = [48, 32, 40, 20, 0.125, 0.75, 0.25]
    path = nets.fixed_net(
        tmp_path / "half.onnx", {"output0": rows}, size=NET_PX, dtype="float16",
        metadata=nets.ultralytics(NAMES),
    )  # fmt: skip
    with edgeseg.Segmenter(path) as segmenter:
        found = segmenter.predict(frame(NET_PX).image).detections
    assert found.scores.tolist() == [0.75]
    assert found.boxes_px.dtype == np.float32


def test_an_open_size_runs_at_the_size_asked_for(tmp_path):
    path = nets.fixed_net(
        tmp_path / "open.onnx", {"output0": np.zeros((1, 7, CELLS), np.float32)},
        size=("w", "h"), shapes={"output0": (1, 7, "n")}, metadata=nets.ultralytics(NAMES),
    )  # fmt: skip
    with edgeseg.Segmenter(path, size="96x64") as segmenter:
        assert segmenter.model.input_px == (96, 64)
        assert len(segmenter.predict(frame((20, 20)).image).detections) == 0
    assert open_model(path).input_px == (640, 640)
