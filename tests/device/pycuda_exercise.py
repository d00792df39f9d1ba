"""Runs beside the real pycuda and the driver of host memory: every call, then the whole chain.

`python pycuda_exercise.py BY_PYCUDA.py [ONNX]`: the module to test, and a model
to see pictures with.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import edgeseg.device
from edgeseg.errors import DeviceError, DeviceMemoryError

State = ctypes.c_int * 6
DRIVER = ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)  # an empty one was linked


def state() -> list[int]:
    """Retained, allocations, streams, events, other contexts, contexts of this thread."""
    found = State()
    DRIVER.host_driver_state(found)
    return list(found)


def load(path: str) -> object:
    spec = importlib.util.spec_from_file_location("edgeseg.device.by_pycuda", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def calls(module: object) -> None:
    allocator = module.PycudaAllocator(0)
    assert allocator.name == "pycuda 2026.1"
    with allocator.active(), allocator.active():
        assert state()[5] == 1, "the same context is not stacked by pycuda"
        memory = allocator.allocate(1000)
        assert memory.nbytes == 1000
        assert memory.pointer % 256 == 0
        pinned = allocator.allocate_host(64, mapped=False)
        mapped = allocator.allocate_host(64, mapped=True)
        assert pinned.device_pointer == 0
        assert mapped.device_pointer == mapped.pointer == mapped.array.ctypes.data
        mapped.array[:] = 7
        assert ctypes.string_at(mapped.device_pointer, 64) == b"\7" * 64
        stream, event = allocator.stream(), allocator.event()
        assert stream.handle != 0
        event.record(stream)
        event.synchronize()
        stream.synchronize()
        assert allocator.free_memory() == (3 << 30, 4 << 30)
        with pytest.raises(DeviceMemoryError, match=r"pycuda: .*out of memory"):
            allocator.allocate((1 << 32) + 1)
    assert state() == [1, 3, 1, 1, 0, 0]
    elsewhere(allocator)
    with allocator.active():
        memory.free()
        memory.free()
        pinned.free()
        mapped.free()
        del stream, event
    assert state() == [1, 0, 0, 0, 0, 0]
    with pytest.raises(DeviceError, match="pycuda: "):
        module.PycudaAllocator(1)


def elsewhere(allocator: object) -> None:
    """Memory made in one thread is used and freed in another."""
    held: list[object] = []

    def make() -> None:
        with allocator.active():
            held.append(allocator.allocate(8))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    with allocator.active():
        held[0].free()


def chain(path: str) -> None:
    from fake_tensorrt import fake_api
    from kernels_on_cpu.build import kernels_on_cpu

    from edgeseg.backends import stations
    from edgeseg.backends.cpu import CpuBackend
    from edgeseg.backends.cuda import CudaBackend
    from edgeseg.backends.options import DetectOptions
    from edgeseg.engines.onnxruntime import OnnxRuntimeEngine
    from edgeseg.engines.tensorrt.runtime import TensorRtEngine
    from edgeseg.models.onnx_model import read_model
    from edgeseg.types import Frame

    native = kernels_on_cpu()
    edgeseg.device.native = lambda: native
    model, options = read_model(Path(path)), DetectOptions(conf=0.05)
    for shared in (False, True):
        native.set_integrated(shared)
        device = edgeseg.device.open_device()
        assert device.description.endswith("by pycuda 2026.1")
        engine = TensorRtEngine(model, model.onnx_path, fake_api(native), device)
        backend, cpu = CudaBackend(model, device, options), CpuBackend(model, options)
        gpu, ort = stations(backend, engine), OnnxRuntimeEngine(model, threads=1)
        for seed in range(4):
            frame = Frame(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8))
            batch = gpu.preprocess(frame)
            found = gpu.detect(gpu.infer(batch), batch.letterboxes[0])
            host = cpu.preprocess(frame)
            expected = cpu.detect(ort.infer(host), host.letterboxes[0])
            assert len(expected) > 0
            np.testing.assert_array_equal(found.boxes_px, expected.boxes_px)
            np.testing.assert_array_equal(found.scores, expected.scores)
        gpu.close()
        engine.close()
        backend.close()
        with device.active():
            del gpu, engine, backend
            gc.collect()
        assert state() == [1, 0, 0, 0, 0, 0], state()


calls(load(sys.argv[1]))
if len(sys.argv) > 2:
    chain(sys.argv[2])
print("done")
