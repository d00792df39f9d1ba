"""The CUDA mask ops as functions of NumPy arrays, with all that a caller does around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from device_ops import DeviceOps
from numpy.typing import NDArray

Array = NDArray[Any]
MASK_RECORD = np.dtype(
    [
        ("region", "f4", 4),
        ("clip", "f4", 4),
        ("offset", "u4"),
        ("rows", "u2"),
        ("columns", "u2"),
        ("color", "u1", 3),
        ("unused", "u1", 5),
    ]
)


def put_rows(ops: DeviceOps, image: Array, more: int, shift: int) -> tuple[Any, int]:
    """Upload rows that are `more` bytes apart from `shift` on, with nothing behind the last."""
    rows = image.reshape(image.shape[0], -1)
    padded = np.full((rows.shape[0], rows.shape[1] + more), 0xEE, np.uint8)
    padded[:, : rows.shape[1]] = rows
    exact = padded.reshape(-1)[: padded.size - more]
    return ops.put(np.concatenate([np.full(shift, 0xEE, np.uint8), exact])), padded.shape[1]


def crop_resize(
    ops: DeviceOps,
    image: Array,
    boxes: Array,
    size: tuple[int, int],
    *,
    format: str = "bgr",  # noqa: A002 - the op's own word
    dtype: str = "float32",
    pad: float = 114.0,
    more: int = 0,
    shift: int = 0,
) -> Array:
    """Image uint8[H, W, C], NV12 uint8[3 H / 2, W]; `size` (width, height). Gives [N, 3, h, w]."""
    memory, pitch = put_rows(ops, image, more, shift)
    height = image.shape[0] * 2 // 3 if format == "nv12" else image.shape[0]
    pointer = memory.pointer + shift
    chroma = {"chroma": pointer + height * pitch, "chroma_pitch": pitch}
    picture = ops.cuda.Picture(
        pointer, (image.shape[1], height), pitch, **(chroma if format == "nv12" else {})
    )
    held = ops.put(boxes.astype(np.float32))
    count = len(boxes) * 3 * size[0] * size[1]
    out = ops.room(count * np.dtype(dtype).itemsize)
    args = (picture, held.pointer, len(boxes), out.pointer, size, ops.handle)
    ops.call(ops.cuda.crop_resize, *args, format=format, dtype=dtype, pad=pad)
    return ops.get(out, dtype, count).reshape(len(boxes), 3, size[1], size[0])


def records_of(
    grids: list[Array], regions: Array, clips: Array, colors: Array
) -> tuple[Array, Array]:
    """Give the records and the packed grids."""
    records = np.zeros(len(grids), MASK_RECORD)
    records["region"], records["clip"], records["color"] = regions, clips, colors
    offset = 0
    for record, grid in zip(records, grids, strict=True):
        record["offset"], record["rows"], record["columns"] = offset, *grid.shape
        offset += grid.size
    packed = np.concatenate([np.zeros(0, np.uint8), *(grid.reshape(-1) for grid in grids)])
    return records, packed


def blend(
    ops: DeviceOps,
    image: Array,
    records: Array,
    packed: Array,
    *,
    alpha: float = 0.45,
    more: int = 0,
    shift: int = 0,
) -> Array:
    """Give a copy of uint8[H, W, 3] with the masks laid over it; checks what lies between rows."""
    assert MASK_RECORD.itemsize == ops.cuda.MASK_RECORD_BYTES
    memory, pitch = put_rows(ops, image, more, shift)
    held, grids = ops.put(records), ops.put(packed)
    args = (memory.pointer + shift, image.shape[1::-1], pitch, held.pointer, len(records))
    ops.call(ops.cuda.blend, *args, (grids.pointer, packed.nbytes), ops.handle, alpha=alpha)
    found = ops.get(memory, np.uint8, memory.bytes)[shift:]
    found = np.concatenate([found, np.full(more, 0xEE, np.uint8)]).reshape(len(image), pitch)
    width = 3 * image.shape[1]
    assert (found[:, width:] == 0xEE).all()
    return found[:, :width].reshape(image.shape)
