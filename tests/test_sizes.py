"""Promises of sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.errors import ConfigError
from edgeseg.sizes import MAX_EDGE_PX, format_size, parse_size

edges = st.integers(1, MAX_EDGE_PX)


@given(st.tuples(edges, edges))
def test_what_is_written_is_read(size_px: tuple[int, int]) -> None:
    assert parse_size(format_size(size_px)) == size_px


@pytest.mark.parametrize(
    ("text", "size_px"),
    [("416", (416, 416)), ("608x352", (608, 352)), (" 608 X 352 ", (608, 352)),
     ("608\u00d7352", (608, 352)), ("0416", (416, 416))],
)  # fmt: skip
def test_width_comes_first(text: str, size_px: tuple[int, int]) -> None:
    assert parse_size(text) == size_px


@pytest.mark.parametrize(
    "text", ["", "x", "416x", "x416", "-416", "4.5", "416x416x3", "1e3", "NaN", "416,320", "\u0664"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0", "416x0", "99999", "16385", "999999999"])
def test_an_edge_nobody_has_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="each edge"):
        parse_size(text)


@given(st.text(max_size=20))
def test_any_text_is_a_size_or_a_config_error(text: str) -> None:
    try:
        width, height = parse_size(text)
    except ConfigError:
        return
    assert 1 <= width <= MAX_EDGE_PX
    assert 1 <= height <= MAX_EDGE_PX
