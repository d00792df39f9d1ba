"""A Darknet model is converted once, and whatever happens to the cache, the model is right."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import darknet_nets as nets
import numpy as np
import pytest
from darknet_nets import conv, net

from edgeseg.errors import DarknetError, ModelError
from edgeseg.files import cache_dir, sha256_of
from edgeseg.models.cache import cached_onnx
from edgeseg.models.onnx_model import read_model

Pair = tuple[Path, Path]


@pytest.fixture
def darknet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "cache"))
    cfg, weights, _ = nets.place(tmp_path, net(conv(8)))
    return cfg, weights


def test_the_second_time_nothing_is_converted(darknet: Pair) -> None:
    heard: list[int] = []
    first = cached_onnx(*darknet, progress=lambda done, total: heard.append(done))
    assert heard
    heard.clear()
    second = cached_onnx(*darknet, progress=lambda done, total: heard.append(done))
    assert first == second == read_model(first.onnx_path)
    assert not heard
    assert first.onnx_path.parent == cache_dir() / "onnx"
    assert sha256_of(first.onnx_path) == first.sha256


def test_a_cached_model_is_opened_without_the_onnx_package(darknet: Pair) -> None:
    cached_onnx(*darknet)
    code = (
        "import sys; from pathlib import Path; from edgeseg.models.cache import cached_onnx\n"
        "cached_onnx(Path(sys.argv[1]), Path(sys.argv[2])); print('onnx' in sys.modules)"
    )
    assert run_python(code, *darknet).stdout.strip() == "False"


def test_whatever_decides_about_the_model_decides_about_its_place(
    darknet: Pair, tmp_path: Path
) -> None:
    (tmp_path / "other.names").write_text("cat\ndog\n")
    models = [
        cached_onnx(*darknet),
        cached_onnx(*darknet, size=(32, 16)),
        cached_onnx(*darknet, batch=None),
        cached_onnx(*darknet, names=tmp_path / "other.names"),
        cached_onnx(*darknet, epsilon="alexeyab"),
    ]
    darknet[1].write_bytes(darknet[1].read_bytes()[:-1] + b"\1")
    models.append(cached_onnx(*darknet))
    assert len({model.onnx_path for model in models}) == len(models)
    assert len({model.sha256 for model in models}) == len(models)


def test_a_damaged_model_is_converted_again_with_one_warning(
    darknet: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    model = cached_onnx(*darknet)
    content = bytearray(model.onnx_path.read_bytes())
    content[len(content) // 2] ^= 1
    model.onnx_path.write_bytes(content)
    assert cached_onnx(*darknet) == model
    assert sha256_of(model.onnx_path) == model.sha256
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "does not match its receipt; it is converted again" in record.getMessage()


@pytest.mark.parametrize("receipt", [b"", b"{", b"[]", b'{"sha256": 3}', b"[" * 100_000, None])
def test_a_damaged_or_missing_receipt_is_made_again(
    receipt: bytes | None, darknet: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    model = cached_onnx(*darknet)
    path = model.onnx_path.with_suffix(".json")
    path.unlink() if receipt is None else path.write_bytes(receipt)
    assert cached_onnx(*darknet) == model
    assert "converted again" in caplog.text
    caplog.clear()
    assert cached_onnx(*darknet) == model
    assert not caplog.text


def test_an_interrupted_conversion_leaves_nothing(darknet: Pair) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_onnx(*darknet, progress=interrupt)
    assert not list((cache_dir() / "onnx").iterdir())


def test_parts_of_killed_processes_are_removed_after_an_hour(darknet: Pair) -> None:
    folder = cache_dir() / "onnx"
    folder.mkdir(parents=True)
    old, new = folder / "a.onnx.1.part", folder / "b.onnx.2.part"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 7200,) * 2)
    cached_onnx(*darknet)
    assert not old.exists()
    assert new.exists()


def test_broken_weights_are_told_and_leave_nothing(darknet: Pair) -> None:
    darknet[1].write_bytes(darknet[1].read_bytes()[:-4])
    with pytest.raises(DarknetError, match="4 bytes are missing"):
        cached_onnx(*darknet)
    assert not list(cache_dir().rglob("*.onnx*"))


def test_a_cache_that_cannot_be_written_costs_a_conversion_only(
    darknet: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "file"))
    model = cached_onnx(*darknet)
    assert read_model(model.onnx_path) == model
    assert "converted for this run only" in caplog.text


def test_no_place_to_write_is_one_clear_error(
    darknet: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGESEG_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="EDGESEG_CACHE_DIR"):
        cached_onnx(*darknet)


def test_processes_may_convert_at_once(darknet: Pair) -> None:
    code = (
        "import sys; from pathlib import Path; from edgeseg.models.cache import cached_onnx\n"
        "print(cached_onnx(Path(sys.argv[1]), Path(sys.argv[2])).sha256)"
    )
    command = [sys.executable, "-c", code, *map(str, darknet)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    hashes = {process.communicate(timeout=60)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    model = cached_onnx(*darknet)
    assert hashes == {model.sha256}
    assert not list((cache_dir() / "onnx").glob("*.part"))


def test_a_converted_model_needs_no_more_memory_than_a_layer(darknet: Pair, tmp_path: Path) -> None:
    # 64 MB of weights in 16 layers: held at once they would show in the peak.
    cfg, weights, network = nets.place(tmp_path, net(*[conv(341)] * 16))
    assert network.weights_bytes > 60e6
    # VmHWM: ru_maxrss would also count the process that started this one.
    code = (
        "import re, sys; from pathlib import Path; import edgeseg.models.darknet.export\n"
        "from edgeseg.models.cache import cached_onnx\n"
        "status = lambda: open('/proc/self/status').read()\n"
        "peak = lambda: int(re.search('VmHWM: *\\t *([0-9]+)', status())[1])\n"
        "before = peak(); cached_onnx(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print((peak() - before) * 1024)"
    )
    grown = int(run_python(code, cfg, weights).stdout)
    assert grown < 24e6


def run_python(code: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_cached_model_computes_what_the_exported_one_does(darknet: Pair) -> None:
    model = cached_onnx(*darknet, batch=None)
    images = np.zeros((3, 3, 16, 16), np.float32)
    assert nets.heads_of(model.onnx_path, images)[0].shape == (3, 14, 16, 16)
