"""Promises of the build path, kept with TensorRT-RTX, which builds without a GPU."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from trt_packages import fetch_rtx, run_python

from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.build import BuildOptions, Watch, build_plan, refuse_unloadable
from edgeseg.engines.tensorrt.network import (
    Placement,
    dla_placement,
    open_builder,
    parse_network,
    place_on_dla,
)
from edgeseg.engines.tensorrt.watch import Messages, open_logger
from edgeseg.errors import BuildCancelledError, EngineError
from edgeseg.types import Model

pytestmark = pytest.mark.needs_network

SCRIPT = (Path(__file__).parents[1] / "trt_build.py").read_text()

PROVEN = {
    "Add", "Cast", "Concat", "Conv", "DequantizeLinear", "LeakyRelu", "MaxPool", "QuantizeLinear",
    "Resize", "Slice",
}  # fmt: skip
"""All that these networks may be made of; TensorRT-RTX refuses NonMaxSuppression and others."""

BUILDS = [
    ("yolov3-tiny", "fp32", "1", 35_999_732),
    ("yolov3-tiny", "fp32", "dynamic", 36_049_796),
    ("yolov3-tiny", "fp16", "dynamic", 18_373_196),
    ("yolov3-tiny", "int8", "1", 11_331_036),
    ("yolov3-608", "int8", "1", 69_220_212),
    ("yolov3-spp", "fp16", "dynamic", 128_165_228),
    ("yolov3-608", "fp32", "1", 248_894_716),
]
"""Name, precision, batch, and the plan's bytes as they were once; see docs/TENSORRT.md."""


