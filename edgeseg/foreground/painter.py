"""The picture of `--segment foreground`: the foreground before another background."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ConfigError
from edgeseg.overlay import Status
from edgeseg.pictures import over
from edgeseg.sources.camera import imported_cv2
from edgeseg.types import Result, Size

Picture = NDArray[np.uint8]

BLUR_SHARE = 0.03
"""Width of the blur, as a share of the picture's diagonal."""


class Ground(Protocol):
    """Gives what stands behind."""

    def behind(self, image: Picture, foreground: Picture) -> Picture:
        """Give uint8[H, W, 3], BGR, of the frame's size."""


class ForegroundPainter:
    """Paints results as `--background` says; use it from one thread.

    Raises ConfigError for a picture that cannot be read.
    """

    def __init__(self, background: str) -> None:
        self._cut = background == "cut"
        self._ground = None if self._cut else _ground(background)

    def draw(self, result: Result, status: Status | None = None) -> Picture:
        """Give a new picture of the frame's size: BGR, or BGRA when the background is cut out."""
        del status  # it would stand on the background
        image, foreground = result.frame.host_image, result.foreground
        if foreground is None:
            foreground = np.zeros(image.shape[:2], np.uint8)
        if self._ground is None:
            return np.dstack((image, foreground))
        return over(image, foreground, self._ground.behind(image, foreground))


def _ground(background: str) -> Ground:
    if background == "blur":
        return _Blur()
    if re.fullmatch(r"#[0-9A-Fa-f]{6}", background):
        red, green, blue = bytes.fromhex(background[1:])
        return _Color((blue, green, red))
    return _Image(Path(background).expanduser())


class _Color:
    def __init__(self, color: tuple[int, int, int]) -> None:
        self._color = color

    def behind(self, image: Picture, foreground: Picture) -> Picture:
        del foreground
        return np.full(image.shape, self._color, np.uint8)


class _Image:
    """A picture, cut to the frame's shape and scaled to cover it."""

    def __init__(self, path: Path) -> None:
        from PIL import Image, ImageOps

        try:
            with Image.open(path) as opened:
                self._picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise ConfigError(
                f"--background {path}: no picture can be read from it",
                hint="blur, cut, a colour as '#00B140', or the path of a picture.",
            ) from error
        self._fitted: dict[Size, Picture] = {}

    def behind(self, image: Picture, foreground: Picture) -> Picture:
        del foreground
        size_px = image.shape[1], image.shape[0]
        if size_px not in self._fitted:
            from PIL import Image, ImageOps

            fitted = ImageOps.fit(self._picture, size_px, Image.Resampling.BILINEAR)
            self._fitted = {size_px: np.ascontiguousarray(np.asarray(fitted)[:, :, ::-1])}
        return self._fitted[size_px]


class _Blur:
    """The frame itself, out of focus; the foreground's colours do not run into it."""

    def __init__(self) -> None:
        self._cv2: Any = imported_cv2("a blurred background")

    def behind(self, image: Picture, foreground: Picture) -> Picture:
        cv2, (height, width) = self._cv2, image.shape[:2]
        sigma = BLUR_SHARE * float(np.hypot(width, height)) / 2
        # A blur needs no more pixels than this.
        factor = min(1.0, 3 / sigma)
        size_px = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(image, size_px, interpolation=cv2.INTER_AREA).astype(np.float32)
        hidden = cv2.resize(foreground, size_px, interpolation=cv2.INTER_AREA)
        share = (255.0 - hidden.astype(np.float32)) / 255.0 + 1e-3
        weighted = cv2.GaussianBlur(small * share[:, :, None], (0, 0), sigma * factor)
        weighted /= cv2.GaussianBlur(share, (0, 0), sigma * factor)[:, :, None]
        blurred = weighted.round().clip(0, 255).astype(np.uint8)
        return np.asarray(cv2.resize(blurred, (width, height)), np.uint8)
