"""The registry as a table."""

from __future__ import annotations

import dataclasses

from edgeseg.models import registry
from edgeseg.models.info import aligned
from edgeseg.models.zoo import CLIPS, MODELS, SIZES
from edgeseg.sizes import format_size


def known_models() -> list[dict[str, object]]:
    """Give every model of the registry as JSON takes it, and whether its weights are here."""
    return [
        {
            "name": model.name,
            "description": model.description,
            "input_px": list(model.input_px),
            "aliases": [f"{model.name}-{size}" for size in SIZES],
            "weights": {
                "name": model.weights.name,
                "size_bytes": model.weights.size_bytes,
                "sha256": model.weights.sha256,
                "urls": list(model.weights.urls),
                "packages": [
                    {"project": packaged.project, "archive": packaged.archive.name}
                    for packaged in model.weights.packages
                ],
            },
            "licence": model.licence,
            "coco": [dataclasses.asdict(accuracy) for accuracy in model.accuracy],
            "present": registry.is_present(model.name),
        }
        for model in MODELS.values()
    ]


def lines(models: list[dict[str, object]]) -> list[str]:
    """Lay the models out for people."""
    header = ("name", "input", "weights", "COCO mAP50", "licence", "here", "")
    rows = [
        (
            model.name,
            format_size(model.input_px),
            f"{model.weights.size_bytes / 1e6:.0f} MB",
            ", ".join(f"{a.map50:g} at {a.input_px}" for a in model.accuracy),
            model.licence,
            "yes" if here["present"] else "no",
            model.description,
        )
        for model, here in zip(MODELS.values(), models, strict=True)
    ]
    sizes = ", ".join(f"NAME-{size}" for size in SIZES)
    return [
        *aligned([header, *rows], right=(1, 2)),
        "",
        f"{sizes}: the same model at that input size. COCO mAP50: as published, in percent.",
        "clips to try: " + ", ".join(f"{c.name} ({c.description})" for c in CLIPS.values()),
    ]
