"""Wrong arguments of the native ops are refused by name, before anything is touched."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edgeseg import _native

IMAGE = np.zeros((8, 9, 3), np.uint8)
OUT = np.zeros((3, 16, 16), np.float32)
HEAD = np.zeros((2 * 7, 3, 4), np.float32)
SPEC = _native.YoloHead("yolo", [(10, 10), (20, 20)], 2)
BOXES = np.zeros((5, 4), np.float32)
SCORES = np.zeros(5, np.float32)
CLASS_IDS = np.zeros(5, np.int32)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    return memory[1:].view(array.dtype).reshape(array.shape)


def letterbox(image=IMAGE, out=OUT, region=(0, 0, 16, 16), **options):
    _native.letterbox(image, out, region, **options)


def decode(heads=(HEAD,), specs=(SPEC,), net_px=(64, 64), conf=0.5, **options):
    return _native.decode(list(heads), list(specs), net_px, conf, **options)


def nms(boxes=BOXES, scores=SCORES, class_ids=CLASS_IDS, **options):
    return _native.nms(boxes, scores, class_ids, **options)


def soft_nms(boxes=BOXES, scores=SCORES, class_ids=CLASS_IDS, **options):
    return _native.soft_nms(boxes, scores, class_ids, **options)


def head(*args, **options):
    return _native.YoloHead(*args, **options)


REFUSED = [
    (letterbox, {"image": IMAGE.astype(np.float32)}, TypeError, r"image must be uint8\[N, N, 3\]"),
    (letterbox, {"image": IMAGE.astype(np.int8)}, TypeError, r"got int8\[8, 9, 3\]"),
    (letterbox, {"image": IMAGE[:, :, 0]}, ValueError, r"image must be .*got uint8\[8, 9\]"),
    (letterbox, {"image": np.zeros((8, 9, 4), np.uint8)}, ValueError, "image must be"),
    (letterbox, {"image": IMAGE[:0]}, ValueError, "image must have sides of 1 to 65535 .* 9 x 0"),
    (letterbox, {"image": IMAGE[:, :0]}, ValueError, "image must have sides"),
    (
        letterbox,
        {"image": np.broadcast_to(IMAGE[:1, :1], (1, 70000, 3))},
        ValueError,
        "image must have sides of at most 65535 pixels, got 70000",
    ),
    (letterbox, {"image": IMAGE.tolist()}, TypeError, "image"),
    (letterbox, {"out": OUT.astype(np.float64)}, TypeError, r"out must be float32\[3, N, N\]"),
    (letterbox, {"out": OUT.astype(">f4")}, TypeError, "out must be float32"),
    (letterbox, {"out": OUT[:2]}, ValueError, "out must be"),
    (letterbox, {"out": OUT[np.newaxis]}, ValueError, "out must be"),
    (
        letterbox,
        {"out": OUT[:, :, ::2]},
        ValueError,
        "out must have adjacent elements along axis 2",
    ),
    (letterbox, {"out": read_only(OUT)}, ValueError, "out must be writeable"),
    (letterbox, {"out": misaligned(OUT)}, ValueError, "out must be aligned"),
    (letterbox, {"region": (0, 0, 17, 16)}, ValueError, r"region .* 16 x 16, got \(0, 0, 17, 16\)"),
    (letterbox, {"region": (-1, 0, 4, 4)}, ValueError, "region"),
    (letterbox, {"sampling": "middle"}, ValueError, 'sampling must be "ends" or "centres"'),
    (letterbox, {"region": (0, 0, 0, 4)}, ValueError, "region"),
    (letterbox, {"region": (2**31 - 1, 0, 2**31 - 1, 1)}, ValueError, "region"),
    (letterbox, {"region": (0, 0, 4)}, TypeError, "region"),
    (letterbox, {"pad": -1}, ValueError, "pad must be from 0 to 255, got -1"),
    (letterbox, {"pad": np.nan}, ValueError, "pad must be from 0 to 255, got nan"),
    (letterbox, {"simd": "mmx"}, ValueError, 'simd must be one of auto, core, .* got "mmx"'),
    (decode, {"heads": [HEAD.astype(np.float16)]}, TypeError, r"heads\[0\] must be float32"),
    (decode, {"heads": [HEAD[:13]]}, ValueError, r"heads\[0\] must have 14 channels .* got 13"),
    (decode, {"heads": [HEAD[0]]}, ValueError, r"heads\[0\] must be"),
    (decode, {"heads": [np.stack([HEAD, HEAD])]}, ValueError, r"heads\[0\] must be float32\[1, "),
    (decode, {"heads": [HEAD[:, :, ::2]]}, ValueError, r"heads\[0\] must have adjacent elements"),
    (decode, {"heads": [HEAD[:, :0]]}, ValueError, r"heads\[0\] must have 1 to 32768 rows"),
    (decode, {"heads": [misaligned(HEAD)]}, ValueError, r"heads\[0\] must be aligned"),
    (decode, {"heads": [HEAD, HEAD]}, ValueError, "heads and specs must be as many, got 2 and 1"),
    (decode, {"heads": [HEAD.tolist()]}, TypeError, "heads"),
    (decode, {"net_px": (0, 64)}, ValueError, r"net_px must be from 1 .* got \(0, 64\)"),
    (decode, {"conf": 1.5}, ValueError, "conf must be from 0 to 1, got 1.5"),
    (decode, {"conf": np.nan}, ValueError, "conf must be from 0 to 1, got nan"),
    (decode, {"labels": "all"}, ValueError, 'labels must be "multi" or "best", got "all"'),
    (decode, {"max_candidates": 0}, ValueError, "max_candidates must be 1 or more, got 0"),
    (nms, {"boxes": BOXES.astype(np.float64)}, TypeError, r"boxes must be float32\[N, 4\]"),
    (nms, {"boxes": BOXES[:, :3]}, ValueError, r"boxes must be .* got float32\[5, 3\]"),
    (nms, {"scores": SCORES[:4]}, ValueError, r"scores must be float32\[5\], got float32\[4\]"),
    (nms, {"scores": SCORES.astype(np.float64)}, TypeError, "scores must be float32"),
    (nms, {"class_ids": CLASS_IDS.astype(np.int64)}, TypeError, r"class_ids must be int32\[5\]"),
    (nms, {"class_ids": CLASS_IDS[:0]}, ValueError, "class_ids must be"),
    (nms, {"iou": -0.1}, ValueError, "iou must be from 0 to 1, got -0.1"),
    (nms, {"iou": np.nan}, ValueError, "iou must be from 0 to 1, got nan"),
    (nms, {"kind": "soft"}, ValueError, 'kind must be "greedy" or "diou", got "soft"'),
    (nms, {"max_detections": 0}, ValueError, "max_detections must be 1 or more, got 0"),
    (soft_nms, {"boxes": BOXES.astype(np.int32)}, TypeError, "boxes must be float32"),
    (soft_nms, {"sigma": 0}, ValueError, "sigma must be above 0, got 0"),
    (soft_nms, {"sigma": np.inf}, ValueError, "sigma must be above 0, got inf"),
    (soft_nms, {"min_score": 2}, ValueError, "min_score must be from 0 to 1, got 2"),
    (soft_nms, {"max_detections": -1}, ValueError, "max_detections must be 1 or more, got -1"),
]


@pytest.mark.parametrize(("op", "wrong", "error", "message"), REFUSED)
def test_a_wrong_argument_is_refused_by_name(op, wrong, error, message):
    with pytest.raises(error, match=message):
        op(**wrong)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (("ssd", [(1, 1)], 1), {}, 'kind must be "yolo" or "region", got "ssd"'),
        (("yolo", [], 1), {}, "anchors_net must name at least one anchor"),
        (("yolo", [(1, 0)], 1), {}, r"anchors_net must be above 0 .* got \(1, 0\)"),
        (("yolo", [(np.nan, 1)], 1), {}, "anchors_net must be above 0"),
        (("yolo", [(1, 1)], 0), {}, "classes must be from 1 to .* got 0"),
        (("yolo", [(1, 1)], 1), {"scale_x_y": 0}, "scale_x_y must be above 0, got 0"),
        (("yolo", [(1, 1)], 1), {"scale_x_y": np.inf}, "scale_x_y must be above 0, got inf"),
        (("region", [(1, 1)], 1), {"new_coords": True}, "new_coords must be false"),
    ],
)
def test_a_wrong_head_is_refused_by_name(args, options, message):
    with pytest.raises(ValueError, match=message):
        head(*args, **options)


def test_a_refused_call_leaves_the_output_alone():
    out = np.full((3, 16, 16), 7, np.float32)
    with pytest.raises(ValueError, match="region"):
        letterbox(out=out, region=(0, 0, 99, 99))
    assert (out == 7).all()


def test_this_machine_has_a_kernel_level_that_runs_everywhere():
    assert _native.simd_levels()[0] == "baseline"


def test_cuda_devices_are_only_counted_where_the_kernels_are_built():
    assert _native.cuda_built() or _native.device_count() == 0


def longest_pause_beside(op) -> float:
    """How long this thread stood still while another ran `op`, as a share of op's duration."""
    span: list[float] = []

    def work():
        begin = time.perf_counter()
        op()
        span.extend([begin, time.perf_counter()])

    thread = threading.Thread(target=work)
    pauses, last = [0.0], time.perf_counter()
    thread.start()  # may itself wait for the GIL
    while not span:
        now = time.perf_counter()
        pauses.append(now - last)
        last = now
    thread.join()
    return max(*pauses, time.perf_counter() - last) / (span[1] - span[0])


def test_other_python_threads_run_while_an_op_works():
    """With the GIL held the pause is the whole op. A busy machine pauses us too: three tries."""
    image, out = np.zeros((600, 600, 3), np.uint8), np.zeros((3, 2000, 2000), np.float32)
    shares = [
        longest_pause_beside(lambda: letterbox(image, out, (0, 0, 2000, 2000), simd="core"))
        for _ in range(3)
    ]
    assert min(shares) < 0.5
