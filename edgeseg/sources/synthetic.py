"""`test://`: a moving scene drawn by arithmetic, the same on every run."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import SourceOpenError
from edgeseg.sources.base import SourceInfo
from edgeseg.sources.live import SUPERSEDED
from edgeseg.sources.uri import number_field, query_of, size_field, whole_field
from edgeseg.types import Frame, Size

KNOWN = ("size", "fps", "frames", "objects", "live")
DEFAULT_SIZE_PX = (1280, 720)
DEFAULT_FRAMES = 300
MAX_PIXELS = 100_000_000
# Rows of 3 bits, top to bottom, of a 3x5 dot font.
_DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")
_COLOURS = (
    (60, 76, 231), (96, 174, 39), (185, 128, 41), (18, 156, 243), (173, 68, 142), (156, 188, 26),
    (34, 126, 230), (80, 62, 44),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """What to draw."""

    size_px: Size = DEFAULT_SIZE_PX
    fps: float = 30.0
    frames: int | None = DEFAULT_FRAMES
    """None: no end."""
    objects: int = 6
    live: bool = False
    """Give frames in real time and leave out those that come too late."""

    @classmethod
    def from_uri(cls, uri: str) -> Scene:
        """Read `test://?size=&fps=&frames=&objects=&live=`. Raises SourceOpenError."""
        fields = query_of(uri, KNOWN)
        live = bool(whole_field(fields, "live", uri, low=0, high=1))
        objects = whole_field(fields, "objects", uri, low=0, high=1000)
        frames = whole_field(fields, "frames", uri, low=1, high=10**9)
        if frames is None and not live:
            frames = DEFAULT_FRAMES
        size_px = size_field(fields, uri) or DEFAULT_SIZE_PX
        if size_px[0] * size_px[1] > MAX_PIXELS:
            raise SourceOpenError(
                f"test://: {fields['size']} is more than {MAX_PIXELS // 10**6} megapixels"
            )
        return cls(
            size_px=size_px,
            fps=number_field(fields, "fps", uri, low=0.01, high=1000) or 30.0,
            frames=frames,
            objects=6 if objects is None else objects,
            live=live,
        )


class SyntheticSource:
    """Draws a scene frame by frame."""

    def __init__(self, scene: Scene) -> None:
        """Draw the background once."""
        self.info = SourceInfo(
            "test://", scene.live, scene.size_px, scene.fps, frame_count=scene.frames
        )
        self._scene = scene
        self._background = _gradient(scene.size_px)
        self._bodies = [_Body.of(number, scene.size_px) for number in range(scene.objects)]
        self._closed = threading.Event()
        self._position = 0
        self._count = 0
        self._skipped = 0
        self._started_s: float | None = None

    def read(self) -> Frame | None:
        """Give the next frame, when its time has come in a live scene; None at the end."""
        if self._scene.live:
            self._wait_for_turn()
        position, end = self._position, self._scene.frames
        if self._closed.is_set() or (end is not None and position >= end):
            return None
        image = self._drawn(position)
        frame = Frame(image, self._count, position / self._scene.fps, captured_s=time.monotonic())
        self._position += 1
        self._count += 1
        return frame

    def _wait_for_turn(self) -> None:
        now_s = time.monotonic()
        if self._started_s is None:
            self._started_s = now_s
        elapsed = (now_s - self._started_s) * self._scene.fps
        if elapsed < self._position:
            self._closed.wait((self._position - elapsed) / self._scene.fps)
            return
        late = int(elapsed) - self._position
        if self._scene.frames is not None:
            late = min(late, self._scene.frames - self._position)
        self._skipped += late
        self._position += late

    def _drawn(self, position: int) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = self._background.copy()
        for body in self._bodies:
            body.paint(image, position / self._scene.fps)
        _write_number(image, position)
        return image

    def drops(self) -> Mapping[str, int]:
        """Give the frames of a live scene that came too late."""
        return {SUPERSEDED: self._skipped} if self._skipped else {}

    def close(self) -> None:
        """End; a waiting `read()` returns at once."""
        self._closed.set()


@dataclass(frozen=True, slots=True)
class _Body:
    """A shape on a straight path that bounces off the edges."""

    stencil: NDArray[np.bool_]
    picture: NDArray[np.uint8]
    start: tuple[float, float]
    speed: tuple[float, float]
    """Pixels per second."""

    @classmethod
    def of(cls, number: int, size_px: Size) -> _Body:
        rng = np.random.default_rng(number)
        width, height = size_px
        side = max(2, round(min(size_px) * rng.uniform(0.12, 0.28)))
        shape_px = (min(width, max(2, round(side * rng.uniform(0.5, 1.0)))), min(height, side))
        stencil = _STENCILS[number % len(_STENCILS)](shape_px)
        light = np.linspace(1.15, 0.7, shape_px[1])[:, None, None]
        colour = np.array(_COLOURS[number % len(_COLOURS)])
        picture = np.clip(np.broadcast_to(colour * light, (*stencil.shape, 3)), 0, 255)
        return cls(
            stencil,
            picture.astype(np.uint8),
            (rng.uniform(0, width), rng.uniform(0, height)),
            (width * rng.uniform(0.05, 0.25), height * rng.uniform(0.03, 0.15)),
        )

    def paint(self, image: NDArray[np.uint8], time_s: float) -> None:
        rows, columns = self.stencil.shape
        left = _bounced(self.start[0] + self.speed[0] * time_s, image.shape[1] - columns)
        top = _bounced(self.start[1] + self.speed[1] * time_s, image.shape[0] - rows)
        place = image[top : top + rows, left : left + columns]
        np.copyto(place, self.picture, where=self.stencil[:, :, None])


def _bounced(position: float, room: int) -> int:
    if room <= 0:
        return 0
    turned = position % (2 * room)
    return int(min(turned, 2 * room - turned))


def _disc(size_px: Size) -> NDArray[np.bool_]:
    y, x = (np.linspace(-1, 1, count) for count in (size_px[1], size_px[0]))
    return np.asarray(x[None, :] ** 2 + y[:, None] ** 2 <= 1)


def _block(size_px: Size) -> NDArray[np.bool_]:
    return np.ones((size_px[1], size_px[0]), np.bool_)


def _pin(size_px: Size) -> NDArray[np.bool_]:
    """Give a head over shoulders."""
    y, x = (np.linspace(-1, 1, count) for count in (size_px[1], size_px[0]))
    head = (x[None, :] / 0.5) ** 2 + ((y[:, None] + 0.65) / 0.35) ** 2 <= 1
    body = (x[None, :] / 0.9) ** 2 + ((y[:, None] - 0.6) / 0.85) ** 2 <= 1
    return np.asarray(head | body)


_STENCILS = (_pin, _block, _disc)


def _gradient(size_px: Size) -> NDArray[np.uint8]:
    width, height = size_px
    across = np.linspace(0, 40, width)[None, :, None]
    down = np.linspace(0, 1, height)[:, None, None]
    top, bottom = np.array((200, 170, 140)), np.array((110, 120, 125))
    return (
        np.asarray(top + (bottom - top) * down + across, np.float64).clip(0, 255).astype(np.uint8)
    )


def _write_number(image: NDArray[np.uint8], number: int) -> None:
    """Write the frame number into the upper left corner."""
    dot = max(1, image.shape[0] // 180)
    rows = [[int(_DIGITS[int(digit)][row]) for digit in f"{number:06d}"] for row in range(5)]
    dots = np.array([[(bits >> 3 - bit) & 1 for bits in row for bit in range(4)] for row in rows])
    ink = np.kron(dots, np.ones((dot, dot), np.int64)).astype(np.bool_)
    place = image[2 * dot : 2 * dot + ink.shape[0], 2 * dot : 2 * dot + ink.shape[1]]
    place[ink[: place.shape[0], : place.shape[1]]] = (255, 255, 255)
