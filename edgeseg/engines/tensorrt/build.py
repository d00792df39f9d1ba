"""Build a TensorRT plan from a model: the whole way, in order."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from edgeseg.engines.tensorrt import bindings as b
from edgeseg.engines.tensorrt.api import Api
from edgeseg.engines.tensorrt.device import Device
from edgeseg.engines.tensorrt.memory import (
    free_memory,
    needed_bytes,
    peak_rss_bytes,
    refuse_too_little,
    workspace_bytes,
)
from edgeseg.engines.tensorrt.network import (
    Batches,
    Placement,
    bound_batch,
    open_builder,
    parse_network,
    place_on_dla,
)
from edgeseg.engines.tensorrt.watch import Messages, Phases, Progress, open_logger, open_monitor
from edgeseg.errors import BuildCancelledError, EngineError
from edgeseg.files import written_aside
from edgeseg.service.notify import telling
from edgeseg.types import Model

LAST_STEP_S = 600.0
"""How long a cancelled build may take to finish its step; one tactic can take a minute."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build; what is not here lies in the ONNX file."""

    batches: Batches = (1, 1, 1)
    """Smallest, usual and largest, for a model whose batch is open."""
    workspace_bytes: int | None = None
    """Scratch memory of the builder; None chooses it from what is free."""
    dla: int | None = None
    """DLA core, with the GPU for what it cannot run."""
    timing_cache: Path | None = None
    """File of earlier measurements; made when it is missing. TensorRT-RTX has none."""
    ignore_memory: bool = False
    """Build although the memory seems too small."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who follows a build, and may stop it."""

    progress: Progress | None = None
    on_placement: Callable[[Placement], None] | None = None
    """Hears before the build which layers a DLA takes."""
    cancelled: threading.Event | None = None
    """Stops the build after its present step, as Ctrl-C does."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build was."""

    size_bytes: int
    seconds: float
    peak_rss_bytes: int
    """Of the whole process, up to now."""
    workspace_bytes: int
    layers: int
    placement: Placement | None
    warnings: tuple[str, ...]


def build_plan(
    model: Model,
    output: Path,
    api: Api,
    *,
    device: Device | None = None,
    options: BuildOptions = BuildOptions(),
    watch: Watch = Watch(),
) -> Built:
    """Build `model` and write the plan to `output`, which appears when it is complete.

    Ctrl-C stops the build after its present step. Raises EngineError with what
    TensorRT said; BuildCancelledError; OSError for `output`.
    """
    memory = free_memory(device)
    model_bytes = model.onnx_path.stat().st_size
    if not options.ignore_memory:
        refuse_too_little(memory, model_bytes, rtx=api.rtx, name=model.name)
    workspace = options.workspace_bytes or workspace_bytes(
        memory, needed_bytes(model_bytes, rtx=api.rtx)
    )
    start_s = time.monotonic()
    with warnings.catch_warnings():
        # TensorRT 11 deprecates what TensorRT 10 needs; both are served here.
        warnings.simplefilter("ignore", DeprecationWarning)
        job = _Job(api, model, options, workspace, watch)
        stop = watch.cancelled or threading.Event()
        phases = Phases(telling(watch.progress), stop)
        plan = _in_thread(lambda: job.build(phases), stop)
        if plan is None or stop.is_set():  # TensorRT may finish before it looks
            raise _failure(job, phases, stop)
        with written_aside(output) as aside, aside.open("wb") as file:
            file.write(memoryview(cast("bytes", plan)))
        job.keep_timings()
    return Built(
        size_bytes=plan.nbytes,
        seconds=time.monotonic() - start_s,
        peak_rss_bytes=peak_rss_bytes(),
        workspace_bytes=workspace,
        layers=job.network.num_layers,
        placement=job.placement,
        warnings=tuple(dict.fromkeys(job.messages.warnings)),
    )


