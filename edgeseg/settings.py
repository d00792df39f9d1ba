"""Every option of `edgeseg run`, once.

This class alone makes the command-line flags, the keys of a TOML file, the
`EDGESEG_*` environment variables, the keyword arguments of the Python API and
the table in docs/OPTIONS.md (`python tools/write_options.py`).
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from edgeseg.errors import ConfigError
from edgeseg.sizes import parse_size

if TYPE_CHECKING:
    from edgeseg.types import Size

SOURCE = Group("Source", sort_key=1)
MODEL = Group("Model", sort_key=2)
DETECTION = Group("Detection", sort_key=3)
SEGMENTATION = Group("Segmentation", sort_key=4)
ENGINE = Group("Engine", sort_key=5)
OUTPUT = Group("Output", sort_key=6)
GENERAL = Group("General", sort_key=7)
SERVICE = Group("Service", sort_key=8)

DEFAULT_MODEL = "yolov3-tiny"


def _shown_default(value: Any) -> str | None:
    """Give what --help says of a default: nothing where the option is simply off."""
    return None if value in (None, (), False) else str(value)


def _option(group: Group, **more: Any) -> Parameter:
    return Parameter(group=group, negative=(), show_default=_shown_default, **more)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of a run; checked when made. Raises ConfigError."""

    source: Annotated[str | None, _option(SOURCE)] = field(default=None, kw_only=False)
    """Video, picture, folder, glob, rtsp:// http(s):// csi://0 test:// demo:// or stdin://."""
    camera: Annotated[str | None, _option(SOURCE)] = None
    """Camera number or /dev path; `edgeseg cameras` lists them."""
    camera_size: Annotated[str | None, _option(SOURCE)] = None
    """Picture size asked of the camera, as WIDTHxHEIGHT."""
    camera_fps: Annotated[float | None, _option(SOURCE)] = None
    """Frame rate asked of the camera."""
    pixel_format: Annotated[str | None, _option(SOURCE)] = None
    """Pixel format asked of the camera, such as MJPG or YUYV; MJPG is preferred."""
    reconnect_s: Annotated[float, _option(SOURCE, name="reconnect")] = 60.0
    """Seconds a lost live source is waited for; 0 gives up at once, inf never."""

    model: Annotated[str, _option(MODEL)] = DEFAULT_MODEL
    """Registry name, Darknet .cfg, or an .onnx of edgeseg or of a known family."""
    weights: Annotated[Path | None, _option(MODEL)] = None
    """Darknet weights; default: beside the cfg, same stem."""
    names: Annotated[Path | None, _option(MODEL)] = None
    """Class names, one a line; default: beside the cfg, else COCO's for 80 classes."""
    size: Annotated[str | None, _option(MODEL)] = None
    """Network input as 416 or 608x352 (WIDTHxHEIGHT); default: the model's own."""
    net_config: Annotated[Path | None, _option(MODEL)] = None
    """TOML that says how to feed and read an .onnx; default: beside it, same stem."""

    conf: Annotated[float, _option(DETECTION)] = 0.25
    """Lowest score (objectness times class probability) of a detection."""
    iou: Annotated[float, _option(DETECTION)] = 0.45
    """Overlap (intersection over union) above which the weaker box falls."""
    classes: Annotated[tuple[str, ...], _option(DETECTION, negative_iterable=())] = ()
    """Only these classes, by name or number, with commas between; repeatable."""
    labels: Annotated[Literal["auto", "multi", "best"], _option(DETECTION)] = "auto"
    """multi: a box may carry several classes. best: only its best. auto: as the network's own
    program has it, multi for Darknet, best for YOLO exports."""
    nms: Annotated[Literal["greedy", "diou", "soft"], _option(DETECTION)] = "greedy"
    """How overlapping boxes of a class compete."""
    agnostic: Annotated[bool, _option(DETECTION)] = False
    """Let boxes of different classes compete as well."""

    segment: Annotated[
        Literal["objects", "semantic", "motion", "foreground"], _option(SEGMENTATION)
    ] = "objects"
    """What to segment: objects, the class of each pixel, what moves, or all of the foreground."""
    masks: Annotated[Literal["auto", "off", "fast", "fine"], _option(SEGMENTATION)] = "auto"
    """Pixel masks: off, fast (one look at each object), fine (also in the mirror, and once more
    where the box is bad); auto is fast, or off where nothing can run the mask network."""
    mask_budget: Annotated[int, _option(SEGMENTATION)] = 50
    """Most objects of a frame that get a mask; large and old ones come first."""
    smooth: Annotated[Literal["on", "off"], _option(SEGMENTATION)] = "on"
    """Steady the masks of a tracked object over time."""
    track: Annotated[Literal["auto", "on", "off"], _option(SEGMENTATION)] = "auto"
    """Give each object an identity; auto is on for video and off for single pictures."""
    detect_every: Annotated[int, _option(SEGMENTATION)] = 1
    """Ask the network for every n-th frame only; the tracker carries boxes and masks between."""

    background: Annotated[str, _option(SEGMENTATION)] = "blur"
    """With --segment foreground: blur, cut (transparent), a colour as #RRGGBB, or a picture."""

    backend: Annotated[Literal["auto", "cpu", "cuda"], _option(ENGINE)] = "auto"
    """Where pixels are worked on."""
    engine: Annotated[Literal["auto", "onnxruntime", "tensorrt"], _option(ENGINE)] = "auto"
    """What runs the network."""
    device: Annotated[int, _option(ENGINE)] = 0
    """GPU to work on, counted from 0."""
    precision: Annotated[Literal["auto", "fp32", "fp16", "int8"], _option(ENGINE)] = "auto"
    """Arithmetic of the network; auto is the best the engine can prove."""
    threads: Annotated[int, _option(ENGINE)] = 0
    """Threads of the network on the CPU; 0 uses all cores this process may use."""

    sink: Annotated[tuple[str, ...], _option(OUTPUT, negative_iterable=())] = ()
    """Where results go: a file (.mp4 .jsonl .csv) or KIND:PATH, see `edgeseg sinks`; repeatable."""
    show: Annotated[bool, _option(OUTPUT)] = False
    """Open a window as well."""
    headless: Annotated[bool, _option(OUTPUT)] = False
    """Never open a window."""
    output: Annotated[Path, _option(OUTPUT)] = Path("edgeseg-out")
    """Folder for the files a run writes when no sink is named."""
    summary: Annotated[Path | None, _option(OUTPUT)] = None
    """Write the run's summary to this file as well, as JSON."""
    max_frames: Annotated[int | None, _option(OUTPUT)] = None
    """Stop after this many frames."""

    config: Annotated[Path | None, _option(GENERAL)] = None
    """TOML file with any of these options; default: ./edgeseg.toml, then the user's config.toml."""
    verbose: Annotated[bool, _option(GENERAL, alias="-v")] = False
    """Log more, with tracebacks."""

    health: Annotated[str | None, _option(SERVICE)] = None
    """Serve /healthz, /readyz and /metrics at PORT, HOST:PORT or unix:/path; a port is local."""
    flight_record: Annotated[str | None, _option(SERVICE)] = None
    """Folder for the last seconds before a crash, see `edgeseg replay`; a service's own, or off."""

    def __post_init__(self) -> None:
        _check_number("conf", self.conf, 0.0, 1.0)
        _check_number("iou", self.iou, 0.0, 1.0)
        _check_number("reconnect", self.reconnect_s, 0.0, float("inf"))
        _check_number("threads", self.threads, 0, 1024)
        _check_number("mask-budget", self.mask_budget, 0, 10_000)
        _check_number("detect-every", self.detect_every, 1, 1000)
        if self.detect_every > 1 and self.track == "off":
            raise ConfigError(
                f"--detect-every {self.detect_every} needs tracking, and --track is off",
                hint="Leave out --track off.",
            )
        _check_number("device", self.device, 0, 1023)
        _check_background(self.background)
        if self.camera_fps is not None:
            _check_number("camera-fps", self.camera_fps, 0.1, 1000.0)
        if self.max_frames is not None:
            _check_number("max-frames", self.max_frames, 1, 2**62)
        for name, text in (("size", self.size), ("camera-size", self.camera_size)):
            if text is not None:
                _checked_size(name, text)
        if self.source is not None and self.camera is not None:
            raise ConfigError(
                f"--source {self.source} and --camera {self.camera} are two sources",
                hint="Name one of them.",
            )
        if self.health is not None:
            from edgeseg.service.address import parse_address

            parse_address(self.health, "health")
        if self.show and self.headless:
            raise ConfigError("--show and --headless contradict each other", hint="Leave one out.")

    @property
    def input_px(self) -> Size | None:
        """Network input size asked for, or None for the model's own."""
        return None if self.size is None else _checked_size("size", self.size)

    @property
    def camera_px(self) -> Size | None:
        """Camera picture size asked for."""
        return None if self.camera_size is None else _checked_size("camera-size", self.camera_size)

    @property
    def uri(self) -> str:
        """The source as one URI. Raises ConfigError when none was named."""
        if self.camera is not None:
            return f"camera://{self.camera}"
        if self.source is None:
            raise ConfigError(
                "no source named",
                hint="Try: edgeseg run demo://   or: edgeseg run --camera 0   or: edgeseg run FILE",
            )
        return self.source

    def class_ids(self, class_names: Sequence[str]) -> frozenset[int] | None:
        """Give the numbers of `classes`; None for all. Raises ConfigError for unknown ones."""
        if not self.classes:
            return None
        wanted = (text.strip() for item in self.classes for text in item.split(","))
        return frozenset(_class_id(text, class_names) for text in wanted if text)


