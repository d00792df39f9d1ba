"""The class of every pixel, from a semantic network's scores, on the CPU."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg import _native
from edgeseg.backends.cpu import wanted_classes
from edgeseg.backends.feeding import Feeder
from edgeseg.errors import EngineError
from edgeseg.network_spec import SemanticOutputs
from edgeseg.types import (
    NO_CLASS,
    Batch,
    ClassMap,
    Detections,
    Frame,
    Heads,
    Letterbox,
    Model,
    Seen,
)


class SemanticBackend:
    """Input and class map of a semantic network, for the frames of one thread."""

    name = "cpu"

    def __init__(self, model: Model, class_ids: frozenset[int] | None = None) -> None:
        """Prepare for `model`; pixels of classes other than `class_ids` become background.

        Raises ValueError when it is no semantic network, or has no such class.
        """
        if not isinstance(model.outputs, SemanticOutputs):
            said = f"{model.name} is no semantic network, it is {model.family}"
            raise ValueError(said)  # noqa: TRY004 - the value is wrong, not the type
        self._outputs = model.outputs
        self._background = model.outputs.background
        self._kept = None
        wanted = wanted_classes(class_ids, len(model.class_names))
        if wanted is not None:
            self._background = NO_CLASS if self._background is None else self._background
            self._kept = np.full(NO_CLASS + 1, self._background, np.uint16)
            self._kept[: len(wanted)][wanted] = np.flatnonzero(wanted)
        self._feeder = Feeder(model)

    def preprocess(self, frame: Frame) -> Batch:
        """Bring a frame to the network's input. The batch is valid until the next call."""
        return self._feeder.feed(frame)

    def detect(self, heads: Heads, letterbox: Letterbox) -> Seen:
        """Turn scores into a class map, without detections."""
        classes = classes_of(heads[0], self._outputs)
        if self._kept is not None:
            classes = self._kept[classes]
        rows, columns = classes.shape
        across, down = columns / letterbox.net_px[0], rows / letterbox.net_px[1]
        x, y, width, height = letterbox.region_net
        region = (x * across, y * down, width * across, height * down)
        return Seen(Detections.empty(), class_map=ClassMap(classes, region, self._background))

    def close(self) -> None:
        """Release memory."""
        self._feeder.close()


def classes_of(scores: NDArray[np.generic], outputs: SemanticOutputs) -> NDArray[np.uint16]:
    """Give uint16[rows, columns], the class of each pixel, as `outputs` says.

    Raises EngineError when the network gives another shape than its file says.
    """
    channel_axis = 1 if outputs.layout == "nchw" else 3
    if outputs.kind == "index":
        return _indices(scores.squeeze(channel_axis) if scores.ndim == 4 else scores, outputs)
    if scores.ndim != 4 or scores.shape[0] != 1 or scores.shape[channel_axis] != outputs.channels:
        raise _unlike(scores, outputs)
    values = scores[0].astype(np.float32, copy=False)
    axis: Literal[0, 2] = 0 if outputs.layout == "nchw" else 2
    if outputs.kind == "foreground":
        # Not `<=` the other way round: NaN is above nothing.
        found: NDArray[np.uint16] = (values.take(0, axis=axis) > outputs.floor).astype(np.uint16)
        return found
    if outputs.kind == "best":
        return _native.argmax(values, axis=axis)
    below = NO_CLASS if outputs.background is None else outputs.background
    return _native.argmax(values, axis=axis, floor=outputs.floor, below=below)


def _indices(classes: NDArray[np.generic], outputs: SemanticOutputs) -> NDArray[np.uint16]:
    if classes.ndim != 3 or classes.shape[0] != 1:
        raise _unlike(classes, outputs)
    # What is out of range (a negative mark for "ignore") is of no class.
    found: NDArray[np.uint16] = np.where(
        (classes[0] >= 0) & (classes[0] < NO_CLASS),
        classes[0],
        NO_CLASS,
    ).astype(np.uint16)
    return found


def _unlike(scores: NDArray[np.generic], outputs: SemanticOutputs) -> EngineError:
    return EngineError(
        f"the network gave {scores.dtype}{list(scores.shape)} as {outputs.scores}, "
        f"not scores of {outputs.channels} channels, {outputs.layout}",
        hint="Is its side TOML right? See docs/MODELS.md.",
    )
