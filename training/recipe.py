"""The numbers of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Recipe:
    """One part of a run; as it stands, the first."""

    seed: int = 1
    batch: int = 32
    steps: int = 9500
    horizon: int = 14000
    """The rates fall along a cosine that would end here..."""
    cool_down: int = 1
    """...and to nothing over the last steps."""
    warm_up: int = 200
    small_px: int = 96
    """Crop size of the first steps, which are nearly twice as fast."""
    small_steps: int = 5600
    full_px: int = 128
    decoder_rate: float = 2e-3
    encoder_rate: float = 4e-4
    weight_decay: float = 0.03
    way_back: float = 0.0
    """How far this part first brings the encoder back to the pretrained one."""
    dropout: float = 0.0
    others: float = 0.35
    """Share of the samples with a second object."""
    coarse_loss: float = 0.3
    average: float = 0.9985
    """Of the exponential average of the weights, which is what ships."""

    def second_part(self) -> Recipe:
        """Give the recipe of the part that follows: harder to learn by heart.

        The first part's encoder went far from yolov3-tiny's, further than a few
        thousand pictures can justify: going most of the way back costs nothing.
        """
        return replace(
            self,
            seed=self.seed + 1,
            steps=self.steps + 3000,
            horizon=20000,
            cool_down=3000,
            encoder_rate=1e-4,
            weight_decay=0.1,
            way_back=0.6,
            dropout=0.1,
            others=0.5,
        )

    def shortened(self, steps: int) -> Recipe:
        """Give the recipe of a first part of another length whose rates go down to nothing."""
        small = self.small_steps * steps // self.steps
        return replace(self, steps=steps, horizon=steps, small_steps=small)

    def crop_px(self, step: int) -> int:
        """Give the crop size at a step."""
        return self.small_px if step < self.small_steps else self.full_px

    def rate(self, step: int) -> float:
        """Give the learning rate at a step as a share of the highest."""
        warm = min(1.0, (step + 1) / self.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.horizon)) + 1e-3
        return warm * cosine * self.cool(step)

    def cool(self, step: int) -> float:
        """Give what is left of the cool-down: 1 before it, 0 at the end."""
        return min(1.0, (self.steps - step) / self.cool_down)
