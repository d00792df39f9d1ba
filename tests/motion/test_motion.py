"""Promises of --segment motion: of the model, of the regions, of a whole run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.cli import call
from edgeseg.errors import ConfigError, MissingDependencyError
from edgeseg.motion.background import ABSORBED_S, Background, State
from edgeseg.motion.follower import MotionFollower
from edgeseg.motion.regions import SMALLEST_SHARE, regions
from edgeseg.segmenter import Segmenter, stream
from edgeseg.types import Detections, Frame, Result

Picture = NDArray[np.uint8]
SIZE_PX = (320, 240)
FPS = 25.0
SQUARE = 40


def scene() -> NDArray[np.float64]:
    """A ground with texture, as real ones have."""
    rng = np.random.default_rng(3)
    coarse = rng.uniform(60, 190, (24, 32, 3))
    return np.kron(coarse, np.ones((10, 10, 1)))


GROUND = scene()


def picture(left: int | None = None, top: int = 100, gain: float = 1.0, noise: int = 0) -> Picture:
    """The ground, with a square whose left edge is at `left`."""
    image = GROUND.copy()
    if left is not None:
        image[top : top + SQUARE, left : left + SQUARE] = (20, 30, 240)
    image = image * gain + np.random.default_rng(noise).normal(0, 1.5, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def followed(images: list[Picture], **options: object) -> tuple[list[Result], MotionFollower]:
    follower = MotionFollower(**options)  # type: ignore[arg-type]
    results = [
        follower.follow(Result(Frame(image, i, i / FPS), Detections.empty(), ()))
        for i, image in enumerate(images)
    ]
    return results, follower


def square_box(left: int, top: int = 100) -> list[int]:
    return [left, top, left + SQUARE, top + SQUARE]


def test_what_moves_is_one_object_with_its_exact_place() -> None:
    images = [picture(noise=i) for i in range(40)]
    images += [picture(10 + 4 * i, noise=i) for i in range(20)]
    results, _ = followed(images)
    assert all(len(result.detections) == 0 for result in results[:40])
    for i, result in enumerate(results[40:]):
        assert result.class_names == ("moving",)
        assert len(result.detections) == 1
        np.testing.assert_allclose(result.detections.boxes_px[0], square_box(10 + 4 * i), atol=3.5)
        assert result.masks is not None
        grid = result.masks.grids[0]
        assert grid.mean() / 255 > 0.9, "the square fills its box"


def test_what_stands_still_becomes_background() -> None:
    images = [picture(noise=i) for i in range(40)]
    images += [picture(100, noise=i) for i in range(int((ABSORBED_S + 3) * FPS))]
    results, _ = followed(images)
    assert len(results[45].detections) == 1
    assert len(results[-1].detections) == 0


@pytest.mark.parametrize("gain", [0.6, 0.8, 1.25])
def test_a_jump_of_the_exposure_marks_nothing_but_what_moves(gain: float) -> None:
    images = [picture(noise=i) for i in range(40)]
    images += [picture(10 + 4 * i, gain=gain, noise=i) for i in range(20)]
    results, follower = followed(images)
    for i, result in enumerate(results[42:], 2):
        area = sum(np.prod(box[2:] - box[:2]) for box in result.detections.boxes_px)
        assert area < 2.5 * SQUARE**2, f"frame {i} after the jump"
        left, _, right, _ = result.detections.boxes_px[0]
        assert left < 10 + 4 * i + SQUARE / 2 < right
    assert "light" in follower.summary()["motion"]


def test_a_trembling_camera_marks_nothing_but_what_moves() -> None:
    rng = np.random.default_rng(5)
    images = [picture(noise=i) for i in range(40)]
    for i in range(30):
        y, x = rng.integers(-5, 6, 2)
        images.append(np.roll(picture(60 + 4 * i, noise=i), (y, x), (0, 1)))
    results, follower = followed(images)
    others = 0.0
    for i, result in enumerate(results[40:]):
        boxes = result.detections.boxes_px
        near = np.abs(boxes[:, :2] - (60 + 4 * i, 100)).max(axis=1) < 10
        assert near.any(), f"the square is found in shaken frame {i}"
        others += float(np.prod(boxes[~near, 2:] - boxes[~near, :2], axis=1).sum())
    assert others / 30 < 0.01 * SIZE_PX[0] * SIZE_PX[1]
    assert "shaking" in follower.summary()["motion"]


def test_a_cut_starts_the_model_afresh() -> None:
    other = np.ascontiguousarray(255 - GROUND[::-1, ::-1]).astype(np.uint8)
    results, follower = followed([picture(noise=i) for i in range(30)] + [other] * 30)
    assert all(len(result.detections) == 0 for result in results[30:])
    assert State.RESTART.value in follower.summary()["motion"]


@pytest.mark.parametrize("change", ["size", "time"])
def test_another_size_or_a_step_back_in_time_starts_the_model_afresh(change: str) -> None:
    background = Background()
    for i in range(30):
        background.look(picture(noise=i), i / FPS)
    image = picture(50)
    if change == "size":
        moving = background.look(image[:200], 30 / FPS)
    else:
        moving = background.look(image, 0.0)
    assert moving.state is State.WARM_UP
    assert not moving.pixels.any()


def test_frames_without_times_are_taken_one_by_one() -> None:
    follower = MotionFollower()
    images = [picture(noise=i) for i in range(30)] + [picture(60)]
    for image in images:
        result = follower.follow(Result(Frame(image), Detections.empty(), ()))
    assert len(result.detections) == 1


@pytest.mark.parametrize("size_px", [(1, 1), (2, 300), (9, 7), (1921, 1079)])
def test_any_size_of_picture_works(size_px: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (size_px[1], size_px[0], 3), np.uint8)
    results, _ = followed([image] * 15)
    assert len(results[-1].detections) == 0


def test_regions_are_sorted_scored_and_scaled() -> None:
    pixels = np.zeros((100, 200), np.uint8)
    pixels[10:50, 20:60] = 255
    pixels[60:70, 100:110] = 255
    pixels[90:92, 190:192] = 255  # too small
    assert SMALLEST_SHARE * pixels.size > 4
    found, masks = regions(pixels, (400, 100))
    assert found.boxes_px.tolist() == [[40, 10, 120, 50], [200, 60, 220, 70]]
    assert 1 > found.scores[0] > found.scores[1] > 0.5
    assert [grid.shape for grid in masks.grids] == [(40, 40), (10, 10)]
    assert masks.frame_px == (400, 100)


def test_conf_classes_and_masks_are_heeded() -> None:
    images = [picture(noise=i) for i in range(30)] + [picture(60)]
    assert len(followed(images, conf=0.999)[0][-1].detections) == 0
    assert len(followed(images, class_ids={7})[0][-1].detections) == 0
    assert followed(images, masks=False)[0][-1].masks is None


def test_a_run_needs_no_network_and_loads_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgeseg.models.open_model", lambda *_, **__: pytest.fail("loaded"))
    source = "test://?size=320x240&frames=60&objects=3"
    code = call(["run", source, "--segment", "motion", "--sink", "a.jsonl", "--sink", "a.mp4"])
    assert code == 0
    records = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert len(records) == 60
    classes = {item["class"] for record in records for item in record["objects"]}
    assert classes == {"moving"}
    again = call(["run", source, "--segment", "motion", "--sink", "b.jsonl"])
    assert again == 0
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()


def test_python_watches_motion_too() -> None:
    results = list(stream("test://?size=160x120&frames=40", segment="motion"))
    assert len(results[-1].detections) > 0
    with Segmenter(segment="motion") as segmenter:
        assert segmenter.predict(picture()).class_names == ("moving",)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="no class 'person'"):
        list(stream("test://?frames=3", segment="motion", classes="person"))


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"edgeseg\[cpu\]"):
        MotionFollower()


@pytest.mark.needs_data
def test_people_of_a_real_clip_are_found(data_dir: Path) -> None:
    clip = data_dir / "mot" / "PETS09-S2L1"
    truth = np.loadtxt(clip / "gt" / "gt.txt", delimiter=",", usecols=range(7))
    hits = total = 0
    for result in stream(clip / "vtest.avi", segment="motion", max_frames=200):
        rows = truth[(truth[:, 0] == result.frame.index + 1) & (truth[:, 6] != 0)]
        if result.frame.index < 100 or not len(rows):
            continue
        centres = rows[:, 2:4] + rows[:, 4:6] / 2
        boxes = result.detections.boxes_px
        inside = (centres[:, None] >= boxes[None, :, :2]) & (centres[:, None] <= boxes[None, :, 2:])
        hits += int(inside.all(axis=2).any(axis=1).sum())
        total += len(rows)
    assert hits / total > 0.8, f"{hits} of {total} people lie in a moving region"
