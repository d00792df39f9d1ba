"""The side TOML and class names in metadata: read exactly, or refused in words."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeseg.errors import ConfigError
from edgeseg.models.families.config import _READERS, NetConfig, find_config, parse_config
from edgeseg.models.families.names import MAX_NAME, names_in, parse_names

HERE = Path(__file__).parent


def read(text: str, folder: Path = HERE) -> NetConfig:
    return parse_config(text, "net.toml", folder)


def test_an_empty_file_is_torchvisions_habit():
    config = read("")
    assert (config.scale, config.mean, config.std) == (
        1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225),
    )  # fmt: skip
    assert (config.resize, config.color, config.threshold) == ("stretch", "rgb", 0.5)


def test_every_key_is_read():
    config = read(
        'family = "semantic"\nclasses = ["a", "b"]\nsize = [320, 200]\nlayout = "nhwc"\n'
        'color = "bgr"\nscale = 1\nmean = [1, 2, 3]\nstd = 2\nresize = "letterbox"\npad = 0\n'
        'output = "x"\nscores = "logits"\noutput_layout = "nchw"\nthreshold = 0.3\nbackground = 0\n'
    )
    assert config == NetConfig(
        "net.toml", "semantic", ("a", "b"), (320, 200), "nhwc", "bgr", 1.0, (1.0, 2.0, 3.0),
        (2.0, 2.0, 2.0), "letterbox", 0.0, "x", "logits", "nchw", 0.3, 0,
    )  # fmt: skip


@pytest.mark.parametrize("text", ['size = "320x200"', "size = [320, 200]"])
def test_sizes_are_written_as_anywhere(text):
    assert read(text).size_px == (320, 200)
    assert read("size = 416").size_px == (416, 416)


def test_classes_may_stand_in_a_file_beside(tmp_path):
    (tmp_path / "voc.names").write_text("a\nb\n")
    assert read('classes = "voc.names"', tmp_path).classes == ("a", "b")
    with pytest.raises(ConfigError, match=r"net.toml: classes: .*no.names: cannot be read"):
        read('classes = "no.names"', tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean =", "net.toml: "),
        ("men = 1", r"unknown key 'men'\n.*mean\?"),
        ("xyzzy = 1", r"unknown key 'xyzzy'\n.*Keys: family"),
        ("mean = [1, 2]", "mean: must be a number or three"),
        ('mean = ["1", "2", "3"]', "mean: must be a number, got '1'"),
        ("std = 0", "std: must be from 1e-06"),
        ("std = nan", "std: must be from"),
        ("scale = inf", "scale: must be from"),
        ("scale = true", "scale: must be a number"),
        ('layout = "chw"', "layout: must be one of nchw, nhwc"),
        ("size = [0, 4]", "size: must be"),
        ("size = [4, 4, 4]", "size: must be"),
        ("size = [true, true]", "size: must be"),
        ("size = -4", "size: '-4' is no size"),
        ("classes = []", "classes: must be a list"),
        ("classes = [1]", "classes: must be a list"),
        ('classes = ""', "classes: must be a list"),
        ("threshold = 1", "threshold: must be"),
        ("background = 1.5", "background: must be a class"),
        ("output = 3", "output: must be a text"),
        ("[mean]\nred = 1", "mean: must be a number"),
    ],
)
def test_wrong_values_are_refused_with_file_and_key(text, message):
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_the_file_named_comes_before_the_one_beside(tmp_path):
    net = tmp_path / "net.onnx"
    assert find_config(net, None, {}) == NetConfig()
    properties = {"edgeseg.net": "pad = 1"}
    assert find_config(net, None, properties).pad == 1
    (tmp_path / "net.toml").write_text("pad = 2")
    assert find_config(net, None, properties).pad == 2
    (tmp_path / "other.toml").write_text("pad = 3")
    assert find_config(net, tmp_path / "other.toml", properties).pad == 3
    with pytest.raises(ConfigError, match=r"no\.toml cannot be read: No such file"):
        find_config(net, tmp_path / "no.toml", {})
    (tmp_path / "other.toml").write_bytes(b"pad = '\xff'")
    with pytest.raises(ConfigError, match=r"other\.toml"):
        find_config(net, tmp_path / "other.toml", {})


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return str(value)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(_READERS)), VALUES, max_size=4))
def test_any_value_of_a_key_is_read_or_refused(table):
    text = "\n".join(f"{key} = {toml(value)}" for key, value in table.items())
    with contextlib.suppress(ConfigError):
        assert isinstance(read(text), NetConfig)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ConfigError):
        assert isinstance(read(text), NetConfig)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'cat', 1: \"dog's\"}", ("cat", "dog's")),
        ("{1: 'dog', 0: 'cat'}", ("cat", "dog")),
        ("{0: 'cat', 2: 'cow'}", ("cat", "1", "cow")),
        ("['cat', 'dog']", ("cat", "dog")),
        ('["cat", "dog"]', ("cat", "dog")),
        ('{"0": "cat", "1": "dog"}', ("cat", "dog")),
        ("cat, dog", ("cat", "dog")),
        ("cat\ndog\n", ("cat", "dog")),
        ("{0: 'two\\nlines', 1: ''}", ("two lines", "1")),
        (f"['{'x' * 200}']", ("x" * MAX_NAME,)),
        ("", ()),
        ("80", ()),
        ("{0: 1}", ()),
        ("{'cat': 0}", ()),
        ("{-1: 'cat'}", ()),
        ("{99999999: 'cat'}", ()),
        ("{True: 'cat'}", ()),
        ("[['cat']]", ()),
        ("{0: 'cat'", ()),
        ("[__import__('os')]", ()),
        ("(" * 5000, ()),
        ("-" * 100_000 + "1", ()),
        ("[" * 100_000, ()),
    ],
)
def test_names_are_read_as_other_programs_write_them(text, names):
    assert parse_names(text) == names


def test_names_are_looked_for_under_the_usual_keys():
    assert names_in({"labels": "a,b"}) == ("a", "b")
    assert names_in({"names": "{}", "classes": '["a"]'}) == ("a",)
    assert names_in({"author": "a,b"}) == ()


@given(st.text(max_size=40) | st.lists(st.sampled_from("{}[]():,'\"0 1a-\\#\n")).map("".join))
def test_any_text_gives_names_or_none(text):
    names = parse_names(text)
    assert all(name and name == " ".join(name.split()) for name in names)


@given(st.dictionaries(st.integers(0, 50), st.text(max_size=5)))
def test_what_python_writes_comes_back(table):
    names = parse_names(str(table))
    for number, name in table.items():
        assert names[number] == (" ".join(name.split()) or str(number))
