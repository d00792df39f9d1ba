"""From an ONNX file to a TensorRT network: strongly typed, named, with its shapes bounded."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg.engines.tensorrt import bindings as b
from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.watch import Messages
from edgeseg.errors import EngineError
from edgeseg.types import Model

Batches = tuple[int, int, int]
"""Smallest, usual and largest batch of an engine."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Which layers a DLA takes, and which fall back to the GPU."""

    core: int
    on_dla: tuple[str, ...]
    on_gpu: tuple[str, ...]
    """Name and kind of each."""

    def lines(self) -> list[str]:
        """Give the report for people."""
        total = len(self.on_dla) + len(self.on_gpu)
        lines = [f"DLA core {self.core} takes {len(self.on_dla)} of {total} layers"]
        return lines + [f"  on the GPU: {layer}" for layer in self.on_gpu]


def open_builder(api: Api, logger: b.ILogger, messages: Messages) -> b.Builder:
    """Give TensorRT's builder. Raises EngineError without a driver, where one is needed."""
    try:
        return api.trt.Builder(logger)
    except Exception as error:
        # Without a driver the factory returns a null pointer, and pybind11 says TypeError.
        raise EngineError(
            f"{api.name} cannot start: {messages.reason() or 'it finds no CUDA driver'}",
            hint="Look at nvidia-smi (on a Jetson: /etc/nv_tegra_release). "
            "Without a GPU, TensorRT-RTX can build: --tensorrt rtx.",
        ) from error


def parse_network(
    api: Api, builder: b.Builder, logger: b.ILogger, messages: Messages, model: Model
) -> tuple[b.INetworkDefinition, b.OnnxParser]:
    """Read the model's ONNX file into a strongly typed network.

    The parser owns the weights: keep it until the network is built. Raises
    EngineError naming each node that is refused, and when inputs or
    outputs are not the model's.
    """
    typed = 1 << int(api.trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = api.trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(model.onnx_path)):
        errors = [_refusal(parser.get_error(index)) for index in range(parser.num_errors)]
        shown = "; ".join(dict.fromkeys(errors)) if errors else messages.reason()
        raise EngineError(
            f"{api.name} refuses {model.onnx_path}: {shown or 'it does not say why'}",
            hint="Export the model again: edgeseg models export",
        )
    _check_ports(api, network, model)
    return network, parser


def _refusal(error: b.ParserError) -> str:
    place = f"node {error.node_name() or '(no name)'} ({error.node_operator() or 'no operator'})"
    return f"{place}: {' '.join(error.desc().split())}"


def _check_ports(api: Api, network: b.INetworkDefinition, model: Model) -> None:
    inputs, outputs = model.ports or (1, len(model.heads))
    if (network.num_inputs, network.num_outputs) != (inputs, outputs):
        raise EngineError(
            f"{model.name} has {network.num_inputs} inputs and {network.num_outputs} outputs in "
            f"{api.name}, not {inputs} and {outputs}",
            hint="Export the model again: edgeseg models export",
        )


def bound_batch(
    builder: b.Builder, config: b.IBuilderConfig, network: b.INetworkDefinition, batches: Batches
) -> None:
    """Give every input with an open batch its range; a fixed one is left as it is.

    Raises EngineError when TensorRT refuses the shapes.
    """
    profile = builder.create_optimization_profile()
    bounded = 0
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(tensor.shape)
        if shape[0] == -1:
            smallest, usual, largest = ((count, *shape[1:]) for count in batches)
            profile.set_shape(tensor.name, smallest, usual, largest)
            bounded += 1
    if bounded and config.add_optimization_profile(profile) < 0:
        raise EngineError(f"TensorRT refuses batches from {batches[0]} to {batches[2]}")


def place_on_dla(
    api: Api,
    builder: b.Builder,
    config: b.IBuilderConfig,
    network: b.INetworkDefinition,
    core: int,
) -> Placement:
    """Send all layers that can to a DLA core, the rest to the GPU; say which is where.

    Raises EngineError where there is no such core.
    """
    cores = builder.num_DLA_cores
    if core >= cores:
        raise EngineError(
            f"{api.name} reports {cores} DLA cores here, so there is no core {core}",
            hint="AGX Orin and Orin NX have DLAs; TensorRT 10.8 to 11.3 cannot use them.",
        )
    batch = network.get_input(0).shape[0]
    if not 1 <= batch <= builder.max_DLA_batch_size:
        raise EngineError(
            f"the DLA takes fixed batches up to {builder.max_DLA_batch_size}, "
            f"this model has {'an open one' if batch < 0 else batch}",
            hint="Export it with a batch of its own: edgeseg models export --batch 1",
        )
    config.default_device_type = api.trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(api.trt.BuilderFlag.GPU_FALLBACK)
    return dla_placement(config, network, core)


def dla_placement(config: b.IBuilderConfig, network: b.INetworkDefinition, core: int) -> Placement:
    """Ask for each layer whether the DLA takes it."""
    taken: tuple[list[str], list[str]] = ([], [])
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        kind = str(layer.type).rpartition(".")[2]
        taken[not config.can_run_on_DLA(layer)].append(f"{layer.name} ({kind})")
    return Placement(core, tuple(taken[0]), tuple(taken[1]))
