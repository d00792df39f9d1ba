"""Promises of edgeseg.settings."""

import dataclasses
import runpy
from pathlib import Path

import pytest

from edgeseg.errors import ConfigError
from edgeseg.settings import Settings, option_names, settings_from

NAMES = ("person", "bicycle", "traffic light")


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("conf", 1.01, "--conf"),
        ("conf", float("nan"), "--conf"),
        ("iou", -0.1, "--iou"),
        ("threads", -1, "--threads"),
        ("max_frames", 0, "--max-frames"),
        ("reconnect_s", -1.0, "--reconnect"),
        ("camera_fps", 0.0, "--camera-fps"),
        ("size", "41x", "--size"),
        ("camera_size", "0x10", "--camera-size"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_flag(option: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        settings_from(**{option: value})


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match="two sources"):
        Settings("clip.mp4", camera="0")
    with pytest.raises(ConfigError, match="contradict"):
        Settings(show=True, headless=True)


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="max_frame") as caught:
        settings_from(max_frame=3)
    assert caught.value.hint == "Did you mean max_frames?"


def test_a_camera_becomes_a_uri_and_no_source_is_an_error() -> None:
    assert Settings(camera="0").uri == "camera://0"
    assert Settings("clip.mp4").uri == "clip.mp4"
    with pytest.raises(ConfigError, match="no source"):
        _ = Settings().uri


def test_sizes_are_read_as_width_and_height() -> None:
    assert settings_from(size=416).input_px == (416, 416)
    assert Settings(size="608x352").input_px == (608, 352)
    assert Settings().input_px is None


def test_classes_are_found_by_name_and_number() -> None:
    assert Settings().class_ids(NAMES) is None
    assert settings_from(classes="traffic light").class_ids(NAMES) == {2}
    assert settings_from(classes=("person, 1",)).class_ids(NAMES) == {0, 1}
    with pytest.raises(ConfigError) as caught:
        settings_from(classes="persn").class_ids(NAMES)
    assert "person" in str(caught.value)
    with pytest.raises(ConfigError, match="'3'"):
        settings_from(classes="3").class_ids(NAMES)


def test_every_option_has_a_help_line_and_a_group() -> None:
    from edgeseg.cli import app

    arguments = {
        a.name.lstrip("-"): a for a in app["run"].assemble_argument_collection(parse_docstring=True)
    }
    names = option_names()
    for field in dataclasses.fields(Settings):
        argument = arguments[names[field.name]]
        assert argument.parameter.help, field.name
        assert argument.parameter.group, field.name


def test_the_options_page_is_current() -> None:
    tool = Path(__file__).parents[1] / "tools" / "write_options.py"
    page = runpy.run_path(str(tool))
    assert page["PAGE"].read_text() == page["page"](), "run: python tools/write_options.py"
