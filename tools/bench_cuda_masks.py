"""The mask ops of tools/bench_cuda.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeseg import _native

if TYPE_CHECKING:
    from bench_cuda import Bench, Row


def bench_crop_resize(
    bench: Bench, source_px: tuple[int, int], sides_px: tuple[int, int], count: int, *, dtype: str
) -> Row:
    """Time `count` boxes of sides from a range, cropped to 128 x 128, BGR."""
    width, height = source_px
    rng = np.random.default_rng(0)
    size = rng.uniform(*sides_px, (count, 2))
    corner = rng.uniform(0, 1, (count, 2)) * (np.array(source_px) - size)
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    shape = (count, 3, 128, 128)
    calls: list[Callable[[], Any]] = []
    first: tuple[Any, Any] | None = None
    for _ in range(bench.sets):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        memory, places = bench.put(image), bench.put(boxes)
        out = bench.cuda.Buffer(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        first = first or (image, out)
        calls.append(_crop_call(bench, memory, source_px, places, count, out, dtype))
    calls[0]()
    assert first is not None
    expected = np.empty(shape, np.float32)
    _native.crop_resize(first[0], boxes, expected)
    found = bench.get(first[1], dtype, expected.size).reshape(shape)
    if not np.array_equal(found, expected.astype(dtype)):
        raise AssertionError("the CUDA crop_resize differs from the CPU's")
    read = int(3 * np.prod(np.ceil(boxes[:, 2:] - boxes[:, :2]), axis=1).sum())
    moved = read + expected.size * np.dtype(dtype).itemsize
    case = f"{count} boxes of {sides_px[0]} to {sides_px[1]} px, {width}x{height} to 128 {dtype}"
    return bench.row("crop_resize", case, bench.time_us(calls), moved)


def _crop_call(
    bench: Bench,
    memory: Any,
    source_px: tuple[int, int],
    places: Any,
    count: int,
    out: Any,
    dtype: str,
) -> Callable[[], None]:
    picture = bench.cuda.Picture(memory.pointer, source_px, 3 * source_px[0])

    def call() -> None:
        keep = (memory, places, out)  # the graph has their addresses only
        bench.cuda.crop_resize(
            picture,
            keep[1].pointer,
            count,
            keep[2].pointer,
            (128, 128),
            bench.handle,
            dtype=dtype,
        )

    return call
