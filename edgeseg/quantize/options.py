"""The options of `edgeseg models export` that decide about precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeseg.errors import ConfigError
from edgeseg.models.inputs import Inputs
from edgeseg.quantize.recipe import Io, Precision, Target
from edgeseg.quantize.scales import Scales, read_scales
from edgeseg.types import Size


def check_options(
    precision: Precision, target: Target, calib: str | None, scales: Path | None, io: Io
) -> None:
    """Raise ConfigError for options that do not go together, before anything is fetched."""
    if precision == "int8" and (calib is None) == (scales is None):
        raise ConfigError(
            "--precision int8 needs either frames to calibrate with, or a scales file",
            hint="Give --calib FOLDER (or a clip), or --scales FILE.scales.json.",
        )
    if precision != "int8" and (calib is not None or scales is not None):
        raise ConfigError(
            f"--calib and --scales are for int8, the precision is {precision}",
            hint="Add --precision int8, or leave them out.",
        )
    if io == "fp16" and precision == "fp32":
        raise ConfigError("--io fp16 needs --precision fp16 or int8")
    if io == "fp16" and precision == "int8" and target == "onnxruntime":
        raise ConfigError(
            "--io fp16 is for TensorRT: ONNX Runtime's INT8 network has fp32 ends",
            hint="Leave --io out, or use --for tensorrt.",
        )


def scales_path(output: Path) -> Path:
    """Give the place of the scales file that belongs to an exported model."""
    return output.with_suffix(".scales.json")


def find_scales(
    files: Inputs,
    output: Path,
    *,
    calib: str | None,
    scales: Path | None,
    method: str,
    size: Size | None,
    progress: Callable[[int, int], None] | None,
) -> Scales | None:
    """Read the scales, or calibrate and write them beside `output`; None without either."""
    if scales is not None:
        return read_scales(scales)
    if calib is None:
        return None
    from edgeseg.quantize.calibrate import CalibrationSet, calibrate

    chosen = CalibrationSet(calib, method="entropy" if method == "entropy" else "percentile")
    found = calibrate(
        files.cfg, files.needed_weights, chosen, size=size or files.input_px, progress=progress
    )
    found.write(scales_path(output))
    return found
