"""The chain on a real GPU, without TensorRT: the same tests run over the stand-in."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.backends.chain import Chain
from edgeseg.backends.cpu import CpuBackend
from edgeseg.backends.cuda import CudaBackend
from edgeseg.backends.options import DetectOptions
from edgeseg.cli import call
from edgeseg.device import CudaDevice, open_device
from edgeseg.device.arrays import DeviceArray, DeviceBatch, DeviceHeads, Dtype
from edgeseg.engines.onnxruntime import OnnxRuntimeEngine
from edgeseg.errors import DeviceError, DeviceMemoryError
from edgeseg.selftest import on_cpu, on_gpu
from edgeseg.selftest.scenes import crowded_heads
from edgeseg.types import Batch, Detections, Frame, HeadSpec, Letterbox, Model

OPTIONS = DetectOptions(conf=0.05)


class HostMemoryEngine:
    """Takes heads from the host's memory: a network's, or prepared ones."""

    name = "host"
    description = "the host"
    lanes = 1
    input_dtype: Dtype = "float32"

    def __init__(self, device: CudaDevice, heads: list[np.ndarray], network: Any = None) -> None:
        self._device = device
        self._network = network
        with device.active():
            self._host = [device.allocate_host(head.nbytes, "heads") for head in heads]
            self._memory = [device.allocate(head.nbytes, "heads") for head in heads]
        self._heads = tuple(
            DeviceArray(memory.pointer, head.shape, "float32")
            for memory, head in zip(self._memory, heads, strict=True)
        )
        self._put(heads)

    def _put(self, heads: Any) -> None:
        for host, head in zip(self._host, heads, strict=True):
            host.array[: head.nbytes] = np.ascontiguousarray(head).view(np.uint8).reshape(-1)

    def infer(self, batch: DeviceBatch) -> DeviceHeads:
        cuda = self._device.cuda
        if self._network is not None:
            nbytes = batch.images.nbytes
            host, event = self._device.allocate_host(nbytes, "images"), cuda.Event()
            cuda.copy(host.pointer, batch.images.pointer, nbytes, batch.stream)
            event.record(batch.stream)
            event.synchronize()
            images = host.array[:nbytes].view(np.float32).reshape(batch.images.shape)
            self._put(self._network.infer(Batch(images, batch.letterboxes)))
        for host, array in zip(self._host, self._heads, strict=True):
            cuda.copy(array.pointer, host.pointer, array.nbytes, batch.stream)
        return DeviceHeads(self._heads, batch.stream)

    def capture_problem(self, stream: int) -> str:
        return "it runs on the host" if self._network is not None else ""

    def close(self) -> None:
        pass


def picture(seed: int, size_px: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size_px[1], size_px[0], 3), np.uint8)


def seen(chain: Chain, frame: Frame) -> Detections:
    batch = chain.preprocess(frame)
    return chain.detect(chain.infer(batch), batch.letterboxes[0])


def assert_same(found: Detections, expected: Detections) -> None:
    np.testing.assert_array_equal(found.boxes_px, expected.boxes_px)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)


def test_frames_go_through_the_gpu_as_through_the_cpu(model: Model, any_device: CudaDevice) -> None:
    network, cpu = OnnxRuntimeEngine(model, threads=1), CpuBackend(model, OPTIONS)
    empty = [np.zeros((1, 21, 8, 8), np.float32)]
    chain = Chain(
        CudaBackend(model, any_device, OPTIONS), HostMemoryEngine(any_device, empty, network)
    )
    sizes = [(64, 48), (64, 48), (200, 100), (33, 77), (64, 48)]
    for seed, size_px in enumerate(sizes):
        frame = Frame(picture(seed, size_px))
        batch = cpu.preprocess(frame)
        expected = cpu.detect(network.infer(batch), batch.letterboxes[0])
        assert len(expected) > 0
        assert_same(seen(chain, frame), expected)
    assert chain.graph_problem == "it runs on the host"


@pytest.mark.parametrize("options", [OPTIONS, DetectOptions(conf=0.03, class_ids=frozenset({1}))])
def test_a_graph_replays_the_whole_way(any_device: CudaDevice, options: DetectOptions) -> None:
    specs = (HeadSpec("yolo", ((10.0, 14.0), (23.0, 27.0), (37.0, 58.0)), 4),) * 2
    model = Model("heads", Path("heads.onnx"), (128, 96), specs, ("a", "b", "c", "d"))
    heads = crowded_heads(specs, model.input_px)
    engine = HostMemoryEngine(any_device, heads)
    backend = CudaBackend(model, any_device, options)
    chain = Chain(backend, engine)
    expected = CpuBackend(model, options).detect(heads, Letterbox.fit((64, 48), (128, 96)))
    assert len(expected) > 5
    for seed in range(6):
        assert_same(seen(chain, Frame(picture(seed))), expected)
    assert chain.launches == 5
    other = crowded_heads(specs, model.input_px, seed=1)
    engine._put(other)  # what lies there now is what a launch reads
    again = CpuBackend(model, options).detect(other, Letterbox.fit((64, 48), (128, 96)))
    assert_same(seen(chain, Frame(picture(9))), again)
    chain.close()
    backend.close()


def test_the_parts_are_the_cpus(any_device: CudaDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    if any_device.native.__name__ == "_native_on_cpu":
        monkeypatch.setattr(on_gpu, "SIZES_PX", ((64, 48), (33, 17)))  # it is slow
    for check in (on_gpu.device_found, on_gpu.letterbox_gpu, on_gpu.detect_gpu):
        found = check(any_device)
        assert found.ok, found.says


def test_no_room_is_an_error_that_ends_nothing(any_device: CudaDevice) -> None:
    with any_device.active():
        with pytest.raises(DeviceMemoryError, match="has no room for the moon"):
            any_device.allocate(1 << 50, "the moon")
        memory = any_device.allocate(1 << 20, "a little")
        memory.free()


def test_a_device_that_is_not_there_is_named(any_device: CudaDevice) -> None:
    with pytest.raises(DeviceError, match="there is no CUDA device 99; there is 0"):
        open_device(99)


@pytest.mark.needs_cuda
@pytest.mark.timeout(1200)
def test_the_selftest_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from small_net import write_small_net

    monkeypatch.chdir(tmp_path)
    code = call(["selftest", "--model", str(write_small_net(tmp_path)), "--frames", "30"])
    engines = [name for name in ("tensorrt", "tensorrt_rtx") if importlib.util.find_spec(name)]
    assert code in ((0, 8) if engines else (8,))


def test_the_cpus_own_checks_pass() -> None:
    for check in (on_cpu.letterbox_cpu, on_cpu.detect_cpu):
        found = check()
        assert found.ok, found.says
