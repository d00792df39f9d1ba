"""The engine that `edgeseg run` would use here, opened as it would open it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edgeseg.engines import open_engine
from edgeseg.placement import place_for
from edgeseg.segmenter import first_use, load_model
from edgeseg.selftest.checks import Finding
from edgeseg.selftest.on_gpu import Opened
from edgeseg.settings import settings_from

if TYPE_CHECKING:
    from edgeseg.device import CudaDevice
    from edgeseg.engines.base import DeviceEngine
    from edgeseg.settings import Settings
    from edgeseg.types import Frame


class Chosen:
    """The chosen engine, once `open` has passed."""

    def __init__(self, device: CudaDevice, settings: Settings) -> None:
        self._device = device
        self._settings = settings
        self._opened: Opened | None = None

    @property
    def opened(self) -> Opened:
        """The engine with its model; only after `open`."""
        assert self._opened is not None
        return self._opened

    def open(self) -> Finding:
        """Open it; built and proven when there is none yet."""
        settings = self._settings
        model = load_model(settings)
        place = place_for("cuda", index=self._device.index)
        engine = open_engine(
            place.engine,
            model,
            backend="cuda",
            device=self._device,
            precision=settings.precision,
            throughput=True,
            first_use=first_use(settings, bar=True),
        )
        model = getattr(engine, "model", model)
        self._opened = Opened(model, cast("DeviceEngine", engine))  # so says the backend
        return Finding(engine.description, {"precision": model.precision, "engine": engine.name})

    def close(self) -> None:
        """Release it."""
        if self._opened is not None:
            self._opened.engine.close()


@contextlib.contextmanager
def chosen_engine(
    device: CudaDevice, name: str, weights: Path | None, size: str | None, precision: str
) -> Iterator[Chosen]:
    """Give the engine that a run with these options would use."""
    settings = settings_from(
        model=name, weights=weights, size=size, precision=precision, device=device.index
    )
    chosen = Chosen(device, settings)
    try:
        yield chosen
    finally:
        chosen.close()


def gate_frames() -> list[Frame]:
    """Give real frames to compare on; none without the demo clip."""
    from edgeseg.engines.proof import real_frames

    return list(real_frames(None))
