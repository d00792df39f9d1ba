"""The whole way over a GPU gives what the CPU gives, bit for bit."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_tensorrt import FakeTensorRt
from on_device import OnDevice

from edgeseg.backends.chain import GRAPHS, Chain
from edgeseg.backends.cpu import CpuBackend
from edgeseg.backends.cuda import CudaBackend
from edgeseg.backends.options import DetectOptions
from edgeseg.device import CudaDevice
from edgeseg.device.arrays import DevicePicture
from edgeseg.engines.onnxruntime import OnnxRuntimeEngine
from edgeseg.engines.onnxruntime_cuda import OnnxRuntimeCudaEngine
from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.runtime import TensorRtEngine
from edgeseg.errors import ConfigError, DeviceMemoryError, EngineError
from edgeseg.models import open_model
from edgeseg.pipeline import Lane
from edgeseg.quantize.recipe import Recipe
from edgeseg.types import Detections, Frame, Model

OPTIONS = DetectOptions(conf=0.05)


def picture(seed: int, size_px: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size_px[1], size_px[0], 3), np.uint8)


def on_cpu(model: Model, options: DetectOptions = OPTIONS) -> Any:
    """Give what the CPU sees in a frame."""
    backend, engine = CpuBackend(model, options), OnnxRuntimeEngine(model, threads=1)

    def perceive(frame: Frame) -> Detections:
        batch = backend.preprocess(frame)
        return backend.detect(engine.infer(batch), batch.letterboxes[0])

    return perceive


def lane(model: Model, chain: Chain) -> Lane[Any, Any]:
    return Lane(chain.preprocess, chain.infer, chain.detect, model.class_names)


def assert_same(found: Detections, expected: Detections) -> None:
    np.testing.assert_array_equal(found.boxes_px, expected.boxes_px)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)


@pytest.fixture
def engine(model: Model, api: Api, device: CudaDevice) -> Iterator[TensorRtEngine]:
    engine = TensorRtEngine(model, model.onnx_path, api, device)
    yield engine
    engine.close()


def test_detections_are_those_of_the_cpu_bit_for_bit(
    model: Model, device: CudaDevice, engine: TensorRtEngine
) -> None:
    expected = on_cpu(model)
    chain = Chain(CudaBackend(model, device, OPTIONS), engine)
    see = lane(model, chain).perceive
    objects = 0
    for seed in range(6):
        frame = Frame(picture(seed), seed)
        found = see(frame).detections
        assert_same(found, expected(frame))
        objects += len(found)
    assert objects > 20
    assert chain.launches == 5
    assert chain.graph_problem == ""


@pytest.mark.parametrize(
    "options",
    [
        DetectOptions(conf=0.02, labels="best"),
        DetectOptions(conf=0.02, nms="diou", agnostic=True),
        DetectOptions(conf=0.02, class_ids=frozenset({1})),
        DetectOptions(conf=0.02, max_detections=3, iou=0.2),
        DetectOptions(conf=0.999),
    ],
    ids=str,
)
def test_every_option_means_what_it_means_on_the_cpu(
    model: Model, card: CudaDevice, api: Api, options: DetectOptions
) -> None:
    chain = Chain(
        CudaBackend(model, card, options), TensorRtEngine(model, model.onnx_path, api, card)
    )
    expected = on_cpu(model, options)
    for seed in range(3):
        frame = Frame(picture(seed))
        assert_same(lane(model, chain).perceive(frame).detections, expected(frame))


def test_stations_one_by_one_give_the_same(
    model: Model, device: CudaDevice, engine: TensorRtEngine
) -> None:
    backend, expected = CudaBackend(model, device, OPTIONS), on_cpu(model)
    for seed in range(3):
        frame = Frame(picture(seed))
        batch = backend.preprocess(frame)
        found = backend.detect(engine.infer(batch), batch.letterboxes[0])
        assert_same(found, expected(frame))
    backend.close()


def test_soft_nms_is_refused(model: Model, card: CudaDevice) -> None:
    with pytest.raises(ConfigError, match="soft NMS runs on the CPU only"):
        CudaBackend(model, card, DetectOptions(nms="soft"))


def test_frames_of_any_sizes_and_strides_share_the_graphs(
    model: Model, device: CudaDevice, engine: TensorRtEngine
) -> None:
    chain, expected = Chain(CudaBackend(model, device, OPTIONS), engine), on_cpu(model)
    see = lane(model, chain).perceive
    sizes = [(64, 48), (32, 80), (64, 48), (200, 100), (64, 48), (64, 48), (32, 80), (32, 80)]
    for seed, size_px in enumerate(sizes):
        image = picture(seed, (size_px[0] * 2, size_px[1]))[:, ::2]
        assert_same(see(Frame(image)).detections, expected(Frame(image)))
    assert chain.launches > 0
    for seed in range(3 * GRAPHS):
        image = picture(seed, (40 + seed, 30))
        assert_same(see(Frame(image)).detections, expected(Frame(image)))


def test_nothing_is_allocated_once_a_size_is_known(
    model: Model, device: CudaDevice, engine: TensorRtEngine, standin: ModuleType
) -> None:
    chain = Chain(CudaBackend(model, device, OPTIONS), engine)
    see = lane(model, chain).perceive
    for seed in range(2):
        see(Frame(picture(seed)))
    before = standin.bytes_allocated()
    for seed in range(4):
        see(Frame(picture(seed)))
    assert standin.bytes_allocated() == before


def test_all_memory_is_given_back(
    model: Model, device: CudaDevice, api: Api, standin: ModuleType
) -> None:
    gc.collect()
    before = standin.bytes_allocated()
    engine = TensorRtEngine(model, model.onnx_path, api, device)
    backend = CudaBackend(model, device, OPTIONS)
    chain = Chain(backend, engine)
    for seed in range(3):
        lane(model, chain).perceive(Frame(picture(seed)))
    assert standin.bytes_allocated() > before
    chain.close()
    backend.close()
    engine.close()
    del chain, backend, engine
    gc.collect()
    assert standin.bytes_allocated() == before


def test_the_copies_are_counted(model: Model, device: CudaDevice, engine: TensorRtEngine) -> None:
    backend = CudaBackend(model, device, OPTIONS)
    frame = Frame(picture(1))
    lane(model, Chain(backend, engine)).perceive(frame)
    up, down = backend.stage(frame).upload_bytes, backend.bytes_down
    assert (up, down) == ((0, 0) if device.mapped else (64 * 48 * 3, 16 + 300 * 32))


def test_a_broken_capture_is_said_once_and_frames_go_on(
    model: Model,
    device: CudaDevice,
    engine: TensorRtEngine,
    standin: ModuleType,
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain, expected = Chain(CudaBackend(model, device, OPTIONS), engine), on_cpu(model)
    standin.break_next_capture()
    for seed in range(4):
        frame = Frame(picture(seed))
        assert_same(lane(model, chain).perceive(frame).detections, expected(frame))
    assert chain.launches == 0
    assert "cudaErrorStreamCaptureInvalidated" in chain.graph_problem
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert line.startswith("no CUDA graph, frames are launched step by step: ")


def test_an_rtx_engine_that_cannot_be_captured_is_not(
    model: Model, card: CudaDevice, standin: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    from fake_tensorrt import fake_api

    api = fake_api(standin, rtx=True)
    api.trt.capturable = False  # type: ignore[attr-defined]
    engine = TensorRtEngine(model, model.onnx_path, api, card)
    chain = Chain(CudaBackend(model, card, OPTIONS), engine)
    for seed in range(3):
        frame = Frame(picture(seed))
        assert_same(lane(model, chain).perceive(frame).detections, on_cpu(model)(frame))
    assert chain.launches == 0
    assert "cannot be captured" in caplog.text


def test_an_open_batch_runs_with_one_frame_at_a_time(
    model: Model, card: CudaDevice, api: Api
) -> None:
    cfg = next(model.onnx_path.parents[2].glob("*.cfg"))
    open_batch = open_model(cfg, batch=None)
    engine = TensorRtEngine(open_batch, open_batch.onnx_path, api, card)
    chain = Chain(CudaBackend(open_batch, card, OPTIONS), engine)
    for seed in range(3):
        frame = Frame(picture(seed))
        assert_same(lane(model, chain).perceive(frame).detections, on_cpu(model)(frame))
    assert chain.launches == 2


@pytest.mark.parametrize("io", ["fp32", "fp16"])
def test_half_precision_ends_go_through(model: Model, card: CudaDevice, api: Api, io: Any) -> None:
    cfg = next(model.onnx_path.parents[2].glob("*.cfg"))
    half = open_model(cfg, recipe=Recipe("fp16", io=io))
    engine = TensorRtEngine(half, half.onnx_path, api, card)
    assert engine.input_dtype == {"fp32": "float32", "fp16": "float16"}[io]
    chain = Chain(CudaBackend(half, card, OPTIONS), engine)
    for seed in range(3):
        frame = Frame(picture(seed))
        assert_same(lane(half, chain).perceive(frame).detections, on_cpu(half)(frame))


def test_three_slots_at_once_give_the_frames_of_one(
    model: Model, device: CudaDevice, api: Api, standin: ModuleType, trt: FakeTensorRt
) -> None:
    standin.set_lazy(False)  # the stand-in's queues are one thread's
    engine = TensorRtEngine(model, model.onnx_path, api, device, throughput=True)
    assert engine.lanes == 3
    chains = [
        Chain(CudaBackend(model, device, OPTIONS), engine, slot=slot)
        for slot in range(engine.lanes)
    ]
    expected = [on_cpu(model)(Frame(picture(seed))) for seed in range(18)]
    found: dict[int, Detections] = {}

    def work(number: int) -> None:
        for seed in range(number, 18, 3):
            found[seed] = lane(model, chains[number]).perceive(Frame(picture(seed))).detections

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(18):
        assert_same(found[seed], expected[seed])
    assert len(trt.engines[-1].contexts) == 3
    assert [chain.launches for chain in chains] == [5, 5, 5]


def test_a_frame_on_the_gpu_is_read_where_it_is(
    model: Model, card: CudaDevice, api: Api, standin: ModuleType
) -> None:
    backend = CudaBackend(model, card, OPTIONS)
    chain = Chain(backend, TensorRtEngine(model, model.onnx_path, api, card))
    expected = on_cpu(model)
    held = [OnDevice(standin, picture(seed), pitch=256 * (seed % 2)) for seed in range(3)]
    for _ in range(3):
        for seed, theirs in enumerate(held):
            frame = Frame(theirs)  # type: ignore[arg-type]
            assert frame.size_px == (64, 48)
            pixels = backend.stage(frame)
            assert (pixels.pointer, pixels.upload_bytes) == (theirs.buffer.pointer, 0)
            found = lane(model, chain).perceive(frame)
            assert_same(found.detections, expected(Frame(picture(seed))))
            np.testing.assert_array_equal(np.asarray(frame.image), picture(seed))
    assert chain.launches == 6


def test_a_frame_that_is_still_being_made_is_waited_for(
    model: Model, card: CudaDevice, api: Api, standin: ModuleType
) -> None:
    chain = Chain(
        CudaBackend(model, card, OPTIONS), TensorRtEngine(model, model.onnx_path, api, card)
    )
    theirs = OnDevice(standin, picture(0), stream=True)
    late = standin.cuda.Buffer(64 * 48 * 3)
    late.upload(picture(7), theirs.stream.handle)
    late.copy_to(theirs.buffer, theirs.stream.handle)  # enqueued, not done
    found = lane(model, chain).perceive(Frame(theirs)).detections  # type: ignore[arg-type]
    assert_same(found, on_cpu(model)(Frame(picture(7))))


@pytest.mark.parametrize(
    "told",
    [
        {"shape": (4, 4, 4)},
        {"shape": (4, 4)},
        {"typestr": "<f4"},
        {"strides": (12, 4, 1)},
        {"strides": (8, 3, 1)},
        {"shape": (0, 4, 3)},
    ],
)
def test_another_kind_of_array_on_the_gpu_is_refused(told: dict[str, Any]) -> None:
    whole = {"shape": (4, 4, 3), "typestr": "|u1", "data": (4096, False), "version": 3}
    with pytest.raises(ValueError, match="a frame"):
        Frame(SimpleNamespace(__cuda_array_interface__=whole | told))  # type: ignore[arg-type]


def test_a_frame_on_the_gpu_is_not_for_the_cpu(model: Model, standin: ModuleType) -> None:
    frame = Frame(OnDevice(standin, picture(0)))  # type: ignore[arg-type]
    assert isinstance(frame.image, DevicePicture)
    with pytest.raises(ValueError, match="lies on the GPU, the backend is cpu"):
        CpuBackend(model).preprocess(frame)


def test_what_the_engine_says_is_in_the_error(
    model: Model, card: CudaDevice, api: Api, trt: FakeTensorRt
) -> None:
    chain = Chain(
        CudaBackend(model, card, OPTIONS), TensorRtEngine(model, model.onnx_path, api, card)
    )
    lane(model, chain).perceive(Frame(picture(0)))
    trt.fail = "Cask convolution execution"
    with pytest.raises(EngineError, match=r"TensorRT 11\.4\.0 failed: Cask convolution"):
        lane(model, chain).perceive(Frame(picture(1)))


def test_a_plan_that_does_not_load_has_the_reason(
    model: Model, card: CudaDevice, api: Api, trt: FakeTensorRt
) -> None:
    trt.broken_plans = True
    with pytest.raises(EngineError, match=r"cannot load .*wrong version"):
        TensorRtEngine(model, model.onnx_path, api, card)
    with pytest.raises(EngineError, match="cannot be read: No such file"):
        TensorRtEngine(model, model.onnx_path.with_suffix(".plan"), api, card)


def test_a_plan_of_another_model_is_refused(model: Model, card: CudaDevice, api: Api) -> None:
    import dataclasses

    two_heads = dataclasses.replace(model, heads=model.heads * 2)
    with pytest.raises(EngineError, match="has 1 inputs and 1 outputs, small has 1 and 2"):
        TensorRtEngine(two_heads, model.onnx_path, api, card)
    spec = dataclasses.replace(model.heads[0], classes=5)
    other = dataclasses.replace(model, heads=(spec,))
    engine = TensorRtEngine(other, model.onnx_path, api, card)
    with pytest.raises(EngineError, match="the model's head has 30 channels"):
        engine.infer(CudaBackend(other, card, OPTIONS).preprocess(Frame(picture(0))))
    four = dataclasses.replace(model, batch=4)
    with pytest.raises(EngineError, match="takes 4 pictures at a time"):
        TensorRtEngine(four, model.onnx_path, api, card)


def test_no_room_on_the_device_is_said_with_figures(card: CudaDevice) -> None:
    with card.active(), pytest.raises(DeviceMemoryError) as raised:
        card.allocate((1 << 32) + 1, "the network's heads")
    assert "has no room for the network's heads: 4295.0 MB were asked for" in raised.value.message
    assert "MB are free" in raised.value.message
    assert "--backend cpu" in (raised.value.hint or "")


def test_onnx_runtime_binds_to_the_devices_memory(model: Model, device: CudaDevice) -> None:
    """With the CPU's provider, whose memory is the stand-in's: the binding is the same."""
    device.native.set_lazy(False)  # ONNX Runtime on a CPU does not know the stand-in's streams
    engine = OnnxRuntimeCudaEngine(model, device, provider="CPUExecutionProvider")
    chain, expected = Chain(CudaBackend(model, device, OPTIONS), engine), on_cpu(model)
    for seed in range(3):
        frame = Frame(picture(seed))
        assert_same(lane(model, chain).perceive(frame).detections, expected(frame))
    assert chain.graph_problem == "ONNX Runtime's work cannot be captured"
    engine.close()
