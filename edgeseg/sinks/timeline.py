"""When each frame of a video is shown."""

from __future__ import annotations

from fractions import Fraction

# Containers such as Matroska count in milliseconds: closer frames would fall together.
_CLOSEST_S = 0.001
_DEFAULT_FPS = 30.0


class Timeline:
    """Turns the times of frames into growing ticks from 0.

    Frames keep their distance, so a variable rate stays variable. Times that
    jump back, as after a reconnect, continue one frame later. With `constant`
    the times are ignored and every frame lasts 1 / fps.
    """

    def __init__(self, fps: float | None, *, constant: bool = False, whole_frames: bool = False):
        usable = fps is not None and 0.01 <= fps <= 1000
        self.rate = Fraction(fps if usable and fps else _DEFAULT_FPS).limit_denominator(1001)
        self.ticks_per_s = self.rate if whole_frames else _fine(self.rate)
        """Ticks a second; `whole_frames` is for containers with one fixed rate."""
        self._constant = constant
        self._closest = max(1, round(_CLOSEST_S * self.ticks_per_s))
        self._count = 0
        self._shift_s = 0.0
        self._last_s = 0.0
        self._last = -self._closest

    def tick(self, time_s: float) -> int:
        """Give the tick of the next frame, always later than the last one."""
        if self._constant:
            tick = round(self._count / self.rate * self.ticks_per_s)
        else:
            if self._count == 0:
                self._shift_s = -time_s
            elif time_s + self._shift_s <= self._last_s:
                self._shift_s = self._last_s + float(1 / self.rate) - time_s
            self._last_s = time_s + self._shift_s
            tick = round(self._last_s * self.ticks_per_s)
        self._count += 1
        self._last = max(tick, self._last + self._closest)
        return self._last


def _fine(rate: Fraction) -> Fraction:
    """Choose ticks of which a frame has a whole number; at most 65535 a second, for MPEG-4."""
    ticks = rate.numerator
    while ticks < 10000:
        ticks *= 2
    return Fraction(ticks if ticks <= 65535 else 30000)
