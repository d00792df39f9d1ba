"""The Python API: a loaded network that takes pictures or whole sources."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.pipeline import Pipeline
from edgeseg.settings import DEFAULT_MODEL, Settings, settings_from
from edgeseg.sources.base import Source
from edgeseg.types import Frame, Result


class Segmenter:
    """A network, ready to look at pictures.

    Takes the options of `edgeseg run` as keywords (docs/OPTIONS.md): `conf`,
    `iou`, `size`, `classes`, `threads`, … Raises ConfigError, ModelError,
    EngineError, DeviceError, MissingDependencyError.

        with edgeseg.Segmenter("yolov3-tiny", conf=0.4) as segmenter:
            result = segmenter.predict("dog.jpg")
            print(result.detections.boxes_px, result.to_dict())
    """

    def __init__(self, model: str | Path = DEFAULT_MODEL, **options: Any) -> None:
        self._load(settings_from(model=str(model), **options))

    @classmethod
    def from_settings(cls, settings: Settings) -> Segmenter:
        """Load what `settings` name."""
        segmenter = cls.__new__(cls)
        segmenter._load(settings)
        return segmenter

    def _load(self, settings: Settings) -> None:
        from edgeseg.backends import open_backend
        from edgeseg.engines import open_engine
        from edgeseg.models import open_model

        self.model = open_model(
            settings.model,
            weights=settings.weights,
            names=settings.names,
            size=settings.input_px,
        )
        self.backend = open_backend(
            settings.backend,
            self.model,
            conf=settings.conf,
            iou=settings.iou,
            labels=settings.labels,
            nms=settings.nms,
            agnostic=settings.agnostic,
            class_ids=settings.class_ids(self.model.class_names),
        )
        self.engine = open_engine(
            settings.engine,
            self.model,
            backend=self.backend.name,
            precision=settings.precision,
            threads=settings.threads,
        )
        self._one_at_a_time = threading.Lock()

    def predict(self, image: NDArray[np.uint8] | str | Path) -> Result:
        """Look at one picture: uint8[H, W, 3] BGR, or a picture file. Safe from several threads.

        Raises SourceOpenError for a file that is no picture, ValueError for an
        array of another kind.
        """
        frame = Frame(image) if isinstance(image, np.ndarray) else _read_picture(Path(image))
        with self._one_at_a_time:
            batch = self.backend.preprocess(frame)
            heads = self.engine.infer(batch)
            detections = self.backend.detect(heads, batch.letterboxes[0])
        return Result(frame, detections, self.model.class_names)

    def pipeline(self, source: Source, *, max_frames: int | None = None) -> Pipeline:
        """Join an open source and this network; one pipeline at a time."""
        return Pipeline(
            source,
            self.backend,
            self.engine,
            class_names=self.model.class_names,
            max_frames=max_frames,
        )

    def close(self) -> None:
        """Release the network."""
        self.engine.close()
        self.backend.close()

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def stream(source: str | Path, **options: Any) -> Iterator[Result]:
    """Give the result of each frame of a source, as `edgeseg run` would see it.

    `source` is anything `edgeseg run` takes: a file, a folder, `camera://0`,
    an address. Options as in `Segmenter`. Stopping the loop stops the threads.

        for result in edgeseg.stream("clip.mp4", model="yolov3-tiny"):
            print(result.frame.index, len(result.detections))
    """
    settings = settings_from(source=str(source), **options)
    from edgeseg.sources import open_source

    with Segmenter.from_settings(settings) as segmenter:
        opened = open_source(settings.uri, source_options(settings))
        pipeline = segmenter.pipeline(opened, max_frames=settings.max_frames)
        yield from pipeline.results()


def source_options(settings: Settings) -> Any:
    """Give the part of the settings that sources understand."""
    from edgeseg.sources import SourceOptions

    return SourceOptions(
        size_px=settings.camera_px,
        fps=settings.camera_fps,
        pixel_format=settings.pixel_format,
        reconnect_s=settings.reconnect_s,
    )


def _read_picture(path: Path) -> Frame:
    from edgeseg.sources import SourceOptions, open_source

    source = open_source(str(path), SourceOptions())
    try:
        frame = source.read()
    finally:
        source.close()
    if frame is None:
        raise ValueError(f"{path} holds no picture")
    return frame
