"""Promises of the engine cache, with engines that TensorRT-RTX really builds."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trt_packages import fetch_rtx

from edgeseg.engines.cache import CachedEngine, cached_engine, engines_dir, identity_of
from edgeseg.engines.lock import locked
from edgeseg.engines.receipts import Identity, Receipt, read_receipt
from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.build import BuildOptions, Watch
from edgeseg.engines.tensorrt.device import Device
from edgeseg.errors import BuildCancelledError, EngineError, EngineRefusedError
from edgeseg.types import Model

Log = pytest.LogCaptureFixture
needs_rtx = pytest.mark.needs_network


@pytest.fixture
def built(rtx: Api, small_model: Model) -> CachedEngine:
    return cached_engine(small_model, rtx, None)


def stamp(engine: CachedEngine) -> tuple[int, int]:
    status = engine.plan.stat()
    return status.st_ino, status.st_mtime_ns


def leftovers() -> list[str]:
    return sorted(p.name for p in engines_dir().iterdir() if p.suffix not in (".plan", ".json"))


@needs_rtx
def test_an_engine_is_built_once(
    rtx: Api, small_model: Model, built: CachedEngine, caplog: Log
) -> None:
    first = stamp(built)
    again = cached_engine(small_model, rtx, None)
    assert stamp(again) == first
    assert again == built
    receipt = built.receipt
    assert receipt.identity.model_sha256 == small_model.sha256
    assert receipt.identity.tensorrt == rtx.name
    assert receipt.size_bytes == built.plan.stat().st_size
    assert receipt.build_s > 0
    assert receipt.peak_rss_bytes > 50 << 20
    assert read_receipt(built.plan.with_suffix(".json")) == receipt
    assert leftovers() == []
    assert not caplog.records


@needs_rtx
def test_another_batch_is_another_engine(rtx: Api, open_batch_model: Model) -> None:
    plans = {
        cached_engine(open_batch_model, rtx, None, options=BuildOptions(batches=batches)).plan
        for batches in ((1, 1, 1), (1, 2, 4), (1, 4, 4))
    }
    assert len(plans) == 3
    assert any(plan.name.startswith("small-64-fp32-b1to4-") for plan in plans)


def cut(plan: Path) -> None:
    plan.write_bytes(plan.read_bytes()[:-1])


def rename_a_byte(plan: Path) -> None:
    content = bytearray(plan.read_bytes())
    content[25] ^= 1  # in TensorRT-RTX's version
    plan.write_bytes(content)


def edited(**fields: Any) -> Callable[[Path], None]:
    def edit(plan: Path) -> None:
        path = plan.with_suffix(".json")
        receipt = json.loads(path.read_text())
        receipt["identity"] |= fields
        path.write_text(json.dumps(receipt))

    return edit


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (cut, r"it has [\d,]+ bytes, its receipt says"),
    (rename_a_byte, "its content is not what its receipt says"),
    (lambda plan: plan.unlink(), "it is not complete: small.*plan: No such file"),
    (lambda plan: plan.with_suffix(".json").unlink(), "it is not complete: small.*json: No such"),
    (lambda plan: plan.with_suffix(".json").write_text("{"), "its receipt cannot be used: "),
    (lambda plan: plan.with_suffix(".json").write_text("[]"), "its receipt cannot be used: "),
    (
        edited(tensorrt="TensorRT 10.3.0"),
        r"it was built with TensorRT 10\.3\.0, here is TensorRT-RTX",
    ),
    (edited(gpu="Orin"), "it was built for Orin, here is none"),
    (edited(l4t="36.4.3"), r"it was built on Jetson Linux 36\.4\.3"),
    (edited(model_sha256="0"), "it was built from another model file"),
]


@needs_rtx
@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_what_does_not_fit_is_built_again_with_one_line_why(
    rtx: Api,
    small_model: Model,
    built: CachedEngine,
    caplog: Log,
    damage: Callable[[Path], object],
    reason: str,
) -> None:
    content = built.plan.read_bytes()
    damage(built.plan)
    again = cached_engine(small_model, rtx, None)
    assert again.plan.read_bytes() == content
    assert again.receipt.sha256 == built.receipt.sha256
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert re.search(reason, line), line
    assert line.endswith("; it is built again")
    assert "\n" not in line
    assert leftovers() == []


@needs_rtx
def test_an_engine_of_another_machine_is_named_and_kept(
    rtx: Api, small_model: Model, built: CachedEngine, caplog: Log
) -> None:
    other = dataclasses.replace(built.receipt.identity, tensorrt="TensorRT 10.3.0", gpu="Orin")
    plan = built.plan.rename(engines_dir() / f"{other.stem}.plan")
    built.plan.with_suffix(".json").unlink()
    dataclasses.replace(built.receipt, identity=other).write(plan.with_suffix(".json"))
    new = cached_engine(small_model, rtx, None)
    assert new.plan != plan
    assert plan.exists()
    assert f"{other.stem} does not serve here: it was built with TensorRT 10.3.0" in caplog.text


@needs_rtx
def test_a_rebuild_that_fails_keeps_the_old_engine(
    rtx: Api, small_model: Model, built: CachedEngine
) -> None:
    first = stamp(built)
    stop = threading.Event()
    stop.set()
    with pytest.raises(BuildCancelledError):
        cached_engine(small_model, rtx, None, rebuild=True, watch=Watch(cancelled=stop))
    # A GPU is claimed that is not there, so the new plan cannot be loaded.
    gpu = Device("Toy", "8.7", integrated=True, free_bytes=None, total_bytes=None)
    with pytest.raises(EngineError, match="cannot load"):
        cached_engine(small_model, rtx, gpu)
    assert leftovers() == []
    assert stamp(cached_engine(small_model, rtx, None)) == first
    assert stamp(cached_engine(small_model, rtx, None, rebuild=True)) != first


@needs_rtx
def test_a_gate_decides_and_the_receipt_says_how(rtx: Api, small_model: Model) -> None:
    def refuse(plan: Path) -> dict[str, float]:
        assert plan.stat().st_size > 10_000
        raise EngineRefusedError("only 3 of 10 boxes agree")

    with pytest.raises(EngineError, match="only 3 of 10"):
        cached_engine(small_model, rtx, None, gate=refuse)
    stem = identity_of(small_model, rtx, None, BuildOptions()).stem
    refused = read_receipt(engines_dir() / f"{stem}.refused.json")
    assert refused.refused == "only 3 of 10 boxes agree"
    assert not (engines_dir() / f"{stem}.plan").exists()
    with pytest.raises(EngineError, match=r"was built on 20.* and refused: only 3 of 10"):
        cached_engine(small_model, rtx, None, gate=refuse)
    passed = cached_engine(
        small_model, rtx, None, rebuild=True, gate=lambda plan: {"matched": 0.98}
    )
    assert passed.receipt.scores == {"matched": 0.98}
    assert cached_engine(small_model, rtx, None).receipt == passed.receipt
    assert not (engines_dir() / f"{stem}.refused.json").exists()


BUILD = """
import sys
from pathlib import Path
from edgeseg.engines.cache import cached_engine
from edgeseg.engines.tensorrt.api import load_tensorrt
from edgeseg.models.onnx_model import read_model
engine = cached_engine(read_model(Path(sys.argv[1])), load_tensorrt("rtx"), None)
print(engine.plan.stat().st_ino, engine.receipt.sha256)
"""


def environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    paths = f"{fetch_rtx()}{os.pathsep}{root}"
    return os.environ | {"PYTHONPATH": paths, "EDGESEG_CACHE_DIR": str(engines_dir().parent)}


@needs_rtx
def test_two_processes_build_it_once(small_model: Model) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD, str(small_model.onnx_path)],
            env=environment(), stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = {process.communicate(timeout=100)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(said) == 1
    assert leftovers() == []


@needs_rtx
def test_a_killed_build_leaves_nothing_in_the_way(rtx: Api, small_model: Model) -> None:
    code = BUILD.replace("None)", "None, watch=Watch(stop))").replace(
        "engine = ",
        "import os\nfrom edgeseg.engines.tensorrt.build import Watch\n"
        "def stop(share, phase):\n    if share > 0.3: os.kill(os.getpid(), 9)\nengine = ",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(small_model.onnx_path)],
        env=environment(), timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == -9
    assert not list(engines_dir().glob("*.plan"))
    assert cached_engine(small_model, rtx, None, wait_s=5).plan.exists()


@needs_rtx
def test_waiting_for_another_build_has_an_end(rtx: Api, small_model: Model) -> None:
    stem = identity_of(small_model, rtx, None, BuildOptions()).stem
    engines_dir().mkdir(parents=True)
    with (engines_dir() / f"{stem}.lock").open("w") as file:
        file.write("4711")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(EngineError, match="process 4711 has been building small-64"):
            cached_engine(small_model, rtx, None, wait_s=0.5)


@needs_rtx
def test_a_cache_that_cannot_be_written_is_said_before_the_build(
    rtx: Api, small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "a-file" / "cache"))
    started: list[str] = []
    watch = Watch(lambda share, name: started.append(name))
    with pytest.raises(EngineError, match=r"cannot be kept: .*a-file.*Not a directory"):
        cached_engine(small_model, rtx, None, watch=watch)
    assert not started


@needs_rtx
def test_an_engine_in_a_folder_that_cannot_be_written_is_used(
    rtx: Api, small_model: Model, built: CachedEngine
) -> None:
    engines_dir().chmod(0o500)
    try:
        assert cached_engine(small_model, rtx, None) == built
    finally:
        engines_dir().chmod(0o700)


@needs_rtx
def test_a_full_disk_is_said_and_leaves_the_old_engine(
    rtx: Api, small_model: Model, built: CachedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(engines_dir())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(EngineError, match="has 0 MB free, the engine takes about 0 MB"):
        cached_engine(small_model, rtx, None, rebuild=True)
    monkeypatch.undo()
    # The kernel refuses to write more than 10 kB, as a full disk would.
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
    code = limited + BUILD.replace("None)", "None, rebuild=True)")
    done = subprocess.run(
        [sys.executable, "-c", code, str(small_model.onnx_path)],
        env=environment() | {"EDGESEG_CACHE_DIR": str(built.plan.parents[1])},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert "EngineError: the engine cannot be kept" in done.stderr
    assert built.plan.stat().st_size == built.receipt.size_bytes


def test_a_lock_ends_with_its_holder_and_leaves_no_file(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    order: list[str] = []

    def second() -> None:
        with locked(lock, wait_s=10, purpose="testing"):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(lock, wait_s=1, purpose="testing"):
        assert lock.read_text() == str(os.getpid())
        thread.start()
        time.sleep(0.5)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert not lock.exists()


IDENTITY = Identity(
    model="a model/v1", model_sha256="1", precision="fp16", input_px=(608, 352),
    batches=(1, 2, 4), dla=0, tensorrt="TensorRT 10.3.0", gpu="Orin", compute_capability="8.7",
    l4t="36.4.3",
)  # fmt: skip
RECEIPT = Receipt(
    identity=IDENTITY, size_bytes=1, sha256="2", built="now", build_s=1, peak_rss_bytes=1,
    workspace_bytes=1, layers=1, scores={"matched": 1.0},
)  # fmt: skip


def test_an_engine_has_a_name_for_people_and_for_files() -> None:
    assert IDENTITY.slot == "a_model_v1-608x352-fp16-b1to4-dla0"
    changes: list[dict[str, Any]] = [
        {"model_sha256": "2"}, {"gpu": "Thor"}, {"l4t": "38.2"}, {"tensorrt": "TensorRT 10.4.0"},
        {"batches": (1, 4, 4)}, {"compute_capability": "8.6"},
    ]  # fmt: skip
    stems = {dataclasses.replace(IDENTITY, **change).stem for change in changes}
    assert len(stems | {IDENTITY.stem}) == len(changes) + 1
    assert dataclasses.replace(IDENTITY, model="../..").slot.startswith("_-608x352")


def test_a_receipt_survives_its_file(tmp_path: Path) -> None:
    RECEIPT.write(tmp_path / "receipt.json")
    assert read_receipt(tmp_path / "receipt.json") == RECEIPT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS = sorted(dataclasses.asdict(RECEIPT)) + sorted(dataclasses.asdict(IDENTITY)) + ["format"]


@settings(deadline=None)  # it writes files
@given(st.sampled_from(FIELDS), JSON | st.just("DELETE"))
def test_a_broken_receipt_is_never_more_than_a_value_error(name: str, value: Any) -> None:
    fields = dataclasses.asdict(RECEIPT) | {"format": 1}
    holder = fields if name in fields else fields["identity"]
    if value == "DELETE":
        del holder[name]
    else:
        holder[name] = value
    path = engines_dir() / "broken.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields))
    try:
        receipt = read_receipt(path)
    except ValueError:
        return
    assert isinstance(receipt.identity.stem, str)
    receipt.write(path)
