"""Make the trained network INT8, as explicit pairs of quantizers in the graph.

Symmetric int8, one scale for each filter of the weights and one for each
quantized tensor; only convolutions are quantized and biases stay floating point.
That is what TensorRT takes (its parser refuses int32 biases and zero points),
and ONNX Runtime's CPU still runs the convolutions in 8 bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.augment import Sample

BATCH = 16
KEPT = ("scene",)
"""A matrix on three numbers and a summary: nothing to win there."""


class _Reader(CalibrationDataReader):
    """Gives the samples to the calibrator, batch after batch."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._starts = iter(range(0, len(samples), BATCH))
        self._samples = samples

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Give the next batch, or None at the end."""
        start = next(self._starts, None)
        if start is None:
            return None
        batch = self._samples[start : start + BATCH]
        crops = np.stack([sample.crop for sample in batch]).transpose(0, 3, 1, 2) / 255
        return {"crops": crops, "meta": np.stack([sample.meta for sample in batch])}


def quantize(
    fp32: Path,
    int8: Path,
    samples: Sequence[Sample],
    *,
    operators: Sequence[str] = ("Conv",),
    unsigned: bool = False,
    percentile: float | None = None,
) -> None:
    """Write `int8` from `fp32`; the samples, whole batches of 16 best, choose the ranges.

    `unsigned` is for comparison: uint8 with zero points and int32 biases on all
    operators is faster in ONNX Runtime and refused by TensorRT.
    """
    extra: dict[str, object] = {"WeightSymmetric": True}
    if not unsigned:
        extra |= {"ActivationSymmetric": True, "QuantizeBias": False}
    if percentile is not None:
        extra["CalibPercentile"] = percentile
    method = CalibrationMethod.MinMax if percentile is None else CalibrationMethod.Percentile
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(fp32), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(int8),
            _Reader(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(operators),
            nodes_to_exclude=list(KEPT),
            calibrate_method=method,
            extra_options=extra,
        )
    onnx.checker.check_model(str(int8), full_check=True)
