"""Read and write Darknet weights files, layer by layer.

Layout (`load_weights_upto` in Darknet's src/parser.c), little-endian: int32
major, minor, revision; `seen` as uint64 from version 0.2 on, before that as
uint32; then for each convolution in cfg order float32 biases, and with batch
normalisation scales, means and variances, then the kernels.

A layer is read when it is asked for: a mapped file would count whole in the
process's memory, and a file that shrinks under a map ends the process.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DarknetError
from edgeseg.files import written_aside
from edgeseg.models.darknet.options import Convolution, Shortcut
from edgeseg.models.darknet.plan import Layer, Network
from edgeseg.types import HeadSpec

Floats = NDArray[np.float32]

_MAX_VERSION = 1000
"""Darknet marks transposed weights with versions from 1000 on; nobody publishes such files."""
_RECTIFIERS = ("leaky", "relu", "relu6", "mish", "swish", "silu", "hard_mish")


@dataclass(frozen=True, slots=True)
class WeightsHeader:
    """The first bytes of a weights file."""

    major: int
    minor: int
    revision: int
    seen: int
    """Pictures that training had seen."""
    size_bytes: int

    def packed(self) -> bytes:
        """Give the header as the file has it."""
        wide = self.major * 10 + self.minor >= 2
        return struct.pack(
            "<iiiQ" if wide else "<iiiI", self.major, self.minor, self.revision, self.seen
        )


@dataclass(frozen=True, slots=True)
class ConvolutionWeights:
    """The numbers of one `[convolutional]` section, each finite."""

    biases: Floats
    """float32[filters]; the offset (beta) of a batch normalisation."""
    scales: Floats | None
    """float32[filters], gamma; None without batch normalisation, as the next two."""
    means: Floats | None
    variances: Floats | None
    kernels: Floats
    """float32[filters, channels / groups, size, size]."""


class Weights:
    """An open weights file whose size fits its network."""

    def __init__(self, file: FileIO, path: Path, header: WeightsHeader, network: Network) -> None:
        self.path = path
        self.header = header
        self.network = network
        self._file = file

    def __enter__(self) -> Weights:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def convolution(self, layer: Layer) -> ConvolutionWeights:
        """Read one layer. Raises DarknetError when a number is not finite."""
        options = layer.options
        if not isinstance(options, Convolution):
            raise ValueError(f"layer {layer.name} has no weights")  # noqa: TRY004
        numbers = self._read(layer)
        count = options.filters
        vectors = 4 if options.batch_normalize else 1
        biases, *rest = (numbers[i * count : (i + 1) * count] for i in range(vectors))
        channels = layer.in_shapes[0].channels // options.groups
        kernels = numbers[vectors * count :].reshape(count, channels, options.size, options.size)
        scales, means, variances = rest or (None, None, None)
        return ConvolutionWeights(biases, scales, means, variances, kernels)

    def _read(self, layer: Layer) -> Floats:
        numbers = np.empty(layer.parameters, np.dtype("<f4"))
        try:
            self._file.seek(self.header.size_bytes + layer.offset)
            count = self._file.readinto(numbers.data.cast("B"))
        except OSError as error:
            raise DarknetError(f"cannot be read: {error.strerror}", file=str(self.path)) from error
        if count != numbers.nbytes:
            raise DarknetError("became shorter while it was read", file=str(self.path))
        # The extremes show NaN and infinity without an array of booleans.
        if not (np.isfinite(numbers.min()) and np.isfinite(numbers.max())):
            bad = int(np.count_nonzero(~np.isfinite(numbers)))
            raise DarknetError(
                f"{bad} of {layer.parameters} numbers of {place(layer)} are NaN or infinite",
                file=str(self.path),
                hint="The file is damaged, or its training diverged.",
            )
        return numbers


def read_weights(path: Path, network: Network) -> Weights:
    """Open a weights file and check that it holds exactly what the network needs.

    Raises DarknetError: not a weights file, too short (names the layer where
    the bytes run out), too long, unreadable.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(FileIO(path))
            start = file.read(20)
            file_bytes = path.stat().st_size
        except OSError as error:
            raise DarknetError(f"cannot be read: {error.strerror}", file=str(path)) from error
        header = _parse_header(start, path)
        _check_size(network, path, header, file_bytes)
        stack.pop_all()
    return Weights(file, path, header, network)


