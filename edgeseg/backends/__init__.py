"""Where pixel work runs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from edgeseg.backends.base import Backend, Labels

if TYPE_CHECKING:
    from edgeseg.backends.cuda import CudaBackend
    from edgeseg.backends.options import DetectOptions, Nms
    from edgeseg.device import CudaDevice
    from edgeseg.engines.base import DeviceEngine, Engine
    from edgeseg.types import Detections, Frame, Letterbox, Model, Seen

__all__ = ["Backend", "Labels", "Stations", "open_backend", "stations"]


def open_backend(
    name: str,
    model: Model,
    *,
    device: CudaDevice | None = None,
    conf: float = 0.25,
    iou: float = 0.45,
    labels: Labels | Literal["auto"] = "auto",
    nms: Nms = "greedy",
    agnostic: bool = False,
    max_detections: int = 300,
    class_ids: Collection[int] | None = None,
    masks: bool = True,
) -> Backend | CudaBackend:
    """Open the backend `cpu` or `cuda` for `model`; `auto` is the best this machine has.

    `device` is for `cuda`: GPU 0 unless given. The options are those of
    `DetectOptions`; `labels` auto is as the network's own program has it.
    Raises DeviceError when CUDA is asked for and cannot be had, ConfigError
    for what it cannot do, ValueError for an unknown name or option.
    """
    options = detect_options(
        model,
        conf=conf,
        iou=iou,
        labels=labels,
        nms=nms,
        agnostic=agnostic,
        max_detections=max_detections,
        class_ids=class_ids,
        masks=masks,
    )
    if name not in ("cpu", "cuda") or model.family != "darknet":
        from edgeseg.placement import place_for

        place = place_for(name, nms=nms, family=model.family)
        name, device = place.backend, place.device
    if name == "cpu":
        return _open_on_cpu(model, options)
    from edgeseg.backends.cuda import CudaBackend
    from edgeseg.device import open_device

    return CudaBackend(model, device or open_device(), options)


def detect_options(
    model: Model,
    *,
    labels: Labels | Literal["auto"] = "auto",
    class_ids: Collection[int] | None = None,
    **more: Any,
) -> DetectOptions:
    """Give the options of `open_backend` as `DetectOptions`. Raises ValueError."""
    from edgeseg.backends.options import DetectOptions

    if labels == "auto":
        labels = "multi" if model.family == "darknet" else "best"
    kept = None if class_ids is None else frozenset(class_ids)
    return DetectOptions(labels=labels, class_ids=kept, **more)


def _open_on_cpu(model: Model, options: DetectOptions) -> Backend:
    """Open the CPU's backend for the family of a network."""
    if model.family == "darknet":
        from edgeseg.backends.cpu import CpuBackend

        return CpuBackend(model, options)
    if model.family == "semantic":
        from edgeseg.backends.semantic import SemanticBackend

        return SemanticBackend(model, options.class_ids)
    from edgeseg.backends.yolo import YoloBackend

    return YoloBackend(model, options)


@dataclass(frozen=True, slots=True)
class Stations:
    """The network's stations, for one thread; what one gives, the next takes."""

    preprocess: Callable[[Frame], Any]
    infer: Callable[[Any], Any]
    detect: Callable[[Any, Letterbox], Detections | Seen]
    close: Callable[[], None]
    """Before engine and backend are closed."""


def stations(
    backend: Backend | CudaBackend, engine: Engine | DeviceEngine, *, slot: int = 0
) -> Stations:
    """Join a backend and an engine of the same device; on a GPU with one graph a frame."""
    from edgeseg.backends.cuda import CudaBackend

    if isinstance(backend, CudaBackend):
        from edgeseg.backends.chain import Chain

        chain = Chain(backend, cast("DeviceEngine", engine), slot=slot)  # so says open_engine
        return Stations(chain.preprocess, chain.infer, chain.detect, chain.close)
    return Stations(backend.preprocess, engine.infer, backend.detect, lambda: None)
