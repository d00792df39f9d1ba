"""The options of Darknet's layers, one frozen type for each kind, and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from edgeseg.types import HeadSpec

MAX_SIDE = 1 << 14
MAX_CHANNELS = 1 << 16
IMAGE = -1
"""Stands for the network's input where a layer's index is expected."""

ACTIVATIONS = (
    "elu", "gelu", "hard_mish", "hard_swish", "hardswish", "hardtan", "leaky", "linear",
    "loggy", "logistic", "mish", "ramp", "relie", "relu", "relu6", "revleaky", "selu",
    "silu", "swish", "tanh",
)  # fmt: skip


Epsilon = Literal["opencv", "pjreddie", "alexeyab"]
"""How batch normalisation divides by a variance v.

In this order: sqrt(v + 1e-6), sqrt(v) + 1e-6, sqrt(v + 1e-5). The default is the
first. It lies between Darknet's two lineages, and does not multiply a channel
that never varies by a million, as the second does.
"""


class Shape(NamedTuple):
    """Channels, height and width of what a layer gives."""

    channels: int
    height: int
    width: int

    @property
    def values(self) -> int:
        """How many numbers that is for one picture."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


@dataclass(frozen=True, slots=True)
class Convolution:
    """Options of `[convolutional]`; pairs are (y, x)."""

    filters: int
    size: int
    stride: tuple[int, int]
    padding: int
    dilation: int
    groups: int
    batch_normalize: bool
    activation: str


@dataclass(frozen=True, slots=True)
class Pool:
    """Options of `[maxpool]` and `[local_avgpool]`."""

    size: int
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    """top, left, bottom, right; no more than the windows touch."""
    average: bool


@dataclass(frozen=True, slots=True)
class GlobalAverage:
    """`[avgpool]`: one value for each channel."""


@dataclass(frozen=True, slots=True)
class Upsample:
    """Options of `[upsample]`."""

    stride: int
    scale: float


@dataclass(frozen=True, slots=True)
class Reorg:
    """Options of `[reorg]`."""

    stride: int
    reverse: bool


@dataclass(frozen=True, slots=True)
class Route:
    """Options of `[route]`: group `group_id` of `groups` of each source, joined."""

    groups: int
    group_id: int


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Options of `[shortcut]`: the first input plus the others, where channels overlap."""

    activation: str


@dataclass(frozen=True, slots=True)
class Multiply:
    """Options of `[scale_channels]` and `[sam]`: the second input times the first."""

    activation: str


@dataclass(frozen=True, slots=True)
class Pass:
    """A layer that only applies an activation, often none: `[dropout]`, `[activation]`."""

    activation: str = "linear"


Options = (
    Convolution | Pool | GlobalAverage | Upsample | Reorg | Route | Shortcut | Multiply | Pass
    | HeadSpec
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What a planner decides about its layer."""

    options: Options
    inputs: tuple[int, ...]
    shape: Shape
    scale: tuple[Fraction, Fraction] = (Fraction(1), Fraction(1))
    """Cells of the first input for one cell of the output, in y and x."""
    parameters: int = 0
    flops: int = 0
