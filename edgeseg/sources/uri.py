"""The forms a source can be named in, and how they are taken apart."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from edgeseg.errors import SourceOpenError
from edgeseg.types import Size

FORMS = """\
0, 1, camera://0              camera by number
/dev/video0, /dev/v4l/by-id/… camera by device file
csi://0                       CSI camera of a Jetson
rtsp://, rtsps://             network stream
http://, https://             network stream or video file
clip.mp4, file:///a/clip.mp4  video file
dog.jpg, folder/, 'a/*.png'   pictures
stdin://?size=640x480&format=bgr24&fps=25
                              raw frames from standard input
test://?size=1280x720&fps=30&frames=300&objects=6&live=1
                              moving synthetic scene
demo://                       real clip, fetched once"""
"""The list for messages and for the help text."""

SCHEMES = ("camera", "csi", "rtsp", "rtsps", "http", "https", "file", "stdin", "test", "demo")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")


def scheme_of(uri: str) -> str | None:
    """Give the scheme in lower case; None for paths and numbers.

    Raises SourceOpenError for a scheme that no source has.
    """
    match = _SCHEME.match(uri)
    if match is None:
        return None
    scheme = match[1].lower()
    if scheme not in SCHEMES:
        near = difflib.get_close_matches(scheme, SCHEMES, n=1)
        guess = f"Did you mean {near[0]}://? " if near else ""
        raise SourceOpenError(
            f"no source is named {scheme}://", hint=f"{guess}What can be opened:\n{FORMS}"
        )
    return scheme


def shown(uri: str) -> str:
    """Give the URI as it may be shown: without user name, password, query and fragment."""
    match = _SCHEME.match(uri)
    if match is None:
        return uri
    rest = re.split(r"[?#]", uri[match.end() :], maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{match[0]}{host.rpartition('@')[2]}{slash}{path}"


def has_secrets(uri: str) -> bool:
    """Tell whether the URI holds parts that must not be shown."""
    return shown(uri) != uri


def check_address(uri: str) -> None:
    """Raise SourceOpenError for a network URI without host or with an impossible port."""
    try:
        parts = urlsplit(uri)
        if not parts.hostname:
            raise ValueError("the host is missing")
        port = parts.port
    except ValueError as error:
        raise SourceOpenError(
            f"{shown(uri)}: not a usable address: the host or port is wrong",
            hint="The form is rtsp://user:password@host:554/path; write @ : / in a password "
            "as %40 %3A %2F.",
        ) from (None if has_secrets(uri) else error)
    if port == 0:
        raise SourceOpenError(f"{shown(uri)}: port 0 does not exist")


def query_of(uri: str, known: tuple[str, ...]) -> dict[str, str]:
    """Give the query's fields. Raises SourceOpenError for one that is not in `known`."""
    _, _, query = uri.partition("?")
    fields = dict(parse_qsl(query, keep_blank_values=True))
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"Did you mean {near[0]}? " if near else ""
            raise SourceOpenError(
                f"{shown(uri)}: unknown option {name}", hint=f"{guess}Known: {', '.join(known)}."
            )
    return fields


def size_field(fields: Mapping[str, str], uri: str) -> Size | None:
    """Read `size=WIDTHxHEIGHT`. Raises SourceOpenError."""
    text = fields.get("size")
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) < 1 or int(match[2]) < 1:
        raise SourceOpenError(
            f"{shown(uri)}: size={text} is not a size", hint="Write it as size=640x480."
        )
    return int(match[1]), int(match[2])


def number_field(
    fields: Mapping[str, str], name: str, uri: str, *, low: float, high: float
) -> float | None:
    """Read a number from `low` to `high`. Raises SourceOpenError."""
    text = fields.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SourceOpenError(
            f"{shown(uri)}: {name}={text} is not a number from {low:g} to {high:g}"
        )
    return value


def whole_field(
    fields: Mapping[str, str], name: str, uri: str, *, low: int, high: int
) -> int | None:
    """Read a whole number from `low` to `high`. Raises SourceOpenError."""
    value = number_field(fields, name, uri, low=low, high=high)
    if value is None:
        return None
    if value != int(value):
        raise SourceOpenError(f"{shown(uri)}: {name}={fields[name]} is not a whole number")
    return int(value)


def is_pattern(text: str) -> bool:
    """Tell whether a path that does not exist is meant as a glob pattern."""
    return glob.has_magic(text)


def not_found(path: Path) -> SourceOpenError:
    """Make the error for a path where nothing is; it names what lies nearby."""
    folder = path.parent
    if not folder.is_dir():
        return SourceOpenError(
            f"{path}: no such file", hint=f"The folder {folder} does not exist either."
        )
    try:
        names = sorted(entry.name for entry in folder.iterdir())[:10_000]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"What can be opened:\n{FORMS}"
    return SourceOpenError(f"{path}: no such file", hint=hint)
