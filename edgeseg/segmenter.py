"""The Python API: a loaded network that takes pictures or whole sources."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.followers import Follower, closing_all, open_followers
from edgeseg.pipeline import Lane, Pipeline
from edgeseg.settings import DEFAULT_MODEL, Settings, settings_from
from edgeseg.sources.base import Source
from edgeseg.types import Frame, Model, Result


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
        settings = settings_from(model=str(model), **options)
        self._load(settings, load_model(settings), throughput=False)

    @classmethod
    def from_settings(
        cls, settings: Settings, model: Model, *, throughput: bool = False
    ) -> Segmenter:
        """Load `model` as `settings` say; `throughput`: see `open_engine`."""
        segmenter = cls.__new__(cls)
        segmenter._load(settings, model, throughput=throughput)
        return segmenter

    def _load(self, settings: Settings, model: Model, *, throughput: bool) -> None:
        from edgeseg.backends import open_backend
        from edgeseg.engines import open_engine

        options = _detect_options(settings, model)
        self._settings = settings
        first = open_backend(settings.backend, model, **options)
        self.model = model
        self.engine = open_engine(
            settings.engine,
            model,
            backend=first.name,
            precision=settings.precision,
            threads=settings.threads,
            throughput=throughput,
        )
        # A backend reuses its memory from frame to frame, so each lane has its own.
        more = (open_backend(first.name, model, **options) for _ in range(1, self.engine.lanes))
        self.backends = [first, *more]
        self._lanes = [
            Lane(backend.preprocess, self.engine.infer, backend.detect, model.class_names)
            for backend in self.backends
        ]
        self._followers = open_followers(settings, None)
        self._one_at_a_time = threading.Lock()

    def predict(self, image: NDArray[np.uint8] | str | Path) -> Result:
        """Look at one picture: uint8[H, W, 3] BGR, or a picture file. Safe from several threads.

        Raises SourceOpenError for a file that is no picture, ValueError for an
        array of another kind.
        """
        frame = Frame(image) if isinstance(image, np.ndarray) else _read_picture(Path(image))
        with self._one_at_a_time:
            result = self._lanes[0].perceive(frame)
            for follower in self._followers:
                result = follower.follow(result)
            return result

    def pipeline(
        self,
        source: Source,
        *,
        followers: Sequence[Follower] = (),
        max_frames: int | None = None,
    ) -> Pipeline:
        """Join an open source and this network; one pipeline at a time."""
        return Pipeline(
            source,
            self._lanes,
            followers=followers,
            detect_every=self._settings.detect_every,
            max_frames=max_frames,
        )

    def retune(self, settings: Settings) -> bool:
        """Take the options of detection from `settings`, from the next frame on.

        Gives False, and changes nothing, when a backend cannot do so while it
        runs. May be called from another thread. Raises ConfigError.
        """
        from edgeseg.backends.options import DetectOptions

        options = DetectOptions(**_detect_options(settings, self.model))
        tunes = [getattr(backend, "retune", None) for backend in self.backends]
        for tune in tunes:
            if tune is not None and None not in tunes:
                tune(options)
        return None not in tunes

    def close(self) -> None:
        """Release the network."""
        for follower in self._followers:
            follower.close()
        self.engine.close()
        for backend in self.backends:
            backend.close()

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
    from edgeseg.sources import check_source

    settings = settings_from(source=str(source), **options)
    check_source(settings.uri)
    model = load_model(settings)
    with (
        contextlib.closing(load_source(settings)) as opened,
        Segmenter.from_settings(settings, model, throughput=not opened.info.live) as segmenter,
        closing_all(open_followers(settings, opened.info)) as followers,
    ):
        pipeline = segmenter.pipeline(opened, followers=followers, max_frames=settings.max_frames)
        yield from pipeline.results()


def _detect_options(settings: Settings, model: Model) -> dict[str, Any]:
    """Give the options of `DetectOptions`. Raises ConfigError for a class the model lacks."""
    return {
        "conf": settings.conf,
        "iou": settings.iou,
        "labels": settings.labels,
        "nms": settings.nms,
        "agnostic": settings.agnostic,
        "class_ids": settings.class_ids(model.class_names),
    }


def load_model(settings: Settings) -> Model:
    """Give the model the settings name; pulls and converts it when needed."""
    from edgeseg.models import open_model

    return open_model(
        settings.model, weights=settings.weights, names=settings.names, size=settings.input_px
    )


def load_source(settings: Settings) -> Source:
    """Open the source the settings name."""
    from edgeseg.sources import SourceOptions, open_source

    options = SourceOptions(
        size_px=settings.camera_px,
        fps=settings.camera_fps,
        pixel_format=settings.pixel_format,
        reconnect_s=settings.reconnect_s,
    )
    return open_source(settings.uri, options)


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
