"""The Python API: a loaded network that takes pictures or whole sources."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.followers import Follower, closing_all, lowest_score, open_followers
from edgeseg.motion.follower import CLASS_NAMES as MOVING
from edgeseg.pipeline import Lane, OpenLane, Perceiver, Pipeline
from edgeseg.settings import DEFAULT_MODEL, Settings, settings_from
from edgeseg.sources.base import Source, SourceInfo
from edgeseg.types import Frame, Model, Result

if TYPE_CHECKING:
    from edgeseg.backends import Stations
    from edgeseg.backends.base import Backend
    from edgeseg.backends.cuda import CudaBackend
    from edgeseg.engines import DeviceEngine, Engine
    from edgeseg.engines.first_use import FirstUse
    from edgeseg.placement import Place


class Segmenter:
    """A network, or what stands for one, ready to look at pictures.

    Takes the options of `edgeseg run` as keywords (docs/OPTIONS.md): `conf`,
    `iou`, `size`, `classes`, `threads`, … Raises ConfigError, ModelError,
    EngineError, DeviceError, MissingDependencyError.

        with edgeseg.Segmenter("yolov3-tiny", conf=0.4) as segmenter:
            result = segmenter.predict("dog.jpg")
            print(result.detections.boxes_px, result.to_dict())
    """

    def __init__(self, model: str | Path = DEFAULT_MODEL, **options: Any) -> None:
        settings = settings_from(model=str(model), **options)
        self._load(settings, load_model(settings), None)

    @classmethod
    def from_settings(
        cls, settings: Settings, model: Model | None, source: SourceInfo, *, bar: bool = False
    ) -> Segmenter:
        """Load `model`, if any, as `settings` say, for the frames of a source.

        `bar`: see `FirstUse`.
        """
        segmenter = cls.__new__(cls)
        segmenter._load(settings, model, source, bar=bar)
        return segmenter

    def _load(
        self,
        settings: Settings,
        model: Model | None,
        source: SourceInfo | None,
        *,
        bar: bool = False,
    ) -> None:
        self._settings = settings
        self._source = source
        self.model = model
        self.place: Place | None = None
        """Where the network runs; None without one."""
        self.engine: Engine | DeviceEngine | None = None
        self.backends: list[Backend | CudaBackend] = []
        self._stations: list[Stations] = []
        self._lanes: list[Perceiver] = []
        if model is None:
            self.class_names: tuple[str, ...] = MOVING
            self._lanes = [OpenLane(MOVING)]
        else:
            self.class_names = model.class_names
            self._load_network(settings, model, source, bar=bar)
        self._followers: Sequence[Follower] | None = None
        self._running: Sequence[Follower] = ()
        self._one_at_a_time = threading.Lock()

    def _load_network(
        self, settings: Settings, model: Model, source: SourceInfo | None, *, bar: bool
    ) -> None:
        from edgeseg.backends import open_backend, stations
        from edgeseg.engines import open_engine
        from edgeseg.placement import place_for

        options = _detect_options(settings, model, source)
        place = place_for(
            settings.backend,
            settings.engine,
            nms=settings.nms,
            index=settings.device,
            family=model.family,
        )
        self.place = place
        options["device"] = place.device
        first = open_backend(place.backend, model, **options)
        self.engine = open_engine(
            place.engine,
            model,
            backend=first.name,
            device=place.device,
            precision=settings.precision,
            threads=settings.threads,
            throughput=source is not None and not source.live,
            first_use=first_use(settings, bar=bar) if place.device is not None else None,
        )
        # A backend reuses its memory from frame to frame, so each lane has its own.
        more = (open_backend(first.name, model, **options) for _ in range(1, self.engine.lanes))
        self.backends = [first, *more]
        self._stations = [
            stations(backend, self.engine, slot=slot) for slot, backend in enumerate(self.backends)
        ]
        self._lanes = [
            Lane(joined.preprocess, joined.infer, joined.detect, model.class_names)
            for joined in self._stations
        ]

    @property
    def description(self) -> tuple[str, str, str]:
        """Model, engine and backend in words, for people."""
        if self.model is None or self.engine is None:
            return f"none ({self._settings.segment})", "none", "cpu"
        size_px = self.model.input_px
        words = f"{self.model.name} {size_px[0]}x{size_px[1]}"
        return words, self.engine.description, self.backends[0].name

    def predict(self, image: NDArray[np.uint8] | str | Path) -> Result:
        """Look at one picture: uint8[H, W, 3] BGR, or a picture file. Safe from several threads.

        An array on the GPU (anything with `__cuda_array_interface__`) is read
        where it is. Raises SourceOpenError for a file that is no picture,
        ValueError for an array of another kind.
        """
        is_file = isinstance(image, (str, Path))
        frame = _read_picture(Path(image)) if is_file else Frame(image)  # type: ignore[arg-type]
        with self._one_at_a_time:
            result = self._lanes[0].perceive(frame)
            if self._followers is None:
                self._followers = open_followers(self._settings, None, self.model, self.place)
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
        self._running = followers
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
        from edgeseg.backends import detect_options
        from edgeseg.backends.base import Tunable
        from edgeseg.tracking import TrackFollower

        if self.model is None:
            return False
        options = detect_options(self.model, **_detect_options(settings, self.model, self._source))
        tunable = [backend for backend in self.backends if isinstance(backend, Tunable)]
        if len(tunable) < len(self.backends):
            return False
        for backend in tunable:
            backend.retune(options)
        for follower in self._running:
            if isinstance(follower, TrackFollower):
                follower.retune(settings.conf)
        return True

    def close(self) -> None:
        """Release the network."""
        for follower in self._followers or ():
            follower.close()
        for joined in self._stations:
            joined.close()
        if self.engine is not None:
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
        Segmenter.from_settings(settings, model, opened.info) as segmenter,
        closing_all(open_followers(settings, opened.info, model, segmenter.place)) as followers,
    ):
        pipeline = segmenter.pipeline(opened, followers=followers, max_frames=settings.max_frames)
        yield from pipeline.results()


def _detect_options(settings: Settings, model: Model, source: SourceInfo | None) -> dict[str, Any]:
    """Give the options of `DetectOptions`. Raises ConfigError for a class the model lacks."""
    return {
        "conf": lowest_score(settings, source),
        "iou": settings.iou,
        "labels": settings.labels,
        "nms": settings.nms,
        "agnostic": settings.agnostic,
        "class_ids": settings.class_ids(model.class_names),
        "masks": settings.masks != "off",
    }


def first_use(settings: Settings, *, bar: bool) -> FirstUse:
    """Say how a TensorRT engine is made and proven when there is none yet."""
    from edgeseg.engines.first_use import FirstUse
    from edgeseg.engines.proof import real_frames
    from edgeseg.models import open_model
    from edgeseg.quantize.recipe import Recipe

    def variant(precision: str) -> Model | None:
        if precision != "fp16" or settings.model.lower().endswith(".onnx"):
            return None
        return open_model(
            settings.model,
            weights=settings.weights,
            names=settings.names,
            size=settings.input_px,
            recipe=Recipe("fp16", io="fp16"),
        )

    return FirstUse(variant, lambda: real_frames(settings.source), bar)


def load_model(settings: Settings) -> Model | None:
    """Give the model a run needs: None where no network is asked for, `--segment motion`."""
    return None if settings.segment == "motion" else load_network(settings)


def load_network(settings: Settings) -> Model:
    """Give the model the settings name; pulls and converts it when needed."""
    from edgeseg.models import open_model

    return open_model(
        settings.model,
        weights=settings.weights,
        names=settings.names,
        size=settings.input_px,
        net_config=settings.net_config,
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
