"""blend on CUDA: the same bytes as the CPU's, which takes short cuts that the kernel does not."""

from __future__ import annotations

import numpy as np
import pytest
from device_mask_ops import MASK_RECORD, blend, records_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg import _native

every_device = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NUMBERS = st.floats(-50, 90, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 3e38])


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def disc(side: int, softness: float = 30) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip((0.35 * side - np.hypot(x, y)) * softness + 128, 0, 255).astype(np.uint8)


def masks(count: int, size: tuple[int, int], seed: int = 0):
    """Discs and noise, sharp and soft, in and out of the picture."""
    rng = np.random.default_rng(seed)
    grids = []
    for i in range(count):
        side = int(rng.integers(1, 40))
        noise = rng.integers(0, 256, (side, int(rng.integers(1, 40))), dtype=np.uint8)
        grids.append(noise if i % 4 == 0 else disc(side, float(rng.uniform(4, 200))))
    corners = rng.uniform(-40, size, (count, 2))
    regions = np.hstack([corners, corners + rng.uniform(0.5, 120, (count, 2))])
    clips = np.hstack([corners - 5, corners + rng.uniform(0, 150, (count, 2))])
    colors = rng.integers(0, 256, (count, 3), dtype=np.uint8)
    return grids, regions.astype(np.float32), clips.astype(np.float32), colors


def twin(image, grids, regions, clips, colors, alpha=0.45) -> np.ndarray:
    out = image.copy()
    _native.blend(out, grids, regions, clips, colors, alpha=alpha)
    return out


@pytest.mark.parametrize("hw", [(1, 1), (7, 33), (50, 70), (33, 129)])
@pytest.mark.parametrize("count", [0, 1, 12])
@pytest.mark.parametrize("alpha", [0.45, 1.0])
def test_blend_gives_the_bytes_of_the_cpu(ops, hw, count, alpha):
    image, found = picture(*hw), masks(count, (hw[1], hw[0]), seed=count)
    np.testing.assert_array_equal(
        blend(ops, image, *records_of(*found), alpha=alpha), twin(image, *found, alpha=alpha)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_short_cuts_of_the_cpu_change_nothing(ops, seed):
    """Many soft edges, over cells from parts of a pixel to several pixels wide."""
    image, found = picture(90, 128), masks(24, (128, 90), seed)
    np.testing.assert_array_equal(blend(ops, image, *records_of(*found)), twin(image, *found))


def test_more_masks_than_a_block_has_threads_keep_their_order(ops):
    image, found = picture(24, 40), masks(600, (40, 24), seed=3)
    np.testing.assert_array_equal(blend(ops, image, *records_of(*found)), twin(image, *found))


@every_device
@given(
    hw=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    places=st.lists(
        st.tuples(
            st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
            st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
            st.tuples(st.integers(0, 6), st.integers(0, 6)),
        ),
        max_size=5,
    ),
    alpha=st.floats(0, 1),
)
def test_any_masks_get_the_bytes_of_the_cpu(ops, hw, places, alpha):
    rng = np.random.default_rng(len(places))
    grids = [rng.integers(0, 256, cells, dtype=np.uint8) for _, _, cells in places]
    regions = np.array([region for region, _, _ in places], np.float32).reshape(-1, 4)
    clips = np.array([clip for _, clip, _ in places], np.float32).reshape(-1, 4)
    colors = rng.integers(0, 256, (len(places), 3), dtype=np.uint8)
    found = (grids, regions, clips, colors)
    image = picture(*hw)
    np.testing.assert_array_equal(
        blend(ops, image, *records_of(*found), alpha=alpha), twin(image, *found, alpha=alpha)
    )


@pytest.mark.parametrize(("more", "shift"), [(1, 0), (13, 7), (64, 1)])
def test_pitch_and_alignment_of_the_picture_do_not_matter(ops, more, shift):
    image, found = picture(30, 45), masks(8, (45, 30))
    np.testing.assert_array_equal(
        blend(ops, image, *records_of(*found), more=more, shift=shift), twin(image, *found)
    )


def test_a_record_that_points_outside_of_the_grids_is_not_drawn(ops):
    image, (grids, regions, clips, colors) = picture(30, 45), masks(3, (45, 30), seed=5)
    records, packed = records_of(grids, regions, clips, colors)
    wrong = np.concatenate([np.zeros(1, MASK_RECORD), records, records])
    wrong[4:]["offset"] = [packed.size - grids[0].size + 1, 2**32 - 1, packed.size]
    wrong[5]["rows"] = wrong[5]["columns"] = 65535
    np.testing.assert_array_equal(
        blend(ops, image, wrong, packed), twin(image, grids, regions, clips, colors)
    )


def test_blend_can_be_captured_in_a_graph(ops, monkeypatch):
    image, found = picture(30, 45), masks(8, (45, 30))
    once = twin(image, *found)
    monkeypatch.setattr(ops, "graph", True)
    # The graph runs twice, as `ops.call` does it.
    np.testing.assert_array_equal(blend(ops, image, *records_of(*found)), twin(once, *found))


WRONG = [
    ({"pixels": 0}, "pixels must be device memory"),
    ({"size_px": (0, 8)}, "size_px must be 1 to 65535, got 0 x 8"),
    ({"size_px": (9, 65536)}, "size_px must be 1 to 65535"),
    ({"pitch": 26}, "pitch must be at least 27 bytes, got 26"),
    ({"records": 0}, "records must be device memory"),
    ({"records": 2}, "records must be device memory aligned to 4 bytes"),
    ({"count": -1}, "count must be 0 or more, got -1"),
    ({"grids": (0, 5)}, "grids must be device memory"),
    ({"grids": (0, -1)}, "grids_bytes must be 0 or more"),
    ({"stream": 0}, "stream must be the handle"),
    ({"alpha": 1.5}, "alpha must be from 0 to 1, got 1.5"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_a_wrong_argument_is_refused_by_name(ops, wrong, message):
    memory = ops.room(4096)
    options = {
        "pixels": memory.pointer,
        "size_px": (9, 8),
        "pitch": 27,
        "records": memory.pointer,
        "count": 1,
        "grids": (memory.pointer, 100),
        "stream": ops.handle,
        **wrong,
    }
    with pytest.raises(ValueError, match=message):
        ops.cuda.blend(**options)
