"""What the CUDA ops refuse, before anything is enqueued; no device is needed to say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeseg import _native
from edgeseg.errors import DeviceError

PIXELS = 1 << 20
"""Stands for device memory: a call that is refused never reads it."""
REGION = (0, 0, 16, 8)


@pytest.fixture(scope="module")
def native(request: pytest.FixtureRequest) -> Any:
    """The product's module where it holds the kernels, else the kernels on the CPU."""
    return _native if _native.cuda_built() else request.getfixturevalue("on_cpu").native


def letterbox(native, *, size=(16, 8), pitch=48, pixels=PIXELS, planes=None, count=1, **changed):
    picture = native.cuda.Picture(pixels, size, pitch, **(planes or {}))
    args = {"regions": [REGION] * count, "out": 1 << 24, "net_px": (16, 8), "stream": 64}
    native.cuda.letterbox([picture] * count, **{**args, **changed})


def decoder(native, *, shapes=((14, 3, 4),), classes=2, anchors=2, **changed):
    specs = [native.YoloHead("yolo", [(10, 10)] * anchors, classes)] * len(shapes)
    args = {"shapes": list(shapes), "specs": specs, "net_px": (64, 64), "conf": 0.5}
    return native.cuda.Decoder(**{**args, **changed})


def decode(native, *, heads=(4096,), boxes=4096, capacity=4096, space=(4096, 1 << 20), stream=64):
    out = native.cuda.Candidates(boxes, 4096, 4096, 4096, capacity)
    decoder(native).run(list(heads), out, space, stream)


def nms(native, *, boxes=4096, capacity=100, space=(4096, 1 << 24), **changed):
    candidates = native.cuda.Candidates(boxes, 4096, 4096, 4096, capacity)
    native.cuda.nms(candidates, **{"out": 4096, "workspace": space, "stream": 64, **changed})


