"""Wrong arguments of the mask ops are refused by name, before anything is touched."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg import _native

IMAGE = np.zeros((8, 9, 3), np.uint8)
BOXES = np.zeros((2, 4), np.float32)
CROPS = np.zeros((2, 3, 5, 6), np.float32)
GRID = np.zeros((4, 5), np.uint8)
COLORS = np.zeros((2, 3), np.uint8)
SQUARE = np.zeros((4, 2), np.float32)
WIDE = np.broadcast_to(np.zeros(1, np.uint8), (1, 70000))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def crop_resize(image=IMAGE, boxes=BOXES, out=CROPS, **options):
    _native.crop_resize(image, boxes, out, **options)


def paste(grid=GRID, region=(0, 0, 9, 9), clip=(0, 0, 9, 9), box=(0, 0, 9, 9)):
    return _native.paste(grid, region, clip, box)


def blend(image=IMAGE, grids=(GRID, GRID), regions=BOXES, clips=BOXES, colors=COLORS, **options):
    _native.blend(image, list(grids), regions, clips, colors, **options)


def rle_encode(mask=GRID, **options):
    return _native.rle_encode(mask, **options)


def rle_decode(counts=b"0", size=(0, 0)):
    return _native.rle_decode(counts, size)


def trace_polygons(mask=GRID, **options):
    return _native.trace_polygons(mask, **options)


def fill_polygons(rings=(SQUARE,), size=(8, 9)):
    return _native.fill_polygons(list(rings), size)


REFUSED = [
    (crop_resize, {"image": IMAGE[:, :, 0]}, ValueError, r"image must be uint8\[N, N, 3\]"),
    (crop_resize, {"image": IMAGE.astype(np.float32)}, TypeError, "image must be uint8"),
    (crop_resize, {"image": IMAGE[:0]}, ValueError, "image must have sides of 1 to 65535"),
    (crop_resize, {"boxes": BOXES.astype(np.float64)}, TypeError, r"boxes must be float32\[N, 4\]"),
    (crop_resize, {"boxes": BOXES[:, :3]}, ValueError, r"boxes must be .* got float32\[2, 3\]"),
    (crop_resize, {"boxes": BOXES[:1]}, ValueError, "boxes and out must be as many, got 1 and 2"),
    (crop_resize, {"out": CROPS[0]}, ValueError, r"out must be float32\[N, 3, N, N\]"),
    (crop_resize, {"out": CROPS.astype(np.float16)}, TypeError, "out must be float32"),
    (crop_resize, {"out": CROPS[:, :, :, ::2]}, ValueError, "out must have adjacent elements"),
    (crop_resize, {"out": CROPS[:, :, :0]}, ValueError, "out must have sides of 1 to 16384"),
    (crop_resize, {"out": read_only(CROPS)}, ValueError, "out must be writeable"),
    (crop_resize, {"pad": 256}, ValueError, "pad must be from 0 to 255, got 256"),
    (crop_resize, {"pad": np.nan}, ValueError, "pad must be from 0 to 255, got nan"),
    (paste, {"grid": GRID.astype(bool)}, TypeError, r"grid must be uint8\[N, N\], got bool"),
    (paste, {"grid": GRID[0]}, ValueError, "grid must be"),
    (paste, {"grid": WIDE}, ValueError, "grid must have sides of at most 65535"),
    (paste, {"box": (5, 0, 4, 9)}, ValueError, r"box .* got \(5, 0, 4, 9\)"),
    (paste, {"box": (0, 0, 70000, 9)}, ValueError, "box .* sides of 0 to 65535"),
    (paste, {"box": (2**31 - 2, 0, 2**31 - 1, 1)}, ValueError, "box must have edges from"),
    (paste, {"box": (0.5, 0, 9, 9)}, TypeError, "box"),
    (paste, {"region": (0, 0, 9)}, TypeError, "region"),
    (blend, {"image": read_only(IMAGE)}, ValueError, "image must be writeable"),
    (blend, {"image": IMAGE[:, ::2]}, ValueError, "image must have adjacent pixels"),
    (blend, {"image": IMAGE[:, :, ::-1]}, ValueError, "image must have adjacent elements"),
    (blend, {"image": IMAGE[:, :, :2]}, ValueError, "image must be"),
    (blend, {"grids": [GRID]}, ValueError, r"regions must be float32\[1, 4\], got float32\[2, 4\]"),
    (blend, {"grids": [GRID, GRID[0]]}, ValueError, r"grids\[1\] must be uint8\[N, N\]"),
    (blend, {"grids": [GRID, GRID.astype(int)]}, TypeError, r"grids\[1\] must be uint8"),
    (blend, {"grids": [WIDE, GRID]}, ValueError, r"grids\[0\] must have sides of at most"),
    (blend, {"clips": BOXES[:1]}, ValueError, r"clips must be float32\[2, 4\]"),
    (blend, {"colors": COLORS[:, :2]}, ValueError, r"colors must be uint8\[2, 3\]"),
    (blend, {"colors": COLORS.astype(int)}, TypeError, "colors must be uint8"),
    (blend, {"alpha": 1.1}, ValueError, "alpha must be from 0 to 1, got 1.1"),
    (blend, {"alpha": np.nan}, ValueError, "alpha must be from 0 to 1, got nan"),
    (rle_encode, {"mask": GRID.astype(np.float32)}, TypeError, "mask must be uint8 or bool"),
    (rle_encode, {"mask": GRID[0]}, ValueError, "mask must be"),
    (rle_encode, {"size": (3, 5)}, ValueError, "mask must lie inside of the frame of 5 x 3"),
    (rle_encode, {"corner": (1, 0)}, ValueError, r"got 5 x 4 at \(1, 0\)"),
    (rle_encode, {"corner": (-1, 0)}, ValueError, "mask must lie inside"),
    (rle_encode, {"size": (4, 70000)}, ValueError, "size .* must be from 0 to 65535"),
    (rle_decode, {"size": (-1, 2)}, ValueError, "size .* must be from 0 to 65535"),
    (rle_decode, {"size": (70000, 70000)}, ValueError, "size .* must be from 0 to 65535"),
    (rle_decode, {"counts": 5}, TypeError, "counts"),
    (trace_polygons, {"mask": GRID.astype(np.int32)}, TypeError, "mask must be uint8 or bool"),
    (trace_polygons, {"mask": WIDE}, ValueError, "mask must have sides of at most 65535"),
    (trace_polygons, {"tolerance_px": -1}, ValueError, "tolerance_px must be 0 or more, got -1"),
    (trace_polygons, {"tolerance_px": np.nan}, ValueError, "tolerance_px must be 0 or more"),
    (fill_polygons, {"rings": [SQUARE, SQUARE[:, :1]]}, ValueError, r"rings\[1\] must be float32"),
    (fill_polygons, {"rings": [SQUARE.astype(int)]}, TypeError, r"rings\[0\] must be float32"),
    (
        fill_polygons,
        {"rings": [np.array([(0, 0), (1, np.nan)], np.float32)]},
        ValueError,
        r"rings\[0\] must have finite points, got \(1, nan\)",
    ),
    (fill_polygons, {"size": (-1, 5)}, ValueError, "size .* must be from 0 to 65535"),
]


@pytest.mark.parametrize(("op", "wrong", "error", "message"), REFUSED)
def test_a_wrong_argument_is_refused_by_name(op, wrong, error, message):
    with pytest.raises(error, match=message):
        op(**wrong)


@pytest.mark.parametrize("op", [crop_resize, paste, blend, rle_encode, rle_decode, trace_polygons])
def test_the_arguments_used_here_are_right_otherwise(op):
    op()
    fill_polygons()


def test_a_refused_call_leaves_the_output_alone():
    out, image = np.full_like(CROPS, 7), np.full_like(IMAGE, 7)
    with pytest.raises(ValueError, match="pad"):
        crop_resize(out=out, pad=-1)
    with pytest.raises(ValueError, match="alpha"):
        blend(image=image, alpha=2)
    assert (out == 7).all()
    assert (image == 7).all()
