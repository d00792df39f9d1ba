"""The weights reader accounts for every byte, and says where they run out."""

from __future__ import annotations

import struct
from pathlib import Path

import darknet_nets as nets
import numpy as np
import pytest
from darknet_nets import conv, net

from edgeseg.errors import DarknetError
from edgeseg.models.darknet.weights import (
    WeightsHeader,
    read_header,
    read_weights,
    write_random_weights,
)


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, nets.Network]:
    _, weights, network = nets.place(tmp_path, net(conv(8), conv(4, batch_normalize=0)))
    return weights, network


def test_numbers_come_in_darknets_order(written: tuple[Path, nets.Network]) -> None:
    weights, network = written
    count = network.parameters
    weights.write_bytes(weights.read_bytes()[:20] + np.arange(count, dtype="<f4").tobytes())
    with read_weights(weights, network) as opened:
        first = opened.convolution(network.layers[0])
        second = opened.convolution(network.layers[1])
    np.testing.assert_array_equal(first.biases, np.arange(8))
    np.testing.assert_array_equal(first.scales, np.arange(8, 16))
    np.testing.assert_array_equal(first.means, np.arange(16, 24))
    np.testing.assert_array_equal(first.variances, np.arange(24, 32))
    np.testing.assert_array_equal(first.kernels.ravel(), np.arange(32, 32 + 216))
    assert first.kernels.shape == (8, 3, 3, 3)
    assert second.scales is second.means is second.variances is None
    np.testing.assert_array_equal(second.biases, np.arange(248, 252))
    assert second.kernels.shape == (4, 8, 3, 3)


@pytest.mark.parametrize(("major", "minor", "size"), [(0, 1, 16), (0, 2, 20), (1, 0, 20)])
def test_seen_is_64_bits_wide_from_version_0_2_on(
    major: int, minor: int, size: int, written: tuple[Path, nets.Network]
) -> None:
    weights, network = written
    header = WeightsHeader(major, minor, 0, 7, size)
    assert len(header.packed()) == size
    weights.write_bytes(header.packed() + weights.read_bytes()[20:])
    assert read_header(weights) == header
    with read_weights(weights, network) as opened:
        assert opened.header == header
        assert np.abs(opened.convolution(network.layers[0]).variances).max() < 2


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (20, r"layer 0 \[convolutional\] \(.*net.cfg:5\), after 0 of its 992 bytes"),
        (20 + 100, "after 100 of its 992 bytes"),
        (20 + 992, r"layer 1 \[convolutional\] \(.*net.cfg:13\), after 0 of its 1168 bytes"),
        (20 + 992 + 1168 + 279, r"^.*: 1 bytes are missing: .*layer 2 .*after 279 of its 280"),
    ],
)
def test_a_short_file_names_the_layer_where_it_ends(
    kept: int, message: str, written: tuple[Path, nets.Network]
) -> None:
    weights, network = written
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(DarknetError, match=message):
        read_weights(weights, network)


@pytest.mark.parametrize("extra", [1, 4, 1000])
def test_left_over_bytes_are_counted(extra: int, written: tuple[Path, nets.Network]) -> None:
    weights, network = written
    weights.write_bytes(weights.read_bytes() + b"\0" * extra)
    with pytest.raises(DarknetError, match=f"{extra} bytes are left over.*\n.*another cfg"):
        read_weights(weights, network)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "too short for weights: 0 bytes"),
        (b"\0" * 12, "too short for weights: 12 bytes"),
        (struct.pack("<iiiI", 0, 2, 0, 0), "too short for weights: 16 bytes"),
        (b"<!DOCTYPE html><html>", "is a text file"),
        (b"version https://git-lfs.github.com/spec/v1", "is a text file"),
        (struct.pack("<iiiQ", -1, 2, 0, 0), "does not begin like a Darknet weights file"),
        (struct.pack("<iiiQ", 0, 2**31 - 1, 0, 0), "does not begin like"),
        (struct.pack("<iiiQ", 1000, 0, 0, 0), "does not begin like"),
        (struct.pack("<iiiQ", 0, 2, -5, 0), "does not begin like"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 90, "does not begin like"),
    ],
)
def test_files_that_are_no_weights_are_refused(
    content: bytes, message: str, written: tuple[Path, nets.Network]
) -> None:
    weights, network = written
    weights.write_bytes(content)
    with pytest.raises(DarknetError, match=message):
        read_weights(weights, network)


def test_a_missing_file_is_told(written: tuple[Path, nets.Network], tmp_path: Path) -> None:
    _, network = written
    with pytest.raises(DarknetError, match="cannot be read: No such file"):
        read_weights(tmp_path / "no.weights", network)
    with pytest.raises(DarknetError, match="cannot be read"):
        read_weights(tmp_path, network)


def test_a_file_that_shrinks_while_it_is_read_is_told(written: tuple[Path, nets.Network]) -> None:
    weights, network = written
    with read_weights(weights, network) as opened:
        with weights.open("r+b") as file:
            file.truncate(100)
        with pytest.raises(DarknetError, match="became shorter"):
            opened.convolution(network.layers[0])


def test_a_layer_without_weights_is_a_wrong_argument(written: tuple[Path, nets.Network]) -> None:
    weights, network = written
    with read_weights(weights, network) as opened, pytest.raises(ValueError, match="no weights"):
        opened.convolution(network.layers[-1])


def test_random_weights_are_read_back_whole(tmp_path: Path) -> None:
    _, _, network = nets.place(tmp_path, net(conv(8), conv(8), "[shortcut]\nfrom=-2\n"))
    path = tmp_path / "random.weights"
    write_random_weights(path, network, 1)
    with read_weights(path, network) as opened:
        plain, before_shortcut, before_head = (
            opened.convolution(network.layers[index]).kernels.std() for index in (0, 1, 3)
        )
    he = np.sqrt(2 / (8 * 9))
    assert plain > before_shortcut > before_head
    assert 0.2 * he < before_shortcut < 0.4 * he
