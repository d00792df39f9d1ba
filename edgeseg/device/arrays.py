"""Arrays in a GPU's memory: what goes into an engine there, and what comes out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.types import Letterbox

Dtype = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True)
class DeviceArray:
    """A packed array in device memory; whoever made it keeps the memory."""

    pointer: int
    shape: tuple[int, ...]
    dtype: Dtype

    @property
    def nbytes(self) -> int:
        """Size of it."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class DeviceBatch:
    """What goes into the network, as `Batch`, but on the device and perhaps not yet there."""

    images: DeviceArray
    """[N, 3, H, W], RGB, from 0 to 1."""
    letterboxes: tuple[Letterbox, ...]
    """One for each picture."""
    stream: int
    """Handle of the stream in whose order the images are ready, and the heads shall be."""


@dataclass(frozen=True, slots=True)
class DeviceHeads:
    """The network's raw outputs, as `Heads`, but on the device and perhaps not yet there."""

    arrays: tuple[DeviceArray, ...]
    """[N, channels, rows, columns] each, in `Model.heads` order."""
    stream: int


class DevicePicture:
    """uint8[H, W, 3] BGR in device memory, of anything with `__cuda_array_interface__`.

    It looks like an array as far as `Frame` looks; `numpy.asarray` brings it to
    the host. Rows may be apart, pixels may not. Raises ValueError for another
    kind of array.
    """

    __slots__ = ("dtype", "ndim", "owner", "pitch", "pointer", "shape", "stream")

    def __init__(self, owner: Any) -> None:
        told = owner.__cuda_array_interface__
        shape = tuple(told["shape"])
        strides = told.get("strides") or (3 * shape[-2] if len(shape) == 3 else 0, 3, 1)
        if len(shape) != 3 or shape[2] != 3 or told["typestr"] not in ("|u1", "<u1", "u1"):
            raise ValueError(f"a frame is uint8[H, W, 3], got {told['typestr']}{list(shape)}")
        if 0 in shape or tuple(strides[1:]) != (3, 1) or strides[0] < 3 * shape[1]:
            raise ValueError(
                f"a frame on the GPU has packed rows, one after the other: {list(shape)} bytes "
                f"with strides {list(strides)} are not"
            )
        self.owner = owner
        self.pointer: int = told["data"][0]
        self.shape: tuple[int, ...] = shape
        self.pitch: int = strides[0]
        self.stream: int = told.get("stream") or 0
        """The stream in whose order the pixels are ready; 0 when they are."""
        self.ndim = 3
        self.dtype = np.dtype(np.uint8)

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[np.uint8]:
        """Bring it to the host."""
        if dtype not in (None, np.uint8) or copy is False:
            raise ValueError("a picture on the GPU becomes a new array of uint8")
        from edgeseg.device import native

        height, width, _ = self.shape
        cuda = native().cuda
        stream = cuda.Stream()
        if self.stream:
            cuda.wait_for(stream.handle, self.stream)
        host = cuda.HostBuffer(height * self.pitch)
        cuda.copy(host.pointer, self.pointer, (height - 1) * self.pitch + 3 * width, stream.handle)
        stream.synchronize()
        rows = host.array.reshape(height, self.pitch)[:, : 3 * width]
        return np.array(rows, np.uint8).reshape(height, width, 3)
