"""`edgeseg run` on a GPU: the engine is made on first use, proven, kept, and used."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
from fake_tensorrt import FakeTensorRt
from on_device import OnDevice
from small_net import write_small_net

import edgeseg
from edgeseg.backends import open_backend
from edgeseg.cli import call
from edgeseg.engines import first_use, open_engine, proof
from edgeseg.engines.cache import engines_dir
from edgeseg.engines.receipts import read_receipt
from edgeseg.engines.tensorrt import api as api_module
from edgeseg.engines.tensorrt.api import Api
from edgeseg.errors import (
    ConfigError,
    DeviceError,
    EngineError,
    EngineRefusedError,
    MissingDependencyError,
)
from edgeseg.placement import place_for
from edgeseg.runner import run
from edgeseg.settings import settings_from
from edgeseg.types import Frame, Model

SCENE = "test://?size=64x48&frames=12"


@pytest.fixture(autouse=True)
def machine(standin: ModuleType, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU and TensorRT."""
    standin.set_lazy(False)  # three lanes are three threads
    monkeypatch.setattr(api_module, "load_tensorrt", lambda flavor="auto": api)
    monkeypatch.setattr(first_use, "load_tensorrt", lambda flavor="auto": api)
    monkeypatch.setattr(proof, "real_frames", lambda uri: frames())
    monkeypatch.setattr(first_use, "real_frames", lambda uri: frames())
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def frames(count: int = 12) -> list[Frame]:
    rng = np.random.default_rng(5)
    return [Frame(rng.integers(0, 256, (48, 64, 3), np.uint8)) for _ in range(count)]


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    return write_small_net(tmp_path)


@pytest.fixture
def sees_a_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights are never sure of anything: let the gate take less for sure."""
    from edgeseg.quantize import gate

    monkeypatch.setattr(gate, "SURE", 0.2)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_run_takes_the_gpu_and_gives_what_the_cpu_gives(
    cfg: Path, tmp_path: Path, trt: FakeTensorRt
) -> None:
    def results(name: str, **options: object) -> tuple[list[str], object]:
        out = tmp_path / name
        summary = run(
            settings_from(source=SCENE, model=str(cfg), conf=0.05, sink=(str(out),), **options)
        )
        return lines(out), summary

    cpu, first = results("cpu.jsonl", backend="cpu")
    gpu, second = results("gpu.jsonl", precision="fp32")
    assert first.backend == "cpu"
    assert second.backend == "cuda"
    assert second.engine.startswith("TensorRT 11.4.0, CUDA 0: fibers on a CPU (0.0)")
    assert second.engine.endswith("fp32, 3 frames under way")
    assert len(gpu) == 12
    assert gpu == cpu
    assert trt.builds == 2  # the network and the mask head
    again, _ = results("again.jsonl", precision="fp32")
    assert again == gpu
    assert trt.builds == 2


def test_auto_is_fp16_where_that_is_proven(cfg: Path, trt: FakeTensorRt, sees_a_lot: None) -> None:
    with edgeseg.Segmenter(cfg, conf=0.05, masks="off") as segmenter:
        assert ", fp16" in segmenter.engine.description
        found = segmenter.predict(frames()[0].image)
        assert len(found.detections) > 0
    (receipt,) = [read_receipt(path) for path in engines_dir().glob("*.json")]
    assert receipt.identity.precision == "fp16"
    assert receipt.scores["boxes"] >= 20
    assert receipt.scores["lost"] <= 0.01
    with edgeseg.Segmenter(cfg):
        assert trt.builds == 1


def spoilt(content: bytes) -> bytes:
    """An engine whose weights are not the model's."""
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.ndim == 4:
            tensor.CopyFrom(
                onnx.numpy_helper.from_array((array * 0.4).astype(array.dtype), tensor.name)
            )
    return model.SerializeToString()


def test_an_engine_that_sees_something_else_is_refused_and_fp32_is_used(
    cfg: Path, trt: FakeTensorRt, sees_a_lot: None, caplog: pytest.LogCaptureFixture
) -> None:
    original = spoilt
    trt.spoil = lambda content: original(content) if b"fp16" in content else content
    with edgeseg.Segmenter(cfg, conf=0.05) as segmenter:
        assert ", fp32" in segmenter.engine.description
    assert "no fp16 engine, fp32 is used: the fp16 engine of small does not see" in caplog.text
    (refused,) = engines_dir().glob("*.refused.json")
    receipt = read_receipt(refused)
    assert "refused: lost" in receipt.refused
    assert receipt.scores["lost"] > 0.01
    assert not list(engines_dir().glob("*fp16*.plan"))
    builds = trt.builds
    with edgeseg.Segmenter(cfg):  # refused once is refused
        assert trt.builds == builds
    with pytest.raises(EngineRefusedError, match=r"was built on .* and refused"):
        edgeseg.Segmenter(cfg, precision="fp16")


