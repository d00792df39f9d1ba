"""The mask head on a GPU, by TensorRT: frame in, grids out, everything between on the device.

    frame -> device (once) -> crops of up to 8 boxes -> network -> logits -> pinned host memory

Where the frame lies on the GPU already, or host and device share their memory,
it is read where it is. Nothing is allocated once the largest frame has been through.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.device import CudaDevice
from edgeseg.device.arrays import DevicePicture
from edgeseg.device.frames import FrameStage, Pixels
from edgeseg.engines.first_use import open_plan
from edgeseg.engines.tensorrt.build import BuildOptions
from edgeseg.engines.tensorrt.runtime import LoadedPlan, PlanContext
from edgeseg.errors import EngineError
from edgeseg.masks.head import BATCH, CROP_PX, GRID, MARGIN, NETWORK, PRECISION, grown, masks_of
from edgeseg.masks.head import meta as meta_of
from edgeseg.masks.proof import proven
from edgeseg.types import Frame, Masks, Model

BATCHES = (1, 4, BATCH)
"""Boxes in one run of the engine: at least, usually, at most."""

_BOXES_BYTES = BATCH * 4 * 4
_META_AT = 256
"""TensorRT wants its inputs aligned so."""
_META_BYTES = BATCH * 3 * 4
_LOGITS_BYTES = BATCH * GRID * GRID * 4


def mask_network(path: Path = NETWORK) -> Model:
    """Describe the mask head as what engines are built from."""
    return Model(
        name="mask-head",
        onnx_path=path,
        input_px=(CROP_PX, CROP_PX),
        heads=(),
        class_names=(),
        precision=PRECISION,
        batch=None,
        ports=(2, 1),
    )


def open_cuda_head(
    device: CudaDevice, *, network: Path = NETWORK, bar: bool = False
) -> CudaMaskHead:
    """Open the mask head on `device`; its engine is built on its first use, then from the cache.

    A new engine is first shown objects that are drawn, and must see them.
    `bar` shows how far a build is. Raises EngineError, EngineRefusedError,
    BuildCancelledError, DeviceError, MissingDependencyError.
    """
    from edgeseg.engines.tensorrt.api import load_tensorrt

    api = load_tensorrt()

    def gate(plan: Path) -> Mapping[str, float]:
        with device.active():
            loaded = LoadedPlan(api, plan)
        with contextlib.closing(CudaMaskHead(device, loaded)) as candidate:
            return proven(candidate)

    model, options = mask_network(network), BuildOptions(batches=BATCHES)
    plan = open_plan(model, api, device, options, gate=gate, bar=bar)
    return CudaMaskHead(device, plan)


class CudaMaskHead:
    """Gives masks for boxes as `MaskHead` does, on a GPU. Use it from one thread at a time.

    Raises EngineError for a plan that is not the mask head's, DeviceError.
    """

    def __init__(self, device: CudaDevice, plan: LoadedPlan) -> None:
        _check_ports(plan)
        self._device = device
        self._plan = plan
        self._count = 0
        self._staged: tuple[Frame, Pixels] | None = None
        with device.active():
            self._stream = device.stream()
            self._event = device.event()
            self._frames = FrameStage(device, self._stream)
            purpose = "the mask head"
            self._given_host = device.allocate_host(_META_AT + _META_BYTES, purpose)
            self._logits_host = device.allocate_host(_LOGITS_BYTES, purpose)
            self._given = device.allocate(_META_AT + _META_BYTES, purpose)
            self._crops = device.allocate(BATCH * 3 * CROP_PX * CROP_PX * 4, purpose)
            self._logits = device.allocate(_LOGITS_BYTES, purpose)
            self._context = PlanContext(plan, device)
            self._context.set_address("crops", self._crops.pointer)
            self._context.set_address("meta", self._given.pointer + _META_AT)
            self._context.set_address("logits", self._logits.pointer)

    def look(self, frame: Frame, boxes_px: NDArray[np.float32]) -> Masks:
        """Give the mask of each of float32[N, 4] boxes.

        A box that is not finite, empty or wholly outside of the frame gets no
        mask (an empty grid). Raises EngineError, DeviceError.
        """
        with self._device.active():
            return masks_of(frame.size_px, boxes_px, lambda boxes: self._look_at(frame, boxes))

    def close(self) -> None:
        """Release the context, then the engine, then the memory under them."""
        with self._device.active():
            self._stream.synchronize()
            self._staged = None
            self._context.close()
            del self._plan
            for memory in (self._given, self._crops, self._logits):
                memory.free()
            self._given_host.free()
            self._logits_host.free()
            self._frames.close()

    def _look_at(self, frame: Frame, boxes_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the network's float32[N, 1, GRID, GRID] for 1 to BATCH boxes.

        Valid until the next call.
        """
        count, stream, cuda = len(boxes_px), self._stream, self._device.cuda
        self._hand_over(boxes_px)
        pixels = self._pixels(frame)
        cuda.crop_resize(
            cuda.Picture(pixels.pointer, pixels.size_px, pixels.pitch),
            self._given.pointer,
            count,
            self._crops.pointer,
            (CROP_PX, CROP_PX),
            stream.handle,
        )
        self._set_count(count)
        self._context.enqueue(stream.handle)
        nbytes = count * GRID * GRID * 4
        self._device.copy(self._logits_host.pointer, self._logits.pointer, nbytes, stream)
        self._event.record(stream)
        self._event.synchronize()
        logits: NDArray[np.float32] = self._logits_host.array[:nbytes].view(np.float32)
        return logits.reshape(count, 1, GRID, GRID)

    def _hand_over(self, boxes_px: NDArray[np.float32]) -> None:
        """Enqueue the way to the device of what is known about the crops."""
        count, host = len(boxes_px), self._given_host
        boxes = host.array[:_BOXES_BYTES].view(np.float32).reshape(BATCH, 4)
        boxes[:count] = grown(boxes_px, MARGIN)
        end = _META_AT + _META_BYTES
        host.array[_META_AT:end].view(np.float32).reshape(BATCH, 3)[:count] = meta_of(boxes_px)
        self._device.copy(self._given.pointer, host.pointer, end, self._stream)

    def _pixels(self, frame: Frame) -> Pixels:
        """Put a frame where the device reads it, unless it is there from the look before."""
        if self._staged is not None and self._staged[0] is frame:
            return self._staged[1]
        self._staged = None
        pixels = self._frames.stage(frame)
        self._frames.enqueue_upload(pixels)
        if not isinstance(frame.image, DevicePicture):  # its owner may want that memory back
            self._staged = frame, pixels
        return pixels

    def _set_count(self, count: int) -> None:
        """Say how many boxes there are, when there are not as many as before."""
        if count != self._count:
            self._count = 0
            self._context.shape_input("crops", (count, 3, CROP_PX, CROP_PX))
            self._context.shape_input("meta", (count, 3))
            self._count = count


def _check_ports(plan: LoadedPlan) -> None:
    """Raise EngineError when a plan has not the mask head's inputs and outputs."""
    names = {*plan.inputs, *plan.outputs}
    if names != {"crops", "meta", "logits"} or {plan.dtype(n) for n in names} != {"float32"}:
        raise EngineError(
            f"the engine has {', '.join(sorted(names))}; the mask head has crops, meta and "
            "logits, of float32",
            hint="Remove it, and it is built again: edgeseg engines rm mask-head",
        )
