"""What is said to people of how a foreign network is fed and read."""

from __future__ import annotations

from edgeseg.network_spec import Preprocessing, SemanticOutputs, YoloOutputs
from edgeseg.types import NO_CLASS

_KINDS = {
    "best": "the class that scores highest",
    "any": "the class that scores highest, if above {floor:g}",
    "foreground": "foreground where the score is above {floor:g}",
    "index": "the class itself",
}


def reading(outputs: YoloOutputs | SemanticOutputs) -> str:
    """Say how the outputs are read."""
    if isinstance(outputs, YoloOutputs):
        masks = f", masks of {outputs.coefficients} prototypes from {outputs.prototypes}"
        return f"boxes from {outputs.boxes}{masks if outputs.prototypes else ', no masks'}"
    text = f"from {outputs.scores} ({outputs.layout}), for each pixel "
    text += _KINDS[outputs.kind].format(floor=outputs.floor)
    if outputs.background is None:
        return text
    background = "no class" if outputs.background == NO_CLASS else f"class {outputs.background}"
    return f"{text}; background is {background}"


def feeding(how: Preprocessing) -> str:
    """Say how a frame becomes the input."""
    channels = ", ".join(
        f"{gain:.4g} v {offset:+.4g}" for gain, offset in zip(how.gain, how.offset, strict=True)
    )
    plain = how.gain == (1.0, 1.0, 1.0) and how.offset == (0.0, 0.0, 0.0)
    return f"{how.layout}, {how.color}, v from 0 to 1" + ("" if plain else f": {channels}")
