"""Segments as a picture: time runs to the right, a line for each class and each track."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeseg.colors import Color, class_color
from edgeseg.segments.activity import Span
from edgeseg.segments.report import Row, Segments, clock

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

WIDTH_PX = 1280
MOST_TRACKS = 60
"""More would make a picture nobody reads; the longest are drawn."""

_LEFT_PX, _RIGHT_PX, _TOP_PX = 170, 24, 52
_CLASS_PX, _TRACK_PX = 26, 16
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_INK, _PALE, _PAPER, _STRIPE = (32, 32, 32), (150, 150, 150), (255, 255, 255), (244, 245, 247)
_SHOTS = ((88, 110, 140), (150, 168, 190))


def draw(segments: Segments) -> Image:
    """Give the timeline as an RGB picture."""
    from PIL import Image, ImageDraw

    classes = [row for row in segments.rows if row.kind == "class"]
    tracks = sorted((row for row in segments.rows if row.kind == "track"), key=lambda r: -r.total_s)
    shown = sorted(tracks[:MOST_TRACKS], key=lambda row: row.spans[0].start_s)
    lines = (segments.shots is not None) + len(classes)
    height = _TOP_PX + lines * _CLASS_PX + len(shown) * _TRACK_PX + 34
    image = Image.new("RGB", (WIDTH_PX, height), _PAPER)
    canvas = _Canvas(ImageDraw.Draw(image), segments, height - 26)
    canvas.title(segments, len(tracks) - len(shown))
    canvas.axis()
    if segments.shots is not None:
        canvas.shots(segments.shots)
    for row in classes:
        canvas.row(row, _CLASS_PX)
    for row in shown:
        canvas.row(row, _TRACK_PX)
    return image


class _Canvas:
    """Knows where a time lies, and the next free line."""

    def __init__(self, ink: ImageDraw, segments: Segments, bottom: int) -> None:
        self._ink = ink
        self._start_s = segments.start_s
        self._length_s = max(segments.end_s - segments.start_s, 1e-3)
        self._bottom = bottom
        self._y = _TOP_PX
        self._line = 0

    def title(self, segments: Segments, left_out: int) -> None:
        """Write what the picture shows."""
        bridged = f"gaps up to {segments.gap_s:g} s bridged"
        hidden = f" · {left_out} shorter tracks not drawn" if left_out else ""
        frames = f"{segments.frames} frames · {clock(segments.end_s - segments.start_s)}"
        self._text(12, 10, segments.source.rsplit("/", 1)[-1], 15, _INK)
        self._text(12, 30, f"{segments.model} · {frames} · {bridged}{hidden}", 11, _PALE)

    def axis(self) -> None:
        """Draw a grid of round times."""
        room = (WIDTH_PX - _LEFT_PX - _RIGHT_PX) / 90
        step = next((s for s in _STEPS_S if self._length_s / s <= room), _STEPS_S[-1])
        for count in range(int(self._length_s / step) + 1):
            x = self._x(self._start_s + count * step)
            self._ink.line((x, _TOP_PX, x, self._bottom), (225, 228, 232))
            self._text(x, self._bottom + 5, _short(count * step, step), 11, _PALE, centred=True)

    def shots(self, shots: Sequence[Span]) -> None:
        """Draw the shots end to end, in two tones."""
        self._label("shots", _CLASS_PX)
        for number, shot in enumerate(shots):
            self._bar(shot, _SHOTS[number % 2], _CLASS_PX)
        self._next(_CLASS_PX)

    def row(self, row: Row, height: int) -> None:
        """Draw one line of spans."""
        self._label(row.label, height)
        for span in row.spans:
            self._bar(span, class_color(row.class_id)[::-1], height)
        self._next(height)

    def _label(self, text: str, height: int) -> None:
        if self._line % 2 == 0:
            self._ink.rectangle((0, self._y, _LEFT_PX - 6, self._y + height - 1), _STRIPE)
        size = 13 if height == _CLASS_PX else 10
        short = text if len(text) <= 22 else text[:21] + "…"
        self._text(12, self._y + (height - size) // 2 - 1, short, size, _INK)

    def _bar(self, span: Span, color: Color, height: int) -> None:
        left, right = self._x(span.start_s), self._x(span.end_s)
        inset = 4 if height == _CLASS_PX else 3
        box = (left, self._y + inset, max(right - 1, left + 1), self._y + height - inset)
        self._ink.rectangle(box, color)

    def _next(self, height: int) -> None:
        self._y += height
        self._line += 1

    def _x(self, time_s: float) -> float:
        share = (time_s - self._start_s) / self._length_s
        return _LEFT_PX + share * (WIDTH_PX - _LEFT_PX - _RIGHT_PX)

    def _text(
        self, x: float, y: float, text: str, size: int, color: Color, *, centred: bool = False
    ) -> None:
        from PIL import ImageFont

        font = ImageFont.load_default(size)
        anchor = "ma" if centred else "la"
        self._ink.text((x, y), text, color, font, anchor=anchor)


def _short(seconds: float, step: float) -> str:
    """Give a time as the axis shows it: no tenths where the steps are whole seconds."""
    text = clock(seconds)
    return text if step < 1 else text[:-2]
