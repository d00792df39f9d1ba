"""The pretrained encoder: the official yolov3-tiny weights, verified, read by edgeseg."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor

from edgeseg.models import registry
from edgeseg.models.darknet.cfg import parse_cfg
from edgeseg.models.darknet.options import Convolution
from edgeseg.models.darknet.plan import plan_network
from edgeseg.models.darknet.weights import ConvolutionWeights, read_weights

EPSILON = 1e-6


def pretrained(count: int = 6) -> list[tuple[Tensor, Tensor]]:
    """Give kernels and biases of the first convolutions, batch normalisation folded in.

    The weights are fetched when they are not here. Raises DownloadError.
    """
    files = registry.fetch("yolov3-tiny")
    network = plan_network(parse_cfg(files.cfg), files.input_px)
    convolutions = (layer for layer in network.layers if isinstance(layer.options, Convolution))
    with read_weights(files.weights, network) as weights:
        return [_folded(weights.convolution(layer)) for layer in islice(convolutions, count)]


def _folded(weights: ConvolutionWeights) -> tuple[Tensor, Tensor]:
    if weights.scales is None or weights.means is None or weights.variances is None:
        raise ValueError("these convolutions have batch normalisation")
    factors = weights.scales / (weights.variances + EPSILON) ** 0.5
    kernels = weights.kernels * factors[:, None, None, None]
    return torch.from_numpy(kernels), torch.from_numpy(weights.biases - weights.means * factors)