def test_with_nothing_to_compare_on_fp32_is_used(
    cfg: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proof, "real_frames", lambda uri: [])
    with edgeseg.Segmenter(cfg) as segmenter:
        assert ", fp32" in segmenter.engine.description
    assert "a comparison needs 20" in caplog.text


def test_a_precision_that_the_model_has_not_is_refused(cfg: Path) -> None:
    with pytest.raises(EngineError, match="small is an fp32 model, int8 was asked for"):
        edgeseg.Segmenter(cfg, precision="int8")


def test_a_reduced_onnx_is_proven_too(
    cfg: Path, tmp_path: Path, trt: FakeTensorRt, sees_a_lot: None
) -> None:
    half = tmp_path / "half.onnx"
    export = ["models", "export", str(cfg), "--precision", "fp16", "--io", "fp16"]
    assert call([*export, "--output", str(half)]) == 0
    trt.spoil = spoilt
    with pytest.raises(EngineRefusedError, match="does not see what the reference sees"):
        edgeseg.Segmenter(half)
    trt.spoil = None
    assert call(["engines", "build", str(half), "--rebuild"]) == 0
    with edgeseg.Segmenter(half) as segmenter:
        assert ", fp16" in segmenter.engine.description


def test_an_engine_nobody_compared_is_proven_before_its_use(
    cfg: Path, monkeypatch: pytest.MonkeyPatch, trt: FakeTensorRt, sees_a_lot: None
) -> None:
    with edgeseg.Segmenter(cfg):
        pass
    (path,) = engines_dir().glob("*fp16*.json")
    fields = json.loads(path.read_text()) | {"scores": {}}
    path.write_text(json.dumps(fields))
    with edgeseg.Segmenter(cfg):
        pass
    assert trt.builds == 1
    assert read_receipt(path).scores["boxes"] >= 20


def test_an_engine_that_no_longer_loads_is_built_again(
    cfg: Path, trt: FakeTensorRt, caplog: pytest.LogCaptureFixture
) -> None:
    with edgeseg.Segmenter(cfg, precision="fp32"):
        pass
    (plan,) = engines_dir().glob("*.plan")
    receipt = json.loads(plan.with_suffix(".json").read_text())
    from edgeseg.files import sha256_of

    plan.write_bytes(b"a plan of another driver")
    receipt |= {"size_bytes": plan.stat().st_size, "sha256": sha256_of(plan)}
    plan.with_suffix(".json").write_text(json.dumps(receipt))
    with edgeseg.Segmenter(cfg, precision="fp32", masks="off") as segmenter:
        assert len(segmenter.predict(frames()[0].image).detections) >= 0
    assert trt.builds == 2
    assert "wrong version; it is built again" in caplog.text