class _Job:
    """One network and its settings; holds everything TensorRT must not lose meanwhile."""

    def __init__(
        self,
        api: Api,
        model: Model,
        options: BuildOptions,
        workspace: int,
        watch: Watch,
    ) -> None:
        self.api = api
        self.model = model
        self.messages = Messages()
        self.placement: Placement | None = None
        self._logger = open_logger(api, self.messages)
        self._builder = open_builder(api, self._logger, self.messages)
        self.network, self._parser = parse_network(
            api, self._builder, self._logger, self.messages, model
        )
        self._config = self._builder.create_builder_config()
        self._config.set_memory_pool_limit(api.trt.MemoryPoolType.WORKSPACE, workspace)
        if api.rtx:
            # Else it may allocate while it runs, which no graph can hold.
            self._config.set_flag(api.trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
        bound_batch(self._builder, self._config, self.network, options.batches)
        if options.dla is not None:
            self.placement = place_on_dla(
                api, self._builder, self._config, self.network, options.dla
            )
            if watch.on_placement is not None:
                watch.on_placement(self.placement)
        self._timings = None if api.rtx else options.timing_cache
        self._load_timings()

    def build(self, phases: Phases) -> b.IHostMemory | None:
        """Build; None after errors or when it was stopped."""
        self._config.progress_monitor = open_monitor(self.api, phases)
        return self._builder.build_serialized_network(self.network, self._config)

    def _load_timings(self) -> None:
        """Use what earlier builds measured; start afresh where it does not fit."""
        if self._timings is None:
            return
        content = b""
        with contextlib.suppress(OSError):
            content = self._timings.read_bytes()
        for known in (content, b"") if content else (b"",):
            cache = self._config.create_timing_cache(known)
            if cache is not None and self._config.set_timing_cache(cache, False):
                return
        self._timings = None

    def keep_timings(self) -> None:
        """Write what this build measured; without room for it the next build is slower."""
        if self._timings is None:
            return
        cache = self._config.get_timing_cache()
        if cache is None:
            return
        with contextlib.suppress(OSError), written_aside(self._timings) as aside:
            aside.write_bytes(memoryview(cast("bytes", cache.serialize())))


def _failure(job: _Job, phases: Phases, stop: threading.Event) -> Exception:
    """Say why there is no plan."""
    if phases.failure is not None:
        return phases.failure
    if stop.is_set():
        return BuildCancelledError(
            f"the build of {job.model.name} was stopped; nothing was written"
        )
    return EngineError(
        f"{job.api.name} cannot build {job.model.name}: "
        f"{job.messages.reason() or 'it does not say why'}",
        hint="If memory is short, close programs or give less scratch memory: --workspace-mb 256",
    )


def _in_thread(
    build: Callable[[], b.IHostMemory | None], stop: threading.Event
) -> b.IHostMemory | None:
    """Run the build beside this thread, so that Ctrl-C reaches Python during it.

    TensorRT calls back from its own threads; an exception must not pass
    through it. A second Ctrl-C does not wait for the step in progress.
    """
    results: list[b.IHostMemory | None] = []
    failures: list[BaseException] = []
    # Thread.join() before Python 3.13 takes a thread for ended when Ctrl-C interrupts it.
    ended = threading.Event()

    def body() -> None:
        try:
            results.append(build())
        except BaseException as error:  # noqa: BLE001 - carried over to the caller
            failures.append(error)
        finally:
            ended.set()

    try:
        threading.Thread(target=body, name="tensorrt-build", daemon=True).start()
        while not ended.wait(0.2):
            pass
    except KeyboardInterrupt:
        stop.set()
        if not ended.wait(LAST_STEP_S):
            raise
    if failures:
        raise failures[0]
    return results[0]


def refuse_unloadable(api: Api, plan: Path) -> None:
    """Load a plan on the GPU and drop it again. Raises EngineError with TensorRT's reason."""
    messages = Messages()
    logger = open_logger(api, messages)
    runtime = api.trt.Runtime(logger)
    if runtime.deserialize_cuda_engine(plan.read_bytes()) is None:
        raise EngineError(
            f"{api.name} cannot load {plan}: {messages.reason() or 'it does not say why'}",
            hint=load_hint(api),
        )


def load_hint(api: Api) -> str:
    """Say what to do about a plan that does not load."""
    again = "Build it again: edgeseg engines build MODEL --rebuild"
    if not api.rtx:
        return again
    return (
        f"{again}. TensorRT-RTX knows GPUs of compute capability 7.5, 8.0, 8.6, 8.9, 12.0 and "
        "12.1: for another (edgeseg doctor) install TensorRT, or use --backend cpu"
    )
