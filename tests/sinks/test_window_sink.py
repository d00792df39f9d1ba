"""The window: keys, sizes, and displays that are not there."""

from __future__ import annotations

import builtins
import logging
import os

import numpy as np
import pytest

from edgeseg.errors import MissingDependencyError, SinkError
from edgeseg.sinks import StopRequested, make_sink
from edgeseg.sinks.window import display_available
from edgeseg.types import Detections, Frame, Result

os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
pygame = pytest.importorskip("pygame")


@pytest.fixture
def window(monkeypatch, run_info):
    """An open window on SDL's dummy display, of 1024 x 768."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    sink = make_sink("window:")
    sink.open(run_info(name="street.avi"))
    yield sink
    sink.close()


def show(sink, image):
    sink.write(Result(Frame(image), Detections.empty(), ()), image)
    return pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)[:, :, ::-1]


def press(key):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))


def picture(width=320, height=200):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_window_shows_the_picture_pixel_for_pixel(window):
    np.testing.assert_array_equal(show(window, picture()), picture())
    assert pygame.display.get_caption()[0] == "street.avi - edgeseg"


def test_a_picture_larger_than_the_screen_is_shown_whole(window):
    screen = show(window, np.full((2160, 3840, 3), (10, 20, 30), np.uint8))
    desktop = pygame.display.get_desktop_sizes()[0]
    assert screen.shape[1] <= desktop[0]
    assert screen.shape[1] / screen.shape[0] == pytest.approx(16 / 9, rel=0.01)
    assert np.abs(screen[:-1, :-1].astype(int) - (10, 20, 30)).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (64, 64)])
def test_a_tiny_picture_gets_a_window_that_can_be_held(window, size):
    screen = show(window, np.full((size[1], size[0], 3), 99, np.uint8))
    assert screen.shape[1] >= 160
    assert screen.shape[0] >= 120
    assert (screen[60, 80] == 99).all()


def test_a_picture_of_another_shape_stands_in_the_middle(window):
    show(window, picture(400, 300))
    screen = show(window, np.full((300, 100, 3), 200, np.uint8))
    assert screen.shape == (300, 400, 3)
    assert (screen[:, 150:250] == 200).all()
    assert (screen[:, :149] == 0).all()


@pytest.mark.parametrize("key", ["K_q", "K_ESCAPE"])
def test_a_key_ends_the_run(window, key):
    show(window, picture())
    press(getattr(pygame, key))
    with pytest.raises(StopRequested):
        show(window, picture())


def test_closing_the_window_ends_the_run(window):
    show(window, picture())
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    with pytest.raises(StopRequested):
        show(window, picture())


def test_f_fills_the_screen_and_gives_the_window_back(window):
    show(window, picture())
    press(pygame.K_f)
    full = show(window, picture())
    assert full.shape[1::-1] == pygame.display.get_desktop_sizes()[0]
    press(pygame.K_f)
    assert show(window, picture()).shape == (200, 320, 3)


def test_s_saves_the_picture_and_says_where(window, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    show(window, picture())
    for _ in range(2):
        press(pygame.K_s)
        show(window, picture())
    saved = sorted(tmp_path.iterdir())
    assert len(saved) == 2
    for path in saved:
        assert f"saved {path}" in caplog.text
        image = pygame.surfarray.array3d(pygame.image.load(str(path)))
        np.testing.assert_array_equal(image.transpose(1, 0, 2)[:, :, ::-1], picture())


def test_a_picture_that_cannot_be_saved_does_not_end_the_run(window, tmp_path, monkeypatch, caplog):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    show(window, picture())
    press(pygame.K_s)
    show(window, picture())
    assert "not saved" in caplog.text


def test_a_window_can_be_opened_again(window, run_info):
    show(window, picture())
    window.close()
    again = make_sink("window:")
    again.open(run_info())
    show(again, picture())
    again.close()


def test_no_display_is_told(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    assert "DISPLAY" in (display_available() or "")


def test_a_display_that_does_not_answer_is_told(monkeypatch, run_info):
    monkeypatch.setenv("DISPLAY", ":4711")
    for name in ("WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert "cannot be opened" in (display_available() or "")
    sink = make_sink("window:")
    with pytest.raises(SinkError, match="no window can be opened") as caught:
        sink.open(run_info())
    assert "--headless" in (caught.value.hint or "")
    assert sink.close() is None


def test_a_display_that_works_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert display_available() is None
    assert not pygame.display.get_init()


def test_without_pygame_the_extra_is_named(monkeypatch, run_info):
    real_import = builtins.__import__

    def without_pygame(name, *args, **options):
        if name == "pygame":
            raise ImportError(name)
        return real_import(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_pygame)
    monkeypatch.setenv("DISPLAY", ":0")
    assert "edgeseg[gui]" in (display_available() or "")
    with pytest.raises(MissingDependencyError):
        make_sink("window:").open(run_info())
