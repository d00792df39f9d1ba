"""What the tests of labels share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from label_shapes import NAMES
from PIL import Image

from edgeseg.labels.types import Classes, LabelPicture


@pytest.fixture
def classes() -> Classes:
    return Classes(NAMES)


@pytest.fixture
def save_pictures() -> Callable[[Path, list[LabelPicture]], Path]:
    """Write black PNGs of the pictures' sizes."""

    def save(folder: Path, found: list[LabelPicture]) -> Path:
        for picture in found:
            path = folder / picture.name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", picture.size_px).save(path)
        return folder

    return save
