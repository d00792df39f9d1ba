"""The benchmark of the CUDA ops runs; on the CPU it shows that it is right, not how fast."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgeseg import _native

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def bench(monkeypatch, on_cpu):
    pytest.importorskip("cv2")
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    import bench_cuda

    return bench_cuda


def test_each_case_is_compared_with_the_cpu_and_timed(bench, on_cpu):
    small = bench.Bench(on_cpu.native, replays=1, sets=2, copy_bytes=1 << 12)
    assert small.copy_gb_per_s > 0
    rows = [
        bench.bench_letterbox(small, (64, 36), 32, 2, form=form, dtype=dtype)
        for form, dtype in [("bgr", "float32"), ("bgr", "float16"), ("rgba", "float16")]
    ]
    rows.append(bench.bench_letterbox(small, (64, 36), 32, 2, form="nv12", dtype="float16"))
    rows += [bench.bench_detect(small, 96, 3, dtype) for dtype in ("float32", "float16")]
    from bench_cuda_masks import bench_crop_resize

    rows += [
        bench_crop_resize(small, (64, 36), (8, 30), 2, dtype=dtype)
        for dtype in ("float32", "float16")
    ]
    for row in rows:
        assert row["median_us"] > 0
        assert row["bytes_moved"] > 0
    # 36 of 32x18's source rows at most, both float32 tensors.
    assert rows[0]["bytes_moved"] == 2 * (36 * 64 * 3 + 3 * 32 * 32 * 4)


@pytest.mark.skipif(_native.device_count() > 0, reason="there is a CUDA device")
def test_without_a_device_it_says_why_and_fails(bench, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench_cuda.py"])
    assert bench.main() == 1
    assert "no CUDA device" in capsys.readouterr().err