REFUSED = [
    (letterbox, {"stream": 0}, "stream must be the handle of a stream, not 0, the default"),
    (letterbox, {"format": "gray"}, 'format must be .*got "gray"'),
    (letterbox, {"dtype": "int8"}, 'dtype must be "float32" or "float16", got "int8"'),
    (letterbox, {"pad": 256}, "pad must be from 0 to 255, got 256"),
    (letterbox, {"pad": float("nan")}, "pad must be"),
    (letterbox, {"out": 0}, "out must be device memory aligned to 16 bytes, got pointer 0"),
    (letterbox, {"out": 8}, "out must be device memory aligned to 16"),
    (letterbox, {"net_px": (12, 8)}, "width that is a multiple of 8, got 12 x 8"),
    (letterbox, {"net_px": (0, 8)}, "net_px must be"),
    (letterbox, {"pixels": 0}, r"pictures\[0\] must have memory"),
    (letterbox, {"size": (0, 8)}, r"pictures\[0\] must have sides of 1 to 65535"),
    (letterbox, {"size": (65536, 8)}, r"pictures\[0\] must have sides"),
    (letterbox, {"pitch": 47}, r"pictures\[0\] must have a pitch of at least 48 bytes, got 47"),
    (letterbox, {"format": "rgba"}, "pitch of at least 64"),
    (letterbox, {"format": "nv12"}, "must have a chroma plane"),
    (
        letterbox,
        {"format": "nv12", "planes": {"chroma": 1, "chroma_pitch": 15}},
        "chroma_pitch of at least 16 bytes, got 15",
    ),
    (
        letterbox,
        {"format": "nv12", "size": (15, 8), "planes": {"chroma": 1, "chroma_pitch": 15}},
        "even sides, got 15 x 8",
    ),
    (letterbox, {"regions": []}, "pictures and regions must be as many, got 1 and 0"),
    (letterbox, {"count": 0}, "pictures must be 1 to 32, got 0"),
    (letterbox, {"count": 33}, "pictures must be 1 to 32, got 33"),
    *[
        (letterbox, {"regions": [region]}, r"regions\[0\] .* must lie inside net_px 16 x 8")
        for region in [(1, 0, 16, 8), (0, -1, 16, 8), (0, 0, 0, 1), (0, 8, 1, 1), (2**31 - 1,) * 4]
    ],
    (decoder, {"shapes": ()}, "heads must be 1 to 8, got 0"),
    (decoder, {"shapes": ((14, 3, 4),) * 9}, "heads must be 1 to 8, got 9"),
    (decoder, {"shapes": ((13, 3, 4),)}, r"heads\[0\] must have 14 channels"),
    (decoder, {"specs": []}, "heads and specs must be as many"),
    (decoder, {"anchors": 17, "shapes": ((119, 3, 4),)}, "at most 16 anchors, got 17"),
    (decoder, {"max_candidates": 4097}, "max_candidates must be 1 to 4096, got 4097"),
    (decoder, {"max_candidates": 0}, "max_candidates must be 1 or more"),
    (decoder, {"conf": 1.5}, "conf must be from 0 to 1"),
    (decoder, {"labels": "all"}, "labels must be"),
    (decoder, {"dtype": "float64"}, "dtype must be"),
    (
        decoder,
        {"classes": 1000, "shapes": ((2010, 4000, 4000),)},
        "too many possible candidates: 32000000000",
    ),
    (decode, {"heads": ()}, "heads must be 1, got 0"),
    (decode, {"heads": (0,)}, r"heads\[0\] must be device memory aligned .*got pointer 0"),
    (decode, {"heads": (4098,)}, r"heads\[0\] must be device memory aligned"),
    (decode, {"boxes": 4104}, "boxes aligned to 16 bytes"),
    (decode, {"capacity": 4095}, "room for max_candidates, 4096, got 4095"),
    (decode, {"space": (0, 1 << 20)}, "workspace must be device memory"),
    (decode, {"space": (4096, 100)}, r"workspace must have at least \d+ bytes, got 100"),
    (decode, {"stream": 0}, "stream must be"),
    (nms, {"stream": 0}, "stream must be"),
    (nms, {"out": 8}, "out must be device memory aligned to 16"),
    (nms, {"boxes": 0}, "boxes must be device memory aligned to 16"),
    (nms, {"capacity": -1}, "capacity must be from 0"),
    (nms, {"iou": 1.1}, "iou must be from 0 to 1, got 1.1"),
    (nms, {"kind": "soft"}, "kind must be"),
    (nms, {"max_detections": 0}, "max_detections must be 1 to 4096, got 0"),
    (nms, {"max_candidates": 4097}, "max_candidates must be 1 to 4096"),
    (nms, {"space": (4096, 100)}, "workspace must have at least"),
    (nms, {"to_source": (0, 0, 0, 1, 5, 5)}, "to_source must have scales above 0"),
    (nms, {"to_source": (0, 0, float("inf"), 1, 5, 5)}, "to_source must be finite"),
]


@pytest.mark.parametrize(("call", "change", "message"), REFUSED)
def test_what_a_cuda_op_cannot_take_is_refused_by_name(native, call, change, message):
    with pytest.raises(ValueError, match=message):
        call(native, **change)


def test_the_memory_that_ops_need_is_told_before(native):
    assert decoder(native).workspace_bytes >= 8 * (4096 + 2 * 12 * 2)
    assert native.cuda.nms_workspace_bytes(0, ranked=True) == 8 * 4096 * 64
    assert native.cuda.nms_workspace_bytes(5000) > native.cuda.nms_workspace_bytes(0)


