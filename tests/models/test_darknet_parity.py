"""Raw heads equal OpenCV's Darknet importer, network by network."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import darknet_nets as nets
import numpy as np
import platformdirs
import pytest
from darknet_nets import conv, net

from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.export import export
from edgeseg.models.darknet.plan import Network, plan_network
from edgeseg.models.darknet.weights import write_random_weights
from edgeseg.types import Size

ZOO = Path(__file__).parents[2] / "edgeseg" / "models" / "zoo"

V2_TINY = nets.NET.format(w=128, h=128) + "".join(
    conv(filters) + f"[maxpool]\nsize=2\nstride={stride}\n"
    for filters, stride in ((16, 2), (32, 2), (64, 2), (128, 2), (256, 2), (512, 1))
) + conv(256) + conv(35, size=1, act="linear", batch_normalize=0) + (
    "[region]\nanchors=1.1,1.2, 3.4,4.4, 6.6,11, 9.4,5.1, 16.6,10.5\nclasses=2\ncoords=4\nnum=5\n"
    "softmax=1\n"
)  # fmt: skip

V2 = nets.NET.format(w=128, h=96) + "".join(
    [
        conv(16), "[maxpool]\nsize=2\nstride=2\n", conv(32), "[maxpool]\nsize=2\nstride=2\n",
        conv(64), "[maxpool]\nsize=2\nstride=2\n", conv(128), conv(64, size=1),
        "[maxpool]\nsize=2\nstride=2\n", conv(128), conv(128),
        "[route]\nlayers=-4\n", conv(16, size=1), "[reorg]\nstride=2\n",
        "[route]\nlayers=-1,-4\n", conv(128), conv(14, size=1, act="linear", batch_normalize=0),
        "[region]\nanchors=1.1,1.2, 3.4,4.4\nclasses=2\ncoords=4\nnum=2\nsoftmax=1\n",
    ]
)  # fmt: skip

_DOWN = (conv(16), conv(24, stride=2), conv(32, stride=2), conv(48, stride=2), conv(64, stride=2),
         conv(64, stride=2), conv(64, stride=2))  # fmt: skip


def _level(source: int, mask: str, filters: int = 14) -> str:
    """Go up one level, join layer `source`, and look there."""
    return (
        f"[route]\nlayers=-4\n{conv(16, size=1)}[upsample]\nstride=2\n[route]\nlayers=-1,{source}\n"
        + conv(32)
        + nets.HEAD.replace("mask=0,1", f"mask={mask}").replace("14", str(filters))
    )


FIVE_HEADS = net(
    *_DOWN, conv(32), w=128, h=64, head=nets.HEAD + "".join(
        _level(source, mask) for source, mask in ((5, "1,2"), (4, "0,2"), (3, "0,1"), (2, "1,0"))
    )
)  # fmt: skip

CSP = net(
    conv(16, act="mish"), conv(32, stride=2, act="mish"), conv(16, size=1, act="mish"),
    "[route]\nlayers=-2\n", conv(16, size=1, act="mish"), conv(16, size=1, act="mish"),
    conv(16, act="mish"), "[shortcut]\nfrom=-3\nactivation=linear\n",
    "[route]\nlayers=-1,-6\n", "[maxpool]\nstride=1\nsize=5\n", "[route]\nlayers=-2\n",
    "[maxpool]\nstride=1\nsize=9\n", "[route]\nlayers=-1,-3,-4\n", conv(32, act="swish"),
    w=96, h=64, head=nets.HEAD.replace("linear", "logistic")
    + "scale_x_y=2.0\nnew_coords=1\n",
)  # fmt: skip

SMALL = {"v2-tiny": V2_TINY, "v2": V2, "v3-5l": FIVE_HEADS, "v4-csp": CSP}


def heads_of_opencv(network: Network, weights: Path, images: np.ndarray) -> list[np.ndarray]:
    """Give what OpenCV computes for the layers that enter heads, nothing fused."""
    opened = cv2.dnn.readNetFromDarknet(network.cfg.file, str(weights))
    opened.enableFusion(False)
    opened.enableWinograd(False)
    opened.setInput(images)
    names = list(opened.getLayerNames())
    # OpenCV permutes what enters a head, and calls that layer by the head's index.
    wanted = [names[names.index(f"permute_{head.index}") - 1] for head in network.heads]
    return list(opened.forward(wanted))


def greatest_difference(
    cfg: Path, weights: Path, folder: Path, images: np.ndarray, size: Size | None = None
) -> list[tuple[float, float]]:
    """Give for each head the greatest difference and the greatest value."""
    network = plan_network(parse_cfg(cfg), size)
    model = export(cfg, weights, folder / "n.onnx", size=size)
    ours = nets.heads_of(model.onnx_path, images)
    theirs = heads_of_opencv(network, weights, images)
    assert [head.shape for head in ours] == [head.shape for head in theirs]
    assert [head.shape[1] for head in ours] == [spec.channels for spec in model.heads]
    return [
        (float(np.abs(a - b).max()), float(np.abs(b).max()))
        for a, b in zip(ours, theirs, strict=True)
    ]


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_of_each_family_equal_opencv(name: str, tmp_path: Path) -> None:
    cfg, weights, network = nets.place(tmp_path, SMALL[name])
    for difference, scale in greatest_difference(cfg, weights, tmp_path, nets.image(network)):
        assert difference < 1e-5 * scale


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny", "yolov3-spp", "yolov4", "yolov4-tiny"])
def test_registry_networks_with_random_weights_equal_opencv(name: str, tmp_path: Path) -> None:
    cfg, weights, size = ZOO / f"{name}.cfg", tmp_path / "w.weights", (128, 96)
    network = plan_network(parse_cfg(cfg), size)
    write_random_weights(weights, network, 1)
    for difference, scale in greatest_difference(cfg, weights, tmp_path, nets.image(network), size):
        assert difference < 1e-4 * scale
    weights.unlink()  # up to 250 MB each
    (tmp_path / "n.onnx").unlink()


@pytest.mark.parametrize(
    "name", ["yolo-fastest-1.1", "MobileNetV2-YOLOv3-Nano-coco", "yoloface-500k"]
)
def test_real_small_networks_equal_opencv(name: str, data_dir: Path, tmp_path: Path) -> None:
    cfg = data_dir / "models" / "darknet" / f"{name}.cfg"
    network = plan_network(parse_cfg(cfg))
    images = picture(data_dir / "images" / "dog.jpg", network.input_px)
    for difference, scale in greatest_difference(
        cfg, cfg.with_suffix(".weights"), tmp_path, images
    ):
        assert difference < 1e-5 * scale


def picture(path: Path, size: Size) -> np.ndarray:
    return cv2.dnn.blobFromImage(cv2.imread(str(path)), 1 / 255, size, swapRB=True)


@pytest.fixture(scope="session")
def tiny_weights() -> Path:
    """Give the official yolov3-tiny.weights, where this machine has them."""
    pulled = Path(platformdirs.user_cache_dir("edgeseg")) / "weights" / "yolov3-tiny.weights"
    path = Path(os.environ.get("EDGESEG_TEST_TINY_WEIGHTS", pulled))
    if not path.is_file():
        pytest.skip(f"no official yolov3-tiny.weights in {path}; set EDGESEG_TEST_TINY_WEIGHTS")
    return path


@pytest.mark.parametrize("size", [(416, 416), (320, 608), (608, 608)])
def test_official_yolov3_tiny_equals_opencv_on_real_pictures(
    size: Size, tiny_weights: Path, data_dir: Path, tmp_path: Path
) -> None:
    cfg = ZOO / "yolov3-tiny.cfg"
    pictures = sorted((data_dir / "images").glob("*.jpg"))
    assert pictures
    network = plan_network(parse_cfg(cfg), size)
    model = export(cfg, tiny_weights, tmp_path / "n.onnx", size=size)
    for path in pictures:
        images = picture(path, size)
        theirs = heads_of_opencv(network, tiny_weights, images)
        for a, b in zip(nets.heads_of(model.onnx_path, images), theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=5e-4)


def test_opencv_reads_the_exported_file(tmp_path: Path) -> None:
    cfg, weights, network = nets.place(tmp_path, V2)
    model = export(cfg, weights, tmp_path / "n.onnx")
    images = nets.image(network)
    opened = cv2.dnn.readNetFromONNX(str(model.onnx_path))
    opened.setInput(images)
    (ours,) = nets.heads_of(model.onnx_path, images)
    np.testing.assert_allclose(opened.forward("head_0"), ours, atol=1e-4)
