"""The side TOML of a foreign network: what its ONNX file does not say (docs/MODELS.md)."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from edgeseg.errors import ConfigError
from edgeseg.models.families.names import clean_names
from edgeseg.network_spec import Channels, Layout
from edgeseg.sizes import MAX_EDGE_PX, parse_size
from edgeseg.types import Fit, Size

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1 << 20
PROPERTY = "edgeseg.net"
"""Metadata property of an ONNX file that may hold the same text."""

Scores = Literal["best", "sigmoid", "logits", "index"]
IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class NetConfig:
    """What is known of a network; None is: tell it from the file."""

    origin: str = ""
    """Where it stands, for messages."""
    family: Literal["yolo-v5", "yolo-v8", "yolo-v10", "semantic"] | None = None
    classes: tuple[str, ...] | None = None
    size_px: Size | None = None
    layout: Layout | None = None
    color: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 255
    """A value of the network's input is (picture * scale - mean) / std."""
    mean: Channels = IMAGENET_MEAN
    std: Channels = IMAGENET_STD
    resize: Fit = "stretch"
    pad: float = 114.0
    output: str | None = None
    scores: Scores | None = None
    """best: the highest of several. sigmoid, logits: each for itself, against the threshold."""
    output_layout: Layout | None = None
    threshold: float = 0.5
    """Of a probability, also where the network gives logits."""
    background: int | str | None = None


def find_config(path: Path, named: Path | None, properties: Mapping[str, str]) -> NetConfig:
    """Give what is said of the network `path`: in the file `named`, else beside it, else inside.

    Raises ConfigError.
    """
    beside = path.with_suffix(".toml")
    if named is not None or beside.is_file():
        return read_config(named or beside)
    if PROPERTY in properties:
        return parse_config(properties[PROPERTY], f"{path}, metadata {PROPERTY}", path.parent)
    return NetConfig()


def read_config(path: Path) -> NetConfig:
    """Read a side TOML. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path} is no description of a network: it is too large")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {error}", hint="It must be TOML in UTF-8.") from error
    return parse_config(text, str(path), path.parent)


def parse_config(text: str, origin: str, folder: Path) -> NetConfig:
    """Read the text of a side TOML; a file of class names is looked for in `folder`.

    Raises ConfigError for what is no TOML, unknown keys and wrong values.
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{origin}: {error}", hint='It must be TOML, such as: classes = ["road", "sky"]'
        ) from error
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _READERS:
            close = difflib.get_close_matches(key, _READERS, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Keys: {', '.join(_READERS)}."
            raise ConfigError(f"{origin}: unknown key {key!r:.60}", hint=hint)
        try:
            found[_FIELDS.get(key, key)] = _READERS[key](value, folder)
        except ConfigError as error:
            raise ConfigError(f"{origin}: {key}: {error.message}", hint=error.hint) from error
    return NetConfig(origin=origin, **found)


def _choice(*allowed: str) -> Callable[[object, Path], str]:
    def read(value: object, folder: Path) -> str:  # noqa: ARG001
        if not isinstance(value, str) or value not in allowed:
            raise ConfigError(f"must be one of {', '.join(allowed)}, got {value!r:.60}")
        return value

    return read


def _number(low: float, high: float) -> Callable[[object, Path], float]:
    def read(value: object, folder: Path) -> float:  # noqa: ARG001
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"must be a number, got {value!r:.60}")
        if not low <= value <= high:
            raise ConfigError(f"must be from {low:g} to {high:g}, got {value!r:.60}")
        return float(value)

    return read


def _channels(low: float, high: float) -> Callable[[object, Path], Channels]:
    one = _number(low, high)

    def read(value: object, folder: Path) -> Channels:
        parts = value if isinstance(value, list) else [value] * 3
        if len(parts) != 3:
            raise ConfigError(f"must be a number or three, got {value!r:.60}")
        return cast("Channels", tuple(one(part, folder) for part in parts))

    return read


def _size(value: object, folder: Path) -> Size:  # noqa: ARG001
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return parse_size(str(value)[:40])
    if isinstance(value, list) and len(value) == 2:
        width, height = value
        if _is_edge(width) and _is_edge(height):
            return width, height
    raise ConfigError(f"must be [width, height] in pixels, got {value!r:.60}")


def _is_edge(value: object) -> bool:
    return type(value) is int and 1 <= value <= MAX_EDGE_PX


def _text(value: object, folder: Path) -> str:  # noqa: ARG001
    if not isinstance(value, str) or not value:
        raise ConfigError(f"must be a text, got {value!r:.60}")
    return value


def _classes(value: object, folder: Path) -> tuple[str, ...]:
    from edgeseg.errors import DarknetError
    from edgeseg.models.class_names import read_names

    if isinstance(value, str) and value and "\0" not in value:
        try:
            return clean_names(read_names(folder / value))
        except DarknetError as error:
            raise ConfigError(error.message, hint=error.hint) from error
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or not value:
        raise ConfigError(f"must be a list of names, or a file with one a line, got {value!r:.60}")
    return clean_names(value)


def _background(value: object, folder: Path) -> int | str:  # noqa: ARG001
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ConfigError(f"must be a class, by name or number, got {value!r:.60}")


_LAYOUT = _choice("nchw", "nhwc")
_READERS: Mapping[str, Callable[[object, Path], Any]] = {
    "family": _choice("yolo-v5", "yolo-v8", "yolo-v10", "semantic"),
    "classes": _classes,
    "size": _size,
    "layout": _LAYOUT,
    "color": _choice("rgb", "bgr"),
    "scale": _number(1e-6, 1e6),
    "mean": _channels(-1e6, 1e6),
    "std": _channels(1e-6, 1e6),
    "resize": _choice("stretch", "letterbox"),
    "pad": _number(0, 255),
    "output": _text,
    "scores": _choice("best", "sigmoid", "logits", "index"),
    "output_layout": _LAYOUT,
    "threshold": _number(math.ulp(0.5), 1 - math.ulp(0.5)),
    "background": _background,
}
_FIELDS = {"size": "size_px"}
