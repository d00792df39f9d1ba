"""A small but whole YOLOv3-like network with random weights, for tests of the whole program."""

from __future__ import annotations

from pathlib import Path

CFG = """\
[net]
width=64
height=64
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky

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

NAMES = "cat\ntraffic light\n"


def write_small_net(folder: Path) -> Path:
    """Write small.cfg, small.weights and small.names; give the cfg."""
    from edgeseg.models.darknet.cfg import parse_cfg
    from edgeseg.models.darknet.plan import plan_network
    from edgeseg.models.darknet.weights import write_random_weights

    cfg = folder / "small.cfg"
    cfg.write_text(CFG)
    (folder / "small.names").write_text(NAMES)
    write_random_weights(folder / "small.weights", plan_network(parse_cfg(cfg)), seed=1)
    return cfg
