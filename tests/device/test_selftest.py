"""`edgeseg selftest` tells a right machine from a wrong one, and no GPU from a bad one."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fake_tensorrt import FakeTensorRt
from small_net import write_small_net

import edgeseg.device
from edgeseg.cli import call
from edgeseg.engines import first_use, proof
from edgeseg.engines.tensorrt import api as api_module
from edgeseg.engines.tensorrt.api import Api
from edgeseg.errors import MissingDependencyError
from edgeseg.selftest import on_cpu, scenes
from edgeseg.types import Frame

RECEIPT = Path("edgeseg-out/selftest.json")


def frames() -> list[Frame]:
    return [Frame(scenes.noise((64, 48), seed), seed) for seed in range(12)]


@pytest.fixture(autouse=True)
def little_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures: the stand-in is slow."""
    monkeypatch.setattr(proof, "real_frames", lambda uri: frames())
    monkeypatch.setattr(on_cpu, "SIZES_PX", ((64, 48), (33, 17)))
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def gpu(standin: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    """A machine with a GPU, whose TensorRT can be broken."""
    from edgeseg.quantize import gate

    standin.set_lazy(False)
    monkeypatch.setattr(api_module, "load_tensorrt", lambda flavor="auto": api)
    monkeypatch.setattr(first_use, "load_tensorrt", lambda flavor="auto": api)
    monkeypatch.setattr(gate, "SURE", 0.2)  # random weights are never sure
    fake: FakeTensorRt = api.trt  # type: ignore[assignment]
    return fake


@pytest.fixture
def cfg(tmp_path: Path) -> str:
    return str(write_small_net(tmp_path))


def selftest(cfg: str, *more: str) -> tuple[int, dict[str, Any]]:
    code = call(["selftest", "--model", cfg, "--frames", "6", *more])
    return code, json.loads(RECEIPT.read_text())


def outcomes(receipt: dict[str, Any]) -> dict[str, str]:
    return {check["name"].split(" of ")[0]: check["state"] for check in receipt["checks"]}


def test_a_right_gpu_passes_and_the_receipt_says_all(
    gpu: FakeTensorRt, cfg: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, receipt = selftest(cfg)
    said = capsys.readouterr().out
    assert (code, receipt["state"]) == (0, "passed"), said
    assert set(outcomes(receipt).values()) == {"passed"}
    assert list(outcomes(receipt)) == [
        "letterbox on the CPU", "boxes on the CPU", "GPU", "letterbox on the GPU",
        "boxes on the GPU", "small engine", "engine", "its heads", "its boxes", "CUDA graph",
        "speed",
    ]  # fmt: skip
    figures = {check["name"]: check["figures"] for check in receipt["checks"]}
    assert figures["boxes on the GPU"]["boxes"] > 20
    assert figures["its boxes"]["passed"] is True
    assert figures["its boxes"]["lost"] == 0
    assert figures["CUDA graph"]["launches"] == 7
    assert figures["speed"]["frames"] == 6
    assert figures["speed"]["bytes_up"] == 64 * 48 * 3
    assert figures["speed"]["bytes_down"] == 16 + 300 * 32
    assert figures["speed"]["under_way"] == 3
    assert receipt["gpu"].startswith("CUDA 0: fibers on a CPU")
    assert "passed on CUDA 0" in said
    assert str(RECEIPT) in said


def test_json_prints_the_receipt(
    gpu: FakeTensorRt, cfg: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, receipt = selftest(cfg, "--json")
    assert code == 0
    assert json.loads(capsys.readouterr().out) == receipt


def spoilt_engine(gpu: FakeTensorRt, standin: ModuleType) -> str:
    import onnx

    def spoil(content: bytes) -> bytes:
        model = onnx.load_from_string(content)
        for tensor in model.graph.initializer:
            array = onnx.numpy_helper.to_array(tensor)
            if array.ndim == 4:
                worse = (array * 0.7).astype(array.dtype)
                tensor.CopyFrom(onnx.numpy_helper.from_array(worse, tensor.name))
        return model.SerializeToString()

    gpu.spoil = spoil
    return "small engine"


def broken_graph(gpu: FakeTensorRt, standin: ModuleType) -> str:
    original = standin.cuda.Graph.begin_capture

    def begin(stream: int) -> None:
        standin.break_next_capture()
        original(stream)

    standin.cuda.Graph.begin_capture = begin
    return "CUDA graph"


def failing_engine(gpu: FakeTensorRt, standin: ModuleType) -> str:
    gpu.fail = "an illegal memory access was encountered"
    return "small engine"


@pytest.mark.parametrize("break_it", [spoilt_engine, broken_graph, failing_engine])
def test_a_wrong_gpu_fails_by_name(
    gpu: FakeTensorRt, standin: ModuleType, cfg: str, break_it: Any
) -> None:
    before = standin.cuda.Graph.begin_capture
    name = break_it(gpu, standin)
    try:
        code, receipt = selftest(cfg, "--precision", "fp32")
    finally:
        standin.cuda.Graph.begin_capture = staticmethod(before)
    assert (code, receipt["state"]) == (1, "failed")
    assert outcomes(receipt)[name] == "failed"


def test_a_letterbox_or_a_box_that_differs_in_a_bit_fails(
    gpu: FakeTensorRt, cfg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseg.selftest import on_gpu

    class OneBitOff:
        def __getattr__(self, name: str) -> Any:
            return getattr(on_gpu_native, name)

        @staticmethod
        def letterbox(image: Any, out: Any, region: Any, **options: Any) -> None:
            on_gpu_native.letterbox(image, out, region, **options)
            out[0, 208, 208] = np.nextafter(out[0, 208, 208], np.float32(2))

    on_gpu_native = on_gpu._native
    monkeypatch.setattr(on_gpu, "_native", OneBitOff())
    code, receipt = selftest(cfg)
    assert code == 1
    assert outcomes(receipt)["letterbox on the GPU"] == "failed"


def test_without_a_gpu_it_says_so_with_a_code_of_its_own(
    cfg: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgeseg.errors import DeviceError

    monkeypatch.setattr(edgeseg.device, "no_device", lambda index=0: DeviceError("no driver"))
    code, receipt = selftest(cfg)
    assert (code, receipt["state"]) == (8, "no gpu")
    assert receipt["no_gpu"] == "no driver"
    assert set(outcomes(receipt).values()) == {"passed"}
    assert "no GPU was tested: no driver" in capsys.readouterr().out


def test_a_gpu_without_an_engine_is_incomplete(
    gpu: FakeTensorRt, cfg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(flavor: str = "auto") -> Api:
        raise MissingDependencyError("no TensorRT", hint="install it")

    monkeypatch.setattr(api_module, "load_tensorrt", missing)
    code, receipt = selftest(cfg)
    assert (code, receipt["state"]) == (8, "incomplete")
    assert outcomes(receipt)["letterbox on the GPU"] == "passed"
    assert outcomes(receipt)["engine"] == "skipped"


def test_a_cpu_that_is_wrong_fails(cfg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeseg.selftest import plain

    monkeypatch.setattr(on_cpu, "suppressed", lambda boxes, iou: plain.suppressed(boxes, 0.9))
    code, receipt = selftest(cfg)
    assert code == 1
    assert outcomes(receipt)["boxes on the CPU"] == "failed"


def test_wrong_options_and_places_are_said(cfg: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["selftest", "--frames", "0"]) == 2
    Path("file").write_text("")
    assert call(["selftest", "--model", cfg, "--frames", "1", "--output", "file/x.json"]) == 5
    assert "the receipt cannot be written" in capsys.readouterr().err
