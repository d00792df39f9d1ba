"""Everything that gives frames: `open_source(uri)`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from edgeseg.errors import ModelNotFoundError, SourceOpenError
from edgeseg.sources.base import Source, SourceInfo
from edgeseg.sources.options import SourceOptions
from edgeseg.sources.uri import FORMS, is_pattern, not_found, query_of, scheme_of, shown

__all__ = ["FORMS", "Source", "SourceInfo", "SourceOptions", "check_source", "open_source"]


def open_source(uri: str | int | Path, options: SourceOptions | None = None) -> Source:
    """Open a camera, stream, video, pictures or scene by its name (see `FORMS`).

    Raises SourceOpenError when no frame can be had from it, and
    MissingDependencyError when a package for it is not installed.
    """
    options = options or SourceOptions()
    text = str(uri).strip()
    if isinstance(uri, int) and uri < 0:
        raise ValueError(f"a camera's number must be 0 or more, got {uri}")
    kind = _kind(text)
    source = OPENERS[kind](text, options)
    if not options.loop or source.info.live or kind == "stdin":
        return source
    from edgeseg.sources.looping import LoopingSource

    return LoopingSource(source, lambda: OPENERS[kind](text, options))


def check_source(uri: str) -> None:
    """Find typing errors before a model is fetched for them; opens nothing.

    Raises SourceOpenError for an unknown scheme and for a file that is not there.
    """
    text = uri.strip()
    if _kind(text) != "file" or scheme_of(text) == "file":
        return
    path = Path(text).expanduser()
    if not os.path.lexists(path) and not is_pattern(text):
        raise not_found(path)


def _kind(text: str) -> str:
    """Give the key into OPENERS. Raises SourceOpenError for an unknown scheme, or no name."""
    if not text or "\0" in text:
        raise SourceOpenError("no source is named", hint=f"What can be opened:\n{FORMS}")
    scheme = scheme_of(text)
    if scheme is not None:
        return scheme
    if (text.isascii() and text.isdigit()) or text.startswith(("/dev/video", "/dev/v4l/")):
        return "camera"
    return "stdin" if text == "-" or text.startswith("-?") else "file"


def _camera(text: str, options: SourceOptions) -> Source:
    from edgeseg.sources.camera import open_camera

    where = text.partition("://")[2] if "://" in text else text
    if where.isascii() and where.isdigit():
        where = f"/dev/video{int(where)}"
    if not where.startswith("/"):
        raise SourceOpenError(
            f"{text}: a camera is named by number or device file",
            hint="For example camera://0 or /dev/video0; `edgeseg cameras` lists them.",
        )
    return open_camera(Path(where), options)


def _csi(text: str, options: SourceOptions) -> Source:
    from edgeseg.sources.csi import open_csi

    where = text.partition("://")[2] or "0"
    if not (where.isascii() and where.isdigit()):
        raise SourceOpenError(f"{text}: a CSI camera is named by number", hint="The first: csi://0")
    return open_csi(int(where), options)


def _rtsp(text: str, options: SourceOptions) -> Source:
    from edgeseg.sources.stream import open_rtsp

    return open_rtsp(text, options)


def _http(text: str, options: SourceOptions) -> Source:
    from edgeseg.sources.stream import open_http

    return open_http(text, options)


def _stdin(text: str, options: SourceOptions) -> Source:
    from edgeseg.sources.raw import RawFormat, RawSource

    return RawSource(RawFormat.from_uri(text), options)


def _test(text: str, options: SourceOptions) -> Source:  # noqa: ARG001 - the openers' one form
    from edgeseg.sources.synthetic import Scene, SyntheticSource

    return SyntheticSource(Scene.from_uri(text))


def _demo(text: str, options: SourceOptions) -> Source:
    from edgeseg.models.registry import fetch_clip

    query_of(text, ())
    name = shown(text).partition("://")[2].strip("/")
    try:
        clip = fetch_clip(name) if name else fetch_clip()
    except ModelNotFoundError as error:
        raise SourceOpenError(error.message, hint=error.hint) from error
    source = _path(clip, options)
    source.info = dataclasses.replace(source.info, name=shown(text))
    return source


def _file(text: str, options: SourceOptions) -> Source:
    if scheme_of(text) != "file":
        return _path(Path(text).expanduser(), options)
    host, slash, path = text.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise SourceOpenError(
            f"{text}: files of another host cannot be opened", hint="Three slashes: file:///a.mp4"
        )
    return _path(Path(slash + unquote(path)), options)


def _path(path: Path, options: SourceOptions) -> Source:
    from edgeseg.sources import images

    if path.is_dir():
        return images.open_folder(path, fps=options.fps)
    if not os.path.lexists(path):
        if is_pattern(str(path)):
            return images.open_pattern(str(path), fps=options.fps)
        raise not_found(path)
    if path.suffix.lower() in images.EXTENSIONS:
        return images.open_picture(path, fps=options.fps)
    from edgeseg.sources.video import open_video_file

    return open_video_file(path)


OPENERS: dict[str, Callable[[str, SourceOptions], Source]] = {
    "camera": _camera,
    "csi": _csi,
    "rtsp": _rtsp,
    "rtsps": _rtsp,
    "http": _http,
    "https": _http,
    "file": _file,
    "stdin": _stdin,
    "test": _test,
    "demo": _demo,
}
"""One opener for each scheme; a path or number goes to `file` or `camera`."""
