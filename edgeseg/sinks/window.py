"""A live window: SDL2 through pygame-ce."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import MissingDependencyError, SinkError
from edgeseg.sinks.base import RunInfo, StopRequested
from edgeseg.sinks.spec import Spec
from edgeseg.types import Letterbox, Result, Size

log = logging.getLogger(__name__)


class WindowSink:
    """Shows every picture. q, Esc or closing ends the run, f is full screen, s saves.

    All calls must come from the process's main thread. A window lives from
    `open` to `close`, and there is one in a process.
    """

    needs_picture = True

    def __init__(self, spec: Spec) -> None:
        self.name = spec.text
        self._pygame: Any = None
        self._title = "edgeseg"
        self._window_px: Size | None = None
        self._fullscreen = False

    def open(self, run: RunInfo) -> None:
        """Connect to the display. Raises MissingDependencyError and SinkError."""
        pygame = _pygame()
        try:
            _connect(pygame)
        except pygame.error as error:
            raise SinkError(
                f"no window can be opened: {error}",
                hint="Use --headless, or write a file: --sink out.mp4",
            ) from error
        self._pygame = pygame
        self._title = f"{run.source.name} - edgeseg"

    def write(self, result: Result, picture: NDArray[np.uint8] | None) -> None:  # noqa: ARG002
        """Show one picture. Raises StopRequested when the user closes the window."""
        if self._pygame is None or picture is None:
            raise SinkError(f"{self.name} is not open, or has no picture")
        try:
            if self._window_px is None:
                self._set_window((picture.shape[1], picture.shape[0]))
            self._show(picture)
            self._answer_keys(picture)
        except self._pygame.error as error:
            raise SinkError(f"the window is gone: {error}") from error

    def close(self) -> str | None:
        """Close the window."""
        if self._pygame is not None:
            self._pygame.display.quit()
            self._pygame = None
        return None

    def _set_window(self, picture_px: Size) -> None:
        """Open the window as large as the picture, or as the desktop allows."""
        display = self._pygame.display
        desktop_px = display.get_desktop_sizes()[0]
        if self._fullscreen:
            display.set_mode(desktop_px, self._pygame.FULLSCREEN)
        else:
            if self._window_px is None:
                room_px = max(1, desktop_px[0] * 9 // 10), max(1, desktop_px[1] * 9 // 10)
                fits = picture_px[0] <= room_px[0] and picture_px[1] <= room_px[1]
                small = max(picture_px[0], 160), max(picture_px[1], 120)
                region = Letterbox.fit(picture_px, room_px).region_net
                self._window_px = small if fits else region[2:]
            display.set_mode(self._window_px, self._pygame.RESIZABLE)
        display.set_caption(self._title)
        self._pygame.mouse.set_visible(not self._fullscreen)

    def _show(self, picture: NDArray[np.uint8]) -> None:
        """Paint the picture into the middle of the window, as large as fits."""
        pygame = self._pygame
        screen = pygame.display.get_surface()
        size_px = picture.shape[1], picture.shape[0]
        image = pygame.image.frombuffer(np.ascontiguousarray(picture), size_px, "BGR")
        x, y, width, height = Letterbox.fit(size_px, screen.get_size()).region_net
        if (width, height) != size_px:
            image = pygame.transform.smoothscale(image, (width, height))
        if (width, height) != screen.get_size():
            screen.fill((0, 0, 0))
        screen.blit(image, (x, y))
        pygame.display.flip()

    def _answer_keys(self, picture: NDArray[np.uint8]) -> None:
        """Do what the user asks."""
        pygame = self._pygame
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                raise StopRequested
            if event.type == pygame.VIDEORESIZE and not self._fullscreen:
                self._window_px = max(1, event.w), max(1, event.h)
            if event.type != pygame.KEYDOWN:
                continue
            if event.key in (pygame.K_q, pygame.K_ESCAPE):
                raise StopRequested
            if event.key == pygame.K_f:
                self._fullscreen = not self._fullscreen
                self._set_window((picture.shape[1], picture.shape[0]))
                self._show(picture)
            elif event.key == pygame.K_s:
                _save(picture)


def display_available() -> str | None:
    """Tell why no window can be opened; None when one can.

    Connects to the display and lets go of it again; opens nothing.
    """
    if (
        not os.environ.get("SDL_VIDEODRIVER")
        and not os.environ.get("DISPLAY")
        and not os.environ.get("WAYLAND_DISPLAY")
    ):
        return "no display: neither DISPLAY nor WAYLAND_DISPLAY is set"
    try:
        pygame = _pygame()
    except MissingDependencyError as error:
        return f"{error.message}; {error.hint}"
    if pygame.display.get_init():
        return None
    try:
        _connect(pygame)
    except pygame.error as error:
        return f"the display cannot be opened: {error}"
    pygame.display.quit()
    return None


def _connect(pygame: Any) -> None:
    """Connect to the display. Raises pygame.error."""
    pygame.display.init()
    # Where no display answers SDL draws into memory, which nobody sees.
    driver = pygame.display.get_driver()
    if driver in ("dummy", "offscreen") and driver != os.environ.get("SDL_VIDEODRIVER"):
        pygame.display.quit()
        raise pygame.error(f"no answer from {_display_name()}")


def _display_name() -> str:
    """Name the display that the environment points to."""
    names = ("WAYLAND_DISPLAY", "DISPLAY")
    set_ones = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    return " and ".join(set_ones) or "any display"


def _pygame() -> Any:
    """Import pygame quietly. Raises MissingDependencyError."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    # Ctrl-C belongs to the run: it must not become a closed window.
    os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
    try:
        import pygame
    except ImportError as error:
        raise MissingDependencyError.of("pygame-ce", "gui", purpose="the window") from error
    return pygame


def _save(picture: NDArray[np.uint8]) -> None:
    """Save the picture in the current folder, under a name that is free."""
    from edgeseg.sinks.pictures import save_picture

    stem = time.strftime("edgeseg-%Y%m%d-%H%M%S")
    try:
        path, number = Path.cwd() / f"{stem}.png", 1
        while path.exists():
            number += 1
            path = path.with_name(f"{stem}-{number}.png")
        save_picture(picture, path, "png")
    except OSError as error:
        # A picture that cannot be saved is no reason to end the run.
        log.warning("%s.png: not saved: %s", stem, error.strerror)
    else:
        log.info("saved %s", path)
