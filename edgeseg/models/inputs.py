"""What the `edgeseg models` commands are given: a name or files, and a batch size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeseg.errors import ConfigError, ModelNotFoundError
from edgeseg.models import registry
from edgeseg.types import Size

MAX_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of a Darknet model, as far as they were named or are known."""

    cfg: Path
    weights: Path | None = None
    names: Path | None = None
    input_px: Size | None = None
    name: str | None = None

    @property
    def needed_weights(self) -> Path:
        """The weights; beside the cfg, with its stem, when none were named."""
        return self.weights or self.cfg.with_suffix(".weights")


def find_inputs(
    model: str,
    weights: Path | None = None,
    names: Path | None = None,
    *,
    pull: bool = False,
    must_exist: bool = True,
) -> Inputs:
    """Give the files of a registry name or of a cfg.

    A name's weights are given when they are here; with `pull` they are fetched.
    Raises ModelNotFoundError and DownloadError.
    """
    if registry.is_name(model):
        known, input_px = registry.find(model)
        if weights is None and (pull or registry.is_present(model)):
            weights = registry.pull(model)
        return Inputs(known.cfg, weights, names or known.names, input_px, model)
    cfg = Path(model).expanduser()
    if cfg.suffix.lower() != ".cfg" and not cfg.exists():
        registry.find(model)  # raises, and says what there is
    files = Inputs(cfg, weights, names)
    needed = (cfg, files.needed_weights if pull else weights, names)
    for path in needed if must_exist else ():
        if path is not None and not path.is_file():
            what = "is not a regular file" if path.exists() else "does not exist"
            raise ModelNotFoundError(f"{path} {what}", hint="Check the path.")
    return files


def parse_batch(text: str) -> int | None:
    """Read a batch size: `8` as 8, `dynamic` as None. Raises ConfigError."""
    if text == "dynamic":
        return None
    if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_BATCH:
        return int(text)
    raise ConfigError(
        f"{text!r} is no batch size", hint=f"Write a number from 1 to {MAX_BATCH}, or: dynamic."
    )