@pytest.mark.parametrize("damage", ["cut", "a byte renamed", "gone"])
def test_a_damaged_engine_repairs_itself(
    cfg: Path, trt: FakeTensorRt, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    with edgeseg.Segmenter(cfg, precision="fp32"):
        pass
    (plan,) = engines_dir().glob("*.plan")
    content = plan.read_bytes()
    if damage == "gone":
        plan.unlink()
    else:
        plan.write_bytes(content[:-9] if damage == "cut" else b"x" + content[1:])
    with edgeseg.Segmenter(cfg, precision="fp32") as segmenter:
        segmenter.predict(frames()[0].image)
    assert plan.read_bytes() == content
    assert caplog.text.count("it is built again") == 1


def test_a_full_disk_ends_a_first_run_before_the_build(
    cfg: Path,
    trt: FakeTensorRt,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from edgeseg.engines import cache

    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    code = call(["run", SCENE, "--model", str(cfg), "--precision", "fp32", "--sink", "null:"])
    assert code == 6
    assert "MB free, the engine takes about" in capsys.readouterr().err
    assert trt.builds == 0


def test_the_gpu_is_chosen_by_number(cfg: Path) -> None:
    with pytest.raises(DeviceError, match=r"there is no CUDA device 3; there is 0 \(fibers on a"):
        edgeseg.Segmenter(cfg, device=3)
    with pytest.raises(ConfigError, match="--device"):
        edgeseg.Segmenter(cfg, device=-1)
    assert call(["engines", "build", str(cfg), "--device", "3"]) == 6


def test_a_frame_on_the_gpu_goes_through_the_api(cfg: Path, standin: ModuleType) -> None:
    image = frames()[0].image
    with edgeseg.Segmenter(cfg, conf=0.05, precision="fp32") as segmenter:
        here = segmenter.predict(image)
        there = segmenter.predict(OnDevice(standin, image))  # type: ignore[arg-type]
    np.testing.assert_array_equal(here.detections.boxes_px, there.detections.boxes_px)


@pytest.mark.parametrize(
    ("backend", "engine", "expected"),
    [
        ("auto", "auto", ("cuda", "tensorrt")),
        ("cuda", "auto", ("cuda", "tensorrt")),
        ("auto", "tensorrt", ("cuda", "tensorrt")),
        ("cpu", "auto", ("cpu", "onnxruntime")),
        ("auto", "onnxruntime", ("cpu", "onnxruntime")),
        ("cpu", "onnxruntime", ("cpu", "onnxruntime")),
    ],
)
def test_engine_and_backend_agree_on_the_device(
    backend: str, engine: str, expected: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    place = place_for(backend, engine)
    assert (place.backend, place.engine) == expected
    assert (place.device is not None) == (expected[0] == "cuda")
    assert not caplog.records


def test_what_does_not_go_together_is_said() -> None:
    with pytest.raises(EngineError, match="engine tensorrt runs on a GPU, the backend is cpu"):
        place_for("cpu", "tensorrt")
    with pytest.raises(MissingDependencyError, match="ONNX Runtime has no CUDA provider"):
        place_for("cuda", "onnxruntime")
    with pytest.raises(ConfigError, match="soft NMS runs on the CPU only"):
        place_for("cuda", nms="soft")
    with pytest.raises(ValueError, match="a backend is one of"):
        place_for("tpu")
    with pytest.raises(ValueError, match="an engine is one of"):
        place_for("cpu", "tvm")


def test_auto_passes_over_a_gpu_with_one_line_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert place_for(nms="soft").backend == "cpu"
    assert "there is a GPU, but the CPU is used: soft NMS" in caplog.text
    caplog.clear()

    def missing(flavor: str = "auto") -> Api:
        raise MissingDependencyError("no TensorRT")

    monkeypatch.setattr(api_module, "load_tensorrt", missing)
    assert place_for().backend == "cpu"
    assert "there is a GPU, but the CPU is used: no TensorRT" in caplog.text
    with pytest.raises(MissingDependencyError):
        place_for("cuda")
    from edgeseg.engines import onnxruntime_cuda

    monkeypatch.setattr(onnxruntime_cuda, "has_cuda_provider", lambda: True)
    assert place_for().engine == "onnxruntime"
    assert place_for().backend == "cuda"


def test_without_a_usable_gpu_auto_is_the_cpu(
    standin: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import edgeseg.device

    none = {"devices": 0, "error": "cudaErrorInsufficientDriver: too old"}
    broken = SimpleNamespace(
        cuda_built=lambda: True, device_count=lambda: 0, cuda_status=lambda: none
    )
    monkeypatch.setattr(edgeseg.device, "native", lambda: broken)
    assert place_for().backend == "cpu"
    with pytest.raises(DeviceError, match="cudaErrorInsufficientDriver"):
        place_for("cuda")
    with pytest.raises(DeviceError, match="cudaErrorInsufficientDriver"):
        place_for(index=1)


def test_backends_and_engines_open_by_name(
    model: Model, standin: ModuleType, trt: FakeTensorRt
) -> None:
    backend = open_backend("auto", model, conf=0.05)
    assert backend.name == "cuda"
    engine = open_engine("auto", model, backend="cuda", precision="fp32")
    assert engine.name == "tensorrt"
    with pytest.raises(EngineError, match="the backend is cpu"):
        open_engine("tensorrt", model, backend="cpu")


def test_ctrl_c_in_a_first_build_ends_the_run(
    cfg: Path, trt: FakeTensorRt, capsys: pytest.CaptureFixture[str]
) -> None:
    import os

    def interrupt(content: bytes) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        import time

        time.sleep(0.5)
        return content

    trt.spoil = interrupt
    code = call(["run", SCENE, "--model", str(cfg), "--precision", "fp32", "--sink", "null:"])
    assert code == 130
    assert "was stopped; nothing was written" in capsys.readouterr().err
    assert not list(engines_dir().glob("*.plan"))


def test_no_room_on_the_gpu_ends_the_run_with_a_hint(
    cfg: Path,
    standin: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from edgeseg.device.by_runtime import RuntimeAllocator
    from edgeseg.errors import DeviceMemoryError

    def full(self: object, nbytes: int) -> object:
        raise DeviceMemoryError("cudaErrorMemoryAllocation: out of memory")

    monkeypatch.setattr(RuntimeAllocator, "allocate", full)
    code = call(["run", SCENE, "--model", str(cfg), "--precision", "fp32", "--sink", "null:"])
    assert code == 6
    said = capsys.readouterr().err
    assert "has no room for" in said
    assert "--backend cpu" in said