@pytest.mark.timeout(600)  # minutes on a machine that is busy with other things
@pytest.mark.parametrize(("name", "precision", "batch", "size_bytes"), BUILDS)
def test_the_real_networks_build(
    tmp_path: Path, name: str, precision: str, batch: str, size_bytes: int
) -> None:
    if size_bytes > 200_000_000 and not os.environ.get("EDGESEG_TEST_LARGE"):
        pytest.skip("takes 1.1 GB of memory and half a minute; set EDGESEG_TEST_LARGE=1")
    env = {"PYTHONPATH": str(fetch_rtx())}
    path = str(tmp_path / "net.onnx")
    operators = set(json.loads(run_python(SCRIPT, "export", name, precision, batch, path, env=env)))
    assert operators <= PROVEN
    built: dict[str, Any] = json.loads(run_python(SCRIPT, "build", path, env=env))
    assert built["precision"] == precision
    assert built["size_bytes"] == pytest.approx(size_bytes, rel=0.01)
    # With an open batch TensorRT-RTX itself numbers its shape variables differently each time.
    assert 0 <= built["differing_bytes"] <= (0 if batch == "1" else built["size_bytes"] // 5000)
    assert built["peak_rss_bytes"] < built["needed_bytes"], "the preflight would let it be killed"
    assert built["peak_rss_bytes"] > built["model_bytes"]
    assert all("to fp32" in warning for warning in built["warnings"])


def test_a_plan_appears_whole_and_says_how_it_went(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    output = tmp_path / "small.plan"
    told: list[tuple[float, str]] = []
    built = build_plan(
        small_model, output, rtx, watch=Watch(lambda share, name: told.append((share, name)))
    )
    assert output.stat().st_size == built.size_bytes > 10_000
    assert built.layers >= 5
    assert built.placement is None
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert 0.5 < shares[-1] <= 1.0
    assert len({name for _, name in told}) >= 5
    assert not list(tmp_path.glob("*.part"))


def test_an_open_batch_has_its_range(rtx: Api, open_batch_model: Model, tmp_path: Path) -> None:
    assert open_batch_model.batch is None
    for batches in ((1, 1, 1), (1, 4, 16)):
        built = build_plan(
            open_batch_model, tmp_path / "plan", rtx, options=BuildOptions(batches=batches)
        )
        assert built.size_bytes > 10_000
    with pytest.raises(EngineError, match="refuses batches from 4 to 1"):
        build_plan(
            open_batch_model, tmp_path / "plan", rtx, options=BuildOptions(batches=(4, 2, 1))
        )


def without_rounding(path: Path, output: Path) -> None:
    """Write a network with Q/DQ nodes as the fp32 one that it stands for."""
    net = onnx.load(path)
    known = {one.name: onnx.numpy_helper.to_array(one) for one in net.graph.initializer}
    same: dict[str, str] = {}
    kept = []
    for node in net.graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
        if node.op_type == "DequantizeLinear" and node.input[0] in known:
            numbers, scale = known[node.input[0]], known[node.input[1]]
            shape = [-1] + [1] * (numbers.ndim - 1) if scale.ndim else []  # its axis is 0
            real = (numbers * scale.reshape(shape)).astype(np.float32)
            net.graph.initializer.append(onnx.numpy_helper.from_array(real, node.output[0]))
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            same[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del net.graph.node[:]
    net.graph.node.extend(kept)
    name = net.graph.output[0].name
    if name in same:
        net.graph.node.append(onnx.helper.make_node("Identity", [same[name]], [name]))
    used = {name for node in net.graph.node for name in node.input}
    unused = [one for one in net.graph.initializer if one.name not in used]
    for one in unused:
        net.graph.initializer.remove(one)
    onnx.save(net, output)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_the_mask_head_builds_for_1_to_8_boxes(rtx: Api, tmp_path: Path, precision: str) -> None:
    from edgeseg.masks.head import NETWORK
    from edgeseg.masks.head_cuda import BATCHES, mask_network

    path = NETWORK
    if precision == "fp32":
        path = tmp_path / "fp32.onnx"
        without_rounding(NETWORK, path)
        assert path.stat().st_size > 3 * NETWORK.stat().st_size
    model = mask_network(path)
    built = build_plan(model, tmp_path / "plan", rtx, options=BuildOptions(batches=BATCHES))
    model_bytes = path.stat().st_size
    assert model_bytes < built.size_bytes < 3 * model_bytes
    with pytest.raises(EngineError, match=r"2 inputs and 1 outputs .* not 1 and 0"):
        build_plan(dataclasses.replace(model, ports=None), tmp_path / "plan", rtx)


def test_a_cancelled_build_says_so_and_writes_nothing(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    output = tmp_path / "small.plan"
    output.write_bytes(b"the old one")
    stop = threading.Event()
    steps: list[str] = []

    def cancel_soon(share: float, phase: str) -> None:
        steps.append(phase)
        if len(steps) == 10:
            stop.set()

    with pytest.raises(BuildCancelledError, match="was stopped; nothing was written"):
        build_plan(small_model, output, rtx, watch=Watch(cancel_soon, cancelled=stop))
    assert output.read_bytes() == b"the old one"
    assert len(steps) < 40
    assert sorted(path.name for path in tmp_path.glob("small.plan*")) == ["small.plan"]


def test_what_a_progress_display_raises_reaches_the_caller(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    def broken(share: float, phase: str) -> None:
        raise RuntimeError("no terminal")

    with pytest.raises(RuntimeError, match="no terminal"):
        build_plan(small_model, tmp_path / "plan", rtx, watch=Watch(broken))


def with_nodes(model: Model, path: Path, *nodes: onnx.NodeProto, dtype: int) -> Model:
    """Give the model with more nodes, the last of which makes its only output."""
    proto = onnx.load(model.onnx_path)
    proto.graph.node.extend(nodes)
    del proto.graph.output[:]
    name = nodes[-1].output[0]
    proto.graph.output.append(onnx.helper.make_tensor_value_info(name, dtype, None))
    onnx.save(proto, path)
    return dataclasses.replace(model, onnx_path=path)


def test_a_node_the_parser_refuses_is_named_with_the_reason(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    for operator, domain in (("NonZero", ""), ("Sparkle", "our.own")):
        node = onnx.helper.make_node(operator, ["head_0"], ["y"], name="the_node", domain=domain)
        path = tmp_path / "x.onnx"
        model = with_nodes(small_model, path, node, dtype=onnx.TensorProto.INT64)
        with pytest.raises(EngineError) as caught:
            build_plan(model, tmp_path / "plan", rtx)
        start = f"TensorRT-RTX {rtx.version} refuses {path}: node the_node ({operator}): "
        assert caught.value.message.startswith(start)
        assert "plugin" in caught.value.message[len(start) :].lower()


def test_what_the_builder_only_logs_is_in_the_error(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    def constant(name: str, *numbers: int) -> onnx.NodeProto:
        return onnx.helper.make_node("Constant", [], [name], value_ints=numbers)

    make = onnx.helper.make_node
    model = with_nodes(
        small_model, tmp_path / "x.onnx",
        constant("as_boxes", 1, -1, 4), make("Reshape", ["head_0", "as_boxes"], ["boxes"]),
        constant("as_scores", 1, 4, -1), make("Reshape", ["head_0", "as_scores"], ["scores"]),
        constant("count", 10),
        make("NonMaxSuppression", ["boxes", "scores", "count"], ["kept"], name="the_node"),
        dtype=onnx.TensorProto.INT64,
    )  # fmt: skip
    with pytest.raises(EngineError, match=r"1\.7\.1\.116 cannot build small: .*no runners"):
        build_plan(model, tmp_path / "plan", rtx)
    assert not (tmp_path / "plan").exists()


def test_a_file_that_is_no_onnx_is_refused(rtx: Api, small_model: Model, tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"\x00nonsense" * 100, b"\xff" * 100)):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(content)
        with pytest.raises(EngineError, match=r"refuses|has 0 inputs"):
            build_plan(dataclasses.replace(small_model, onnx_path=path), tmp_path / "plan", rtx)


def test_other_outputs_than_the_models_heads_are_refused(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    model = dataclasses.replace(small_model, heads=small_model.heads * 2)
    with pytest.raises(EngineError, match=r"1 inputs and 1 outputs .* not 1 and 2"):
        build_plan(model, tmp_path / "plan", rtx)


def test_too_little_memory_is_refused_before_the_build(
    rtx: Api, small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseg.engines.tensorrt import build
    from edgeseg.engines.tensorrt.memory import Memory

    monkeypatch.setattr(build, "free_memory", lambda device: Memory(host=100 << 20))
    with pytest.raises(EngineError, match=r"building small takes about \d+ MB .*105 MB are free"):
        build_plan(small_model, tmp_path / "plan", rtx)
    built = build_plan(
        small_model, tmp_path / "plan", rtx, options=BuildOptions(ignore_memory=True)
    )
    assert built.workspace_bytes == 16 << 20


def test_a_dla_that_is_not_there_is_refused(rtx: Api, small_model: Model, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="reports 0 DLA cores here, so there is no core 1"):
        build_plan(small_model, tmp_path / "plan", rtx, options=BuildOptions(dla=1))


def parsed(rtx: Api, model: Model) -> tuple[Any, ...]:
    messages = Messages()
    logger = open_logger(rtx, messages)
    builder = open_builder(rtx, logger, messages)
    network, parser = parse_network(rtx, builder, logger, messages, model)
    return builder, builder.create_builder_config(), network, parser, logger


def test_the_placement_names_each_layer_that_stays_on_the_gpu(rtx: Api, small_model: Model) -> None:
    _, config, network, *_alive = parsed(rtx, small_model)
    placement = dla_placement(config, network, 0)
    assert placement.on_dla == ()  # TensorRT-RTX knows no DLA
    assert len(placement.on_gpu) == network.num_layers
    assert "000_convolutional (CONVOLUTION)" in placement.on_gpu
    assert Placement(1, ("a",), ("b (POOLING)",)).lines() == [
        "DLA core 1 takes 1 of 2 layers",
        "  on the GPU: b (POOLING)",
    ]


def test_the_dla_takes_no_open_batch(rtx: Api, open_batch_model: Model) -> None:
    class WithCores:
        """The real builder, on a board with two DLAs."""

        num_DLA_cores = 2  # noqa: N815
        max_DLA_batch_size = 32  # noqa: N815

    _, config, network, *_alive = parsed(rtx, open_batch_model)
    builder: Any = WithCores()
    with pytest.raises(EngineError, match="fixed batches up to 32, this model has an open one"):
        place_on_dla(rtx, builder, config, network, 1)


def test_layers_are_sent_to_the_dla_with_the_gpu_behind_it(rtx: Api, small_model: Model) -> None:
    class WithCores:
        num_DLA_cores = 2  # noqa: N815
        max_DLA_batch_size = 32  # noqa: N815

    _, config, network, *_alive = parsed(rtx, small_model)
    builder: Any = WithCores()
    place_on_dla(rtx, builder, config, network, 1)
    trt: Any = rtx.trt
    assert config.default_device_type == trt.DeviceType.DLA
    assert config.get_flag(trt.BuilderFlag.GPU_FALLBACK)


def test_the_timing_cache_is_kept_and_a_broken_one_is_replaced(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    # TensorRT-RTX has the calls, and does nothing: its file is a header only.
    as_full = dataclasses.replace(rtx, rtx=False)
    options = BuildOptions(timing_cache=tmp_path / "timings", ignore_memory=True)
    (tmp_path / "timings").write_bytes(b"broken")
    for _ in range(2):
        build_plan(small_model, tmp_path / "plan", as_full, options=options)
        assert (tmp_path / "timings").read_bytes() != b"broken"


def test_a_plan_that_does_not_load_has_the_reason(
    rtx: Api, small_model: Model, tmp_path: Path
) -> None:
    plan = tmp_path / "plan"
    build_plan(small_model, plan, rtx)
    plan.write_bytes(plan.read_bytes()[:100])
    with pytest.raises(EngineError, match=r"TensorRT-RTX 1\.7\.1\.116 cannot load .*plan: .{20}"):
        refuse_unloadable(rtx, plan)
