"""What the checks look at: a small network, heads with objects in them, and real frames."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Frame, HeadSpec, Model, Size

CFG = """\
[net]
width=96
height=96
channels=3
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=32
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=16
size=1
stride=1
activation=leaky
[convolutional]
batch_normalize=1
filters=32
size=3
stride=1
pad=1
activation=leaky
[shortcut]
from=-3
activation=linear
[maxpool]
size=2
stride=2
[convolutional]
filters=21
size=1
stride=1
pad=1
activation=linear
[yolo]
mask=0,1,2
anchors=10,14, 23,27, 37,58
classes=2
num=3
[route]
layers=-4
[convolutional]
filters=21
size=1
stride=1
pad=1
activation=linear
[yolo]
mask=0,1,2
anchors=10,14, 23,27, 37,58
classes=2
num=3
"""


def small_model(folder: Path) -> Model:
    """Make a network of two heads with random weights; the same each time."""
    from edgeseg.models.darknet.cfg import parse_cfg
    from edgeseg.models.darknet.export import export
    from edgeseg.models.darknet.plan import plan_network
    from edgeseg.models.darknet.weights import write_random_weights

    cfg, weights = folder / "selftest.cfg", folder / "selftest.weights"
    cfg.write_text(CFG)
    cfg.with_suffix(".names").write_text("one\ntwo\n")
    write_random_weights(weights, plan_network(parse_cfg(cfg)), seed=1)
    return export(cfg, weights, folder / "selftest.onnx")


def noise(size_px: Size, seed: int) -> NDArray[np.uint8]:
    """Give a picture of noise."""
    return np.random.default_rng(seed).integers(0, 256, (size_px[1], size_px[0], 3), np.uint8)


def crowded_heads(
    specs: tuple[HeadSpec, ...], net_px: Size, seed: int = 0
) -> list[NDArray[np.float32]]:
    """Give raw heads in which some hundred boxes score, at strides of 32, 16 and 8."""
    rng = np.random.default_rng(seed)
    heads = []
    for number, spec in enumerate(specs):
        stride = 32 >> min(number, 2)
        shape = (1, spec.channels, max(1, net_px[1] // stride), max(1, net_px[0] // stride))
        head = rng.normal(-3, 1.5, shape)
        if spec.new_coords:
            head = 1 / (1 + np.exp(-head))
        heads.append(head.astype(np.float32))
    return heads


def looped_frames(count: int) -> Iterator[Frame]:
    """Give real frames over and over, or noise where there are none."""
    from edgeseg.engines.proof import real_frames

    found: list[Frame] = []
    with contextlib.suppress(Exception):  # without the clip, noise takes as long
        found = list(itertools.islice(real_frames(None), 16))
    found = found or [Frame(noise((1280, 720), seed)) for seed in range(4)]
    return itertools.islice(itertools.cycle(found), count)