def option_names() -> dict[str, str]:
    """Give the flag name (without dashes) of each field of Settings."""
    names = {f.name: f.name.replace("_", "-") for f in dataclasses.fields(Settings)}
    return names | {"reconnect_s": "reconnect"}


def settings_from(**options: Any) -> Settings:
    """Make Settings from keyword arguments; a string may stand for a one-element tuple.

    Raises ConfigError for a name that is no option.
    """
    known = {f.name for f in dataclasses.fields(Settings)}
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else "See docs/OPTIONS.md."
            raise ConfigError(f"unknown option {name}", hint=hint)
    for name in ("sink", "classes"):
        if isinstance(options.get(name), str):
            options[name] = (options[name],)
    for name in ("weights", "names", "net_config", "output", "summary", "config"):
        if isinstance(options.get(name), str):
            options[name] = Path(options[name])
    if isinstance(options.get("size"), int):
        options["size"] = str(options["size"])
    return Settings(**options)


def _check_number(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also catches NaN
        raise ConfigError(f"--{name} must be from {low:g} to {high:g}, got {value:g}")


def _check_background(text: str) -> None:
    if text.startswith("#") and not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise ConfigError(
            f"--background {text} is no colour",
            hint="Six hexadecimal digits for red, green and blue, as in '#00B140'.",
        )


def _checked_size(name: str, text: str) -> Size:
    try:
        return parse_size(text)
    except ConfigError as error:
        raise ConfigError(f"--{name}: {error.message}", hint=error.hint) from error


def _class_id(text: str, class_names: Sequence[str]) -> int:
    if text in class_names:
        return class_names.index(text)
    if text.isdecimal() and int(text) < len(class_names):
        return int(text)
    close = difflib.get_close_matches(text, class_names, n=3)
    raise ConfigError(
        f"--classes: the model has no class {text!r}",
        hint=f"Did you mean {', '.join(close)}?"
        if close
        else f"It has {len(class_names)}: {', '.join(class_names[:8])}, …",
    )
