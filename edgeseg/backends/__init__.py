"""Where pixel work runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from edgeseg.backends.base import Backend, Labels
from edgeseg.errors import DeviceError

if TYPE_CHECKING:
    from edgeseg.backends.options import DetectOptions, Nms
    from edgeseg.types import Model

__all__ = ["Backend", "Labels", "open_backend"]

NAMES = ("auto", "cpu", "cuda")


def open_backend(
    name: str,
    model: Model,
    *,
    conf: float = 0.25,
    iou: float = 0.45,
    labels: Labels | Literal["auto"] = "auto",
    nms: Nms = "greedy",
    agnostic: bool = False,
    max_detections: int = 300,
    class_ids: Collection[int] | None = None,
    masks: bool = True,
) -> Backend:
    """Open the backend `cpu` or `cuda` for `model`; `auto` is the best this machine has.

    The options are those of `DetectOptions`; `labels` auto is as the network's own
    program has it. Raises DeviceError when CUDA is asked for and cannot be had,
    ValueError for an unknown name or option.
    """
    from edgeseg.backends.cpu import CpuBackend
    from edgeseg.backends.options import DetectOptions

    if labels == "auto":
        labels = "multi" if model.family == "darknet" else "best"
    options = DetectOptions(
        conf=conf,
        iou=iou,
        labels=labels,
        nms=nms,
        agnostic=agnostic,
        max_detections=max_detections,
        class_ids=None if class_ids is None else frozenset(class_ids),
        masks=masks,
    )
    if name not in NAMES:
        raise ValueError(f"a backend is one of {', '.join(NAMES)}, got {name!r}")
    if model.family != "darknet":
        return _open_for_family(name, model, options)
    if name == "cuda":
        raise _no_cuda()
    return CpuBackend(model, options)


def _open_for_family(name: str, model: Model, options: DetectOptions) -> Backend:
    """Open the backend for a network that edgeseg did not export: the CPU's."""
    if name == "cuda":
        raise DeviceError(
            f"{model.name} is of the family {model.family}, which edgeseg reads on the CPU only",
            hint="Leave out --backend, or use --backend cpu.",
        )
    if model.family == "semantic":
        from edgeseg.backends.semantic import SemanticBackend

        return SemanticBackend(model, options.class_ids)
    from edgeseg.backends.yolo import YoloBackend

    return YoloBackend(model, options)


def _no_cuda() -> DeviceError:
    from edgeseg import _native

    cpu = "or use the CPU: --backend cpu"
    if not _native.cuda_built():
        return DeviceError(
            "this build of edgeseg has no CUDA kernels",
            hint=f"Install the CUDA toolkit and reinstall edgeseg from source, {cpu}",
        )
    status = _native.cuda_status()
    if status["devices"] == 0:
        return DeviceError(
            f"no CUDA device can be used: {status['error'] or 'the driver reports none'}",
            hint=f"See what is missing: edgeseg doctor, {cpu}",
        )
    return DeviceError(
        "the CUDA ops of this version have no backend yet",
        hint="Use the CPU: --backend cpu",
    )
