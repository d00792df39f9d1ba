"""Small Darknet networks for tests: cfg texts, weights, and the way through edgeseg's export."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.plan import Network, plan_network
from edgeseg.models.darknet.weights import write_random_weights

NET = "[net]\nwidth={w}\nheight={h}\nchannels=3\n"
HEAD = """
[convolutional]
filters=14
size=1
activation=linear

[yolo]
mask=0,1
anchors=4,6, 10,12, 20,30
classes=2
num=3
"""


def conv(
    filters: int, *, size: int = 3, stride: int = 1, act: str = "leaky", **more: object
) -> str:
    """Give a [convolutional] section with batch normalisation and padding, unless told else."""
    options = {"batch_normalize": 1, "filters": filters, "size": size, "stride": stride, "pad": 1}
    options |= {"activation": act} | more
    return "[convolutional]\n" + "".join(f"{key}={value}\n" for key, value in options.items())


def net(*sections: str, w: int = 16, h: int = 16, head: str = HEAD) -> str:
    """Join sections between [net] and a head."""
    return NET.format(w=w, h=h) + "\n".join(sections) + head


def place(folder: Path, text: str, seed: int = 1) -> tuple[Path, Path, Network]:
    """Write a cfg and random weights for it; give both paths and the plan."""
    cfg, weights = folder / "net.cfg", folder / "net.weights"
    cfg.write_text(text)
    network = plan_network(parse_cfg(cfg))
    write_random_weights(weights, network, seed)
    return cfg, weights, network


def image(network: Network, batch: int = 1, seed: int = 3) -> np.ndarray:
    """Give float32[batch, 3, H, W] from 0 to 1."""
    width, height = network.input_px
    return np.random.default_rng(seed).random((batch, 3, height, width), np.float32)


def heads_of(onnx_path: Path, images: np.ndarray) -> list[np.ndarray]:
    """Run an exported model with ONNX Runtime, optimised as users have it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(
        str(onnx_path), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"images": images})
