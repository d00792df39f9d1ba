"""How frames become the input of networks that edgeseg did not export."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.network_spec import Preprocessing
from edgeseg.types import Batch, Fit, Frame, Letterbox, Model, Size


class Feeder:
    """Brings frames to a network's input: size, order of channels, normalization, layout."""

    def __init__(self, model: Model) -> None:
        self._input_px = model.input_px
        self._fit = model.fit
        self._how = model.preprocessing
        width, height = model.input_px
        self._planes = np.empty((3, height, width), np.float32)
        self._tensor = self._planes[np.newaxis]
        if not self._how.is_plain:
            shape = (3, height, width) if self._how.layout == "nchw" else (height, width, 3)
            self._tensor = np.empty((1, *shape), np.float32)
        self._letterbox: Letterbox | None = None

    def feed(self, frame: Frame) -> Batch:
        """Give the input of one frame, valid until the next call."""
        letterbox = self._letterbox
        moved = letterbox is None or letterbox.source_px != frame.size_px
        if letterbox is None or moved:
            letterbox = place(frame.size_px, self._input_px, self._fit, self._how)
            self._letterbox = letterbox
        how = self._how
        _native.letterbox(
            frame.host_image,
            self._planes,
            letterbox.region_net,
            pad=how.pad,
            fill=moved,
            sampling=how.sampling,
        )
        if not how.is_plain:
            _normalize(self._planes, self._tensor[0], how)
        return Batch(self._tensor, (letterbox,))

    def close(self) -> None:
        """Release memory."""
        self._planes = np.empty((3, 0, 0), np.float32)
        self._tensor = self._planes[np.newaxis]
        self._letterbox = None


def place(source_px: Size, net_px: Size, fit: Fit, how: Preprocessing) -> Letterbox:
    """Place a frame in the network's input."""
    if fit == "stretch" or how.rounding == "down":
        return Letterbox.fit(source_px, net_px, fit)
    (width, height), (net_w, net_h) = source_px, net_px
    # As ultralytics' LetterBox: sizes to the nearest pixel, an odd remainder right and below.
    ratio = min(net_w / width, net_h / height)
    inner_w = min(max(1, round(width * ratio)), net_w)
    inner_h = min(max(1, round(height * ratio)), net_h)
    return Letterbox(
        source_px, net_px, ((net_w - inner_w) // 2, (net_h - inner_h) // 2, inner_w, inner_h)
    )


def _normalize(planes: NDArray[np.float32], out: NDArray[np.float32], how: Preprocessing) -> None:
    """Write gain * planes + offset to `out`, in the network's order and layout."""
    channels = out if how.layout == "nchw" else out.transpose(2, 0, 1)
    order = (0, 1, 2) if how.color == "rgb" else (2, 1, 0)
    # A channel at a time: NumPy walks all three of NHWC together in steps of three numbers.
    for channel, plane, gain, offset in zip(channels, order, how.gain, how.offset, strict=True):
        np.multiply(planes[plane], np.float32(gain), out=channel)
        if offset:
            np.add(channel, np.float32(offset), out=channel)