def test_a_buffer_takes_only_what_lies_inside(on_cpu):
    buffer = on_cpu.cuda.Buffer(16)
    for offset, size in [(0, 17), (16, 1), (1 << 62, 1)]:
        with pytest.raises(ValueError, match="must lie inside of the buffer's 16"):
            buffer.upload(np.zeros(size, np.uint8), on_cpu.handle, offset)
    with pytest.raises(ValueError, match="C-contiguous"):
        buffer.upload(np.zeros((4, 4), np.uint8)[:, ::2], on_cpu.handle)
    with pytest.raises(ValueError, match="writeable"):
        buffer.download(np.frombuffer(bytes(4), np.uint8), on_cpu.handle)
    with pytest.raises(ValueError, match="bytes must be 1 or more"):
        on_cpu.cuda.Buffer(0)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_host_buffer_is_an_array_that_copies_reach(on_cpu, mapped):
    cuda, handle = on_cpu.cuda, on_cpu.handle
    host, there, back = (
        cuda.HostBuffer(16, mapped=mapped), cuda.Buffer(16), cuda.HostBuffer(16)
    )  # fmt: skip
    host.array[:] = np.arange(16)
    cuda.copy(there.pointer, host.pointer, 16, handle)
    cuda.copy(back.pointer, there.pointer + 4, 8, handle)
    on_cpu.stream.synchronize()
    assert back.array[:8].tolist() == list(range(4, 12))
    assert (host.device_pointer != 0) is mapped
    array = host.array
    del host
    assert array.tolist() == list(range(16)), "the array holds the memory"
    with pytest.raises(ValueError, match="bytes must be 1 or more"):
        cuda.HostBuffer(0)
    with pytest.raises(ValueError, match="must not be pointer 0"):
        cuda.copy(there.pointer, 0, 16, handle)
    with pytest.raises(ValueError, match="not 0, the default stream"):
        cuda.copy(there.pointer, back.pointer, 16, 0)


def test_a_stream_waits_for_what_another_was_given(on_cpu):
    native, cuda, first, second = on_cpu.native, on_cpu.cuda, on_cpu.stream, on_cpu.cuda.Stream()
    source, middle, target = (cuda.HostBuffer(4) for _ in range(3))
    source.array[:], middle.array[:], target.array[:] = 7, 0, 0
    native.set_lazy(True)
    try:
        cuda.copy(middle.pointer, source.pointer, 4, first.handle)
        cuda.wait_for(second.handle, first.handle)
        cuda.copy(target.pointer, middle.pointer, 4, second.handle)
        assert target.array.tolist() == [0] * 4
        event = cuda.Event(blocking=True)
        event.record(second.handle)
        event.synchronize()
        assert target.array.tolist() == [7] * 4
    finally:
        native.set_lazy(False)
    with pytest.raises(ValueError, match="not 0, the default stream"):
        cuda.wait_for(second.handle, 0)


def test_a_capture_can_be_abandoned(on_cpu):
    cuda, handle = on_cpu.cuda, on_cpu.handle
    buffer = cuda.Buffer(4)
    buffer.fill(1, handle)
    cuda.Graph.begin_capture(handle)
    buffer.fill(2, handle)
    cuda.Graph.abandon_capture(handle)
    cuda.Graph.abandon_capture(handle)  # there is none any more
    found = np.empty(4, np.uint8)
    buffer.download(found, handle)
    assert found.tolist() == [1] * 4


def test_a_failed_call_is_a_device_error_with_call_and_place(on_cpu):
    with pytest.raises(DeviceError, match=r"cudaErrorMemoryAllocation: .* in cudaMalloc\(&data_"):
        on_cpu.cuda.Buffer(1 << 40)
    with pytest.raises(DeviceError, match=r"at csrc/cuda/device\.cpp:\d+"):
        on_cpu.cuda.use_device(7)


@pytest.mark.skipif(not _native.cuda_built(), reason="this build holds no CUDA kernels")
@pytest.mark.skipif(_native.device_count() > 0, reason="there is a CUDA device")
def test_without_a_device_every_call_to_it_says_why():
    status = _native.cuda_status()
    assert status["devices"] == 0
    assert status["error"].startswith("cudaError")
    assert status["runtime_version"] >= 11000
    for call in (lambda: _native.cuda.Buffer(16), _native.cuda.Stream, _native.cuda.Event):
        with pytest.raises(DeviceError, match=r"cudaError.*csrc/cuda/"):
            call()
    with pytest.raises(DeviceError, match=r"cudaLaunchKernelEx|cudaMemsetAsync"):
        decode(_native)
    assert _native.cuda_status() == status


def test_a_build_without_kernels_says_so():
    status = _native.cuda_status()
    assert status["cuda_built"] == _native.cuda_built() == hasattr(_native, "cuda")
    if not _native.cuda_built():
        assert status["error"] == "this build holds no CUDA kernels"