def read_header(path: Path) -> WeightsHeader:
    """Read only the header. Raises DarknetError."""
    try:
        with path.open("rb") as file:
            return _parse_header(file.read(20), path)
    except OSError as error:
        raise DarknetError(f"cannot be read: {error.strerror}", file=str(path)) from error


def place(layer: Layer) -> str:
    """Name a layer for people: index, kind and cfg line."""
    section = layer.section
    return f"layer {layer.index} [{section.name}] ({section.file}:{section.line})"


def _parse_header(start: bytes, path: Path) -> WeightsHeader:
    if start[:1] in (b"<", b"{") or start[:7] == b"version":
        raise DarknetError(
            "is a text file, not weights",
            file=str(path),
            hint="A failed download or a Git LFS pointer looks like that; fetch the file again.",
        )
    if len(start) < 16:
        raise DarknetError(f"is too short for weights: {len(start)} bytes", file=str(path))
    major, minor, revision = struct.unpack_from("<iii", start)
    if not (0 <= major < _MAX_VERSION and 0 <= minor < _MAX_VERSION) or revision < 0:
        raise DarknetError(
            f"does not begin like a Darknet weights file (version {major}.{minor}.{revision})",
            file=str(path),
            hint="Give the .weights file of this .cfg.",
        )
    wide = major * 10 + minor >= 2
    if wide and len(start) < 20:
        raise DarknetError(f"is too short for weights: {len(start)} bytes", file=str(path))
    (seen,) = struct.unpack_from("<Q" if wide else "<I", start, 12)
    return WeightsHeader(major, minor, revision, seen, 20 if wide else 16)


def _check_size(network: Network, path: Path, header: WeightsHeader, file_bytes: int) -> None:
    available = file_bytes - header.size_bytes
    missing = network.weights_bytes - available
    if missing > 0:
        layer = next(
            layer for layer in network.layers if layer.offset + 4 * layer.parameters > available
        )
        raise DarknetError(
            f"{missing} bytes are missing: the file ends in {place(layer)}, "
            f"after {max(0, available - layer.offset)} of its {4 * layer.parameters} bytes",
            file=str(path),
            hint="Is the download complete, and is this the cfg of these weights "
            "(classes, filters, masks)?",
        )
    if missing < 0:
        raise DarknetError(
            f"{-missing} bytes are left over after the last layer",
            file=str(path),
            hint="The weights belong to another cfg: compare classes, filters and masks.",
        )


def write_random_weights(path: Path, network: Network, seed: int) -> None:
    """Write weights that keep signals in range, for tests and benchmarks.

    Normally distributed after He et al. 2015, less before a shortcut (0.3) and
    before a head (0.05), so that neither residual sums nor box sizes explode.
    The same seed gives the same file. Raises OSError.
    """
    gains = _gains(network)
    rng = np.random.default_rng(seed)
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(WeightsHeader(0, 2, 5, 0, 20).packed())
        for layer in network.layers:
            for numbers in _random_layer(layer, gains.get(layer.index, 1.0), rng):
                file.write(numbers.data.cast("B"))


def _gains(network: Network) -> dict[int, float]:
    gains: dict[int, float] = {}
    for layer in network.layers:
        if isinstance(layer.options, Shortcut):
            gains[layer.inputs[0]] = 0.3
        elif isinstance(layer.options, HeadSpec):
            gains[layer.inputs[0]] = 0.05
    return gains


def _random_layer(layer: Layer, gain: float, rng: np.random.Generator) -> Iterator[Floats]:
    options = layer.options
    if not isinstance(options, Convolution):
        return
    count = options.filters
    yield rng.normal(0, 0.1 * gain, count).astype("<f4")
    if options.batch_normalize:
        yield rng.uniform(0.8, 1.2, count).astype("<f4")
        yield rng.normal(0, 0.1, count).astype("<f4")
        yield rng.uniform(0.7, 1.4, count).astype("<f4")
    fan_in = layer.in_shapes[0].channels // options.groups * options.size**2
    power = 2.0 if options.activation in _RECTIFIERS else 1.0
    kernels = rng.standard_normal(count * fan_in, np.float32)
    kernels *= np.float32(gain * np.sqrt(power / fan_in))
    yield kernels.astype("<f4", copy=False)
