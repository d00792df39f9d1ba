"""Promises about ONNX Runtime and networks of less than 32 bits."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest
from darknet_nets import conv, heads_of, image, net, place

from edgeseg.engines.onnxruntime import OnnxRuntimeEngine, _int8_is_exact
from edgeseg.models import open_model
from edgeseg.models.darknet.export import export
from edgeseg.quantize.recipe import Recipe
from edgeseg.types import Batch, Letterbox


def test_a_network_with_fp16_ends_takes_and_gives_float32(tmp_path: Path) -> None:
    cfg, weights, network = place(tmp_path, net(conv(8)))
    images = image(network)
    expected = heads_of(export(cfg, weights, tmp_path / "a.onnx").onnx_path, images)[0]
    model = export(cfg, weights, tmp_path / "b.onnx", recipe=Recipe("fp16", io="fp16"))
    engine = OnnxRuntimeEngine(model)
    (seen,) = engine.infer(Batch(images, (Letterbox.fit((16, 16), (16, 16)),)))
    assert seen.dtype == np.float32
    assert np.abs(seen - expected).max() < 0.01 * np.abs(expected).max()
    assert "fp16" in engine.description


@pytest.mark.parametrize(
    ("flags", "exact"),
    [
        ("fpu sse2 avx2 avx512f", False),
        ("fpu avx512f avx512_vnni", True),
        ("fpu avx2 avx_vnni", True),
    ],
)
def test_only_vnni_sums_int8_products_exactly(tmp_path, monkeypatch, flags, exact) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert _int8_is_exact(cpuinfo) is exact
    assert not _int8_is_exact(tmp_path / "none")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert _int8_is_exact(cpuinfo)


def test_each_recipe_has_its_own_place_in_the_cache(tmp_path: Path) -> None:
    cfg, _, _ = place(tmp_path, net(conv(64), conv(64)))
    wide, half = open_model(cfg), open_model(cfg, recipe=Recipe("fp16"))
    assert (wide.precision, half.precision) == ("fp32", "fp16")
    assert wide.onnx_path != half.onnx_path
    assert open_model(cfg, recipe=Recipe("fp16")) == half
    assert half.onnx_path.stat().st_size < 0.7 * wide.onnx_path.stat().st_size
