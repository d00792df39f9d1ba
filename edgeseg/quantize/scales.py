"""The scales file: one calibration for every TensorRT and for ONNX Runtime.

    {"format": 1, "method": "percentile 99.999", "calibration": {...},
     "sources": {"cfg": sha256, "weights": sha256}, "input_px": [416, 416],
     "tensors": {"000_convolutional_leaky": {"low": -0.8, "high": 7.9, "scale": 0.0622}}}

`low` and `high` bound what a tensor is taken to hold. `scale` is that of
symmetric int8, larger bound / 127; unsigned types take theirs from both bounds.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edgeseg.errors import ModelError
from edgeseg.files import written_aside
from edgeseg.types import Size

FORMAT = 1
MAX_FILE_BYTES = 1 << 24
SMALLEST = 1e-6
"""A tensor that never varies still gets a range."""


class Range(NamedTuple):
    """What a tensor is taken to hold; contains 0."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """Step of symmetric int8."""
        return max(-self.low, self.high) / 127

    @classmethod
    def of(cls, low: float, high: float) -> Range:
        """Widen to hold 0, and to have a width."""
        return cls(min(low, 0.0), max(high, SMALLEST))

    def scaled(self, factor: float) -> Range:
        """Give the range with both bounds multiplied."""
        return Range(self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Scales:
    """The ranges of a network's tensors, and where they come from."""

    ranges: Mapping[str, Range]
    method: str
    calibration: Mapping[str, str | int]
    """`source`, `frames`, `sha256` of all frames as the network saw them."""
    sources: Mapping[str, str]
    """SHA-256 of cfg and weights."""
    input_px: Size

    def to_json(self) -> str:
        """Give the file's text; the same scales give the same text."""
        tensors = {
            name: {"low": r.low, "high": r.high, "scale": r.scale}
            for name, r in self.ranges.items()
        }
        fields = {
            "format": FORMAT,
            "method": self.method,
            "calibration": dict(self.calibration),
            "sources": dict(self.sources),
            "input_px": list(self.input_px),
            "tensors": tensors,
        }
        return json.dumps(fields, indent=1, sort_keys=True) + "\n"

    @property
    def sha256(self) -> str:
        """Of the file's text."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write the file. Raises ModelError."""
        try:
            with written_aside(path) as aside:
                aside.write_text(self.to_json(), encoding="utf-8")
        except OSError as error:
            raise ModelError(f"{path} cannot be written: {error.strerror}") from error

    def check_sources(self, sources: Mapping[str, str]) -> None:
        """Raise ModelError when the scales are those of another cfg or other weights."""
        for kind, sha256 in sources.items():
            if kind in self.sources and self.sources[kind] != sha256:
                raise ModelError(
                    f"the scales were made for another {kind} file",
                    hint="Calibrate this network: --calib FOLDER or CLIP.",
                )


def read_scales(path: Path) -> Scales:
    """Read a scales file, every field checked. Raises ModelError."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is no scales file, or is damaged ({type(error).__name__}: {error})",
            hint="Calibrate again: edgeseg models export … --precision int8 --calib FOLDER",
        ) from error


def _parse(fields: dict[str, Any]) -> Scales:
    if fields["format"] != FORMAT:
        raise ValueError(f"format {fields['format']!r}, not {FORMAT}")
    width, height = fields["input_px"]
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise ValueError(f"input_px is {fields['input_px']!r}")
    return Scales(
        ranges={str(name): _range(bounds) for name, bounds in fields["tensors"].items()},
        method=str(fields["method"]),
        calibration={str(k): v for k, v in fields["calibration"].items() if _is_plain(v)},
        sources={str(k): str(v) for k, v in fields["sources"].items()},
        input_px=(width, height),
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int))


def _range(bounds: dict[str, Any]) -> Range:
    low, high = float(bounds["low"]), float(bounds["high"])
    if not (-math.inf < low <= 0 < high < math.inf):
        raise ValueError(f"a range from {low} to {high}")
    return Range(low, high)
