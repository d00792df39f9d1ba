"""The mask head: yolov3-tiny's first six convolutions and a light U-Net decoder.

Input: a crop by the rule of `crop.py` and its meta vector. Output: logits at half
the crop's resolution. The box always fills the same central part of the crop, so
the decoder is told where it lies by constant channels at each of its scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.crop import MARGIN

ENCODER_CHANNELS = (16, 32, 64, 128, 256, 512)
DECODER_CHANNELS = (16, 32, 64, 128)
"""At 1/2, 1/4, 1/8 and 1/16 of the crop's resolution."""
FROZEN_LAYERS = 2
PLACE_CHANNELS = 6
META = 3


class Encoder(nn.Module):
    """yolov3-tiny's convolutions 0 to 5, batch normalisation folded in."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, *ENCODER_CHANNELS)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(channels)
        )

    def forward(self, crops: Tensor) -> list[Tensor]:
        """Give the features at 1, 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution."""
        features: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            x = functional.max_pool2d(features[-1], 2) if features else crops
            with torch.set_grad_enabled(torch.is_grad_enabled() and number >= FROZEN_LAYERS):
                features.append(functional.leaky_relu(layer(x), 0.1))
        return features


class Block(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, before: int, after: int, size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(before, after, size, padding=size // 2, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class PlacedBlock(nn.Module):
    """A block whose convolution also sees the place channels.

    They are the same for every crop, so their part of the convolution is a
    constant map, computed once for a batch, and once for all at export.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.of_place = nn.Conv2d(PLACE_CHANNELS, after, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """Give a map of the same size."""
        x = self.convolution(x) + self.of_place(place(x.shape[-1]))
        return functional.relu(self.norm(x), inplace=True)


class Join(nn.Module):
    """Bring a coarse map to the scale of an encoder feature and mix both."""

    def __init__(self, coarse: int, feature: int, lateral: int, after: int) -> None:
        super().__init__()
        self.lateral = Block(feature, lateral, 1)
        self.mix = PlacedBlock(coarse + lateral, after)

    def forward(self, coarse: Tensor, feature: Tensor) -> Tensor:
        """Give a map at the feature's scale."""
        fine = functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return self.mix(torch.cat([fine, self.lateral(feature)], 1))


class MaskHead(nn.Module):
    """float32[N, 3, S, S] and float32[N, 3] to logits float32[N, 1, S/2, S/2]; 32 divides S.

    In training a pair comes back: the logits, and coarse logits at S/8.
    """

    def __init__(self) -> None:
        super().__init__()
        _, f1, f2, f3, f4, f5 = ENCODER_CHANNELS
        d1, d2, d3, d4 = DECODER_CHANNELS
        self.encoder = Encoder()
        self.squeeze = nn.Linear(f5, d4)
        self.scene = nn.Linear(d4 + META, d4)
        nn.init.zeros_(self.scene.weight)
        nn.init.zeros_(self.scene.bias)
        self.deep = nn.Sequential(Block(f5, d4, 1), Block(d4, d4))
        self.lateral = Block(f4, d4, 1)
        self.mix = PlacedBlock(d4, d4)
        self.join3 = Join(d4, f3, d3 * 3 // 4, d3)
        self.join2 = Join(d3, f2, d2, d2)
        self.join1 = Join(d2, f1, d1, d1)
        self.last = nn.Sequential(Block(d1, d1), nn.Conv2d(d1, 1, 3, padding=1))
        self.coarse = nn.Conv2d(d3, 1, 1)
        self.dropout = 0.0
        """Share of the encoder's channels that training hides from the decoder."""

    def forward(self, crops: Tensor, meta: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Give the logits."""
        _, f1, *deeper = self.encoder(crops)
        f2, f3, f4, f5 = (
            functional.dropout2d(f, self.dropout, self.training and self.dropout > 0)
            for f in deeper
        )
        squeezed = functional.relu(self.squeeze(f5.mean((2, 3))))
        scene = self.scene(torch.cat([squeezed, meta], 1))[:, :, None, None]
        deep = functional.interpolate(self.deep(f5), scale_factor=2.0, mode="nearest")
        x = self.lateral(f4) + deep + scene
        x = self.mix(x)
        x = coarse = self.join3(x, f3)
        x = self.join1(self.join2(x, f2), f1)
        logits = self.last(x)
        return (logits, self.coarse(coarse)) if self.training else logits


@cache
def place(size: int) -> Tensor:
    """Give float32[1, 6, size, size]: x and y (-1 to 1 on the box), squares, inside, a bump."""
    line = (((torch.arange(size) + 0.5) / size) * (1 + 2 * MARGIN) - MARGIN) * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    inside = torch.sigmoid(12 * (1 - torch.maximum(x.abs(), y.abs())))
    return torch.stack([x, y, x * x, y * y, inside, torch.exp(-x * x - y * y)])[None]


def load_encoder(encoder: Encoder, layers: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Take over (kernels, biases) of each layer; the first two stay as they are."""
    for number, (layer, (kernels, biases)) in enumerate(zip(encoder.layers, layers, strict=True)):
        with torch.no_grad():
            layer.weight.copy_(kernels)
            layer.bias.copy_(biases)
        layer.requires_grad_(number >= FROZEN_LAYERS)
