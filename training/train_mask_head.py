"""Train the mask head: `python -m training.train_mask_head --data FOLDER --out FOLDER`.

One thread, any CPU; the same arguments on the same machine give the same weights,
also when a run is stopped and started again (it goes on from its last checkpoint).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.augment import Sample, plain_sample, random_sample
from training.encoder_weights import pretrained
from training.export import export, mean_of
from training.mixture import Mixture, read_mixture
from training.network import MaskHead, load_encoder
from training.pictures import Example

BRANCH_POINT = "branch_point.pt"


@dataclass(frozen=True)
class Recipe:
    """The numbers of a run."""

    steps: int = 14000
    batch: int = 32
    small_px: int = 96
    """Crop size of the first part, which learns faster from small crops."""
    full_px: int = 128
    small_steps: int = 5600
    decoder_rate: float = 2e-3
    encoder_rate: float = 4e-4
    warm_up: int = 200
    horizon: int = 14000
    """The rates fall along a cosine that would end here..."""
    cool_down: int = 1
    """...and to nothing over the last steps."""
    weight_decay: float = 0.03
    coarse_loss: float = 0.3
    dropout: float = 0.0
    others: float = 0.35
    """Share of the samples with a second object."""
    average: float = 0.9985
    """Of the exponential average of the weights, which is what ships."""
    seed: int = 1
    branches: int = 2
    branch_at: int = 9500
    """The step of the trunk at which the branches start."""
    branch_steps: int = 2500

    def branch(self, number: int) -> Recipe:
        """Give the recipe of a branch: rates from high to nothing, hard to learn by heart."""
        return replace(
            self,
            seed=self.seed + number,
            steps=self.branch_at + self.branch_steps,
            horizon=20000,
            cool_down=self.branch_steps,
            encoder_rate=1e-4,
            weight_decay=0.1,
            dropout=0.2,
            others=0.6,
        )

    def shortened(self, steps: int) -> Recipe:
        """Give the recipe of a trunk of another length, without branches."""
        small = self.small_steps * steps // self.steps
        return replace(self, steps=steps, horizon=steps, small_steps=small, branches=0)

    def crop_px(self, step: int) -> int:
        """Give the crop size at a step."""
        return self.small_px if step < self.small_steps else self.full_px

    def rate(self, step: int) -> float:
        """Give the learning rate at a step as a share of the highest."""
        warm = min(1.0, (step + 1) / self.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.horizon)) + 1e-3
        return warm * cosine * min(1.0, (self.steps - step) / self.cool_down)


class Run:
    """The network in training, its average, and the optimiser."""

    def __init__(self, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.step = 0
        self.net = MaskHead()
        load_encoder(self.net.encoder, pretrained())
        self.net = self.net.to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.net).eval()
        encoder = [p for p in self.net.encoder.parameters() if p.requires_grad]
        decoder = [p for n, p in self.net.named_parameters() if not n.startswith("encoder.")]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": parameters, "highest": highest}
                for parameters, highest in zip((encoder, decoder), self._rates(), strict=True)
            ],
            weight_decay=recipe.weight_decay,
        )

    def _rates(self) -> tuple[float, float]:
        return self.recipe.encoder_rate, self.recipe.decoder_rate

    def learn(self, samples: list[Sample]) -> float:
        """Take one step and give its loss."""
        recipe = self.recipe
        torch.manual_seed(recipe.seed * 1_000_003 + self.step)
        cool = min(1.0, (recipe.steps - self.step) / recipe.cool_down)
        self.net.dropout = recipe.dropout * cool
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest"] * recipe.rate(self.step)
        crops, target, weight, meta = tensors(samples)
        with torch.autocast("cpu", torch.bfloat16):
            logits, coarse = self.net(crops, meta)
        loss = mask_loss(logits.float(), target, weight)
        cells = target.shape[-1] // coarse.shape[-1]
        total = loss + recipe.coarse_loss * mask_loss(
            coarse.float(),
            functional.avg_pool2d(target, cells),
            functional.avg_pool2d(weight, cells),
        )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        self._follow(min(recipe.average, self.step / (self.step + 10)))
        return float(loss.detach())

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        pairs = zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True)
        for slow, fast in pairs:
            if slow.dtype.is_floating_point:
                slow.lerp_(fast, 1 - keep)
            else:
                slow.copy_(fast)

    def save(self, path: Path) -> None:
        """Write everything that going on needs, whole or not at all."""
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        aside = path.with_suffix(".part")
        torch.save(state, aside)
        aside.replace(path)

    def load(self, path: Path, *, branch: bool = False) -> None:
        """Go on from a checkpoint; only a branch may start from another recipe's (ValueError)."""
        state = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe) and not branch:
            raise ValueError(f"{path} belongs to another recipe: {state['recipe']}")
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        for group, highest in zip(self.optimiser.param_groups, self._rates(), strict=True):
            group["highest"] = highest  # a branch has its own
            group["weight_decay"] = self.recipe.weight_decay


def mask_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy and Dice (Milletari et al. 2016, squared), over what is known."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, weight=weight)
    mask, truth = torch.sigmoid(logits) * weight, target * weight
    common = 2 * (mask * truth).sum((1, 2, 3)) + 1
    all_ = mask.square().sum((1, 2, 3)) + truth.square().sum((1, 2, 3)) + 1
    return entropy + (1 - common / all_).mean()


def tensors(samples: list[Sample]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give crops, targets, weights and meta vectors as one batch."""
    crops = torch.from_numpy(np.stack([s.crop for s in samples])).permute(0, 3, 1, 2) / 255
    return (
        crops.contiguous(memory_format=torch.channels_last),
        torch.from_numpy(np.stack([s.target for s in samples]))[:, None],
        torch.from_numpy(np.stack([s.weight for s in samples]))[:, None],
        torch.from_numpy(np.stack([s.meta for s in samples])),
    )


def samples_of(mixture: Mixture, recipe: Recipe, step: int) -> list[Sample]:
    """Give the samples of one step; they depend on nothing but seed and step."""
    rng = np.random.default_rng([recipe.seed, step])
    chosen = mixture.draw(recipe.batch, rng)
    others = mixture.draw(recipe.batch, rng)
    size = recipe.crop_px(step)
    pairs = zip(chosen, others, strict=True)
    return [random_sample(example, other, size, rng, recipe.others) for example, other in pairs]


@torch.inference_mode()
def dev_iou(net: MaskHead, examples: list[Example], size_px: int) -> float:
    """Give the mean IoU on the 64 x 64 grid at true boxes: a figure to watch, not to report."""
    ious: list[Tensor] = []
    for start in range(0, len(examples), 32):
        batch = [plain_sample(example, size_px) for example in examples[start : start + 32]]
        crops, target, weight, meta = tensors(batch)
        mask = (net(crops, meta) > 0) & (weight > 0.5)
        truth = (target > 0.5) & (weight > 0.5)
        common, either = (mask & truth).sum((1, 2, 3)), (mask | truth).sum((1, 2, 3))
        ious.append(common / either.clamp(min=1))
    return float(torch.cat(ious).mean())


def train(mixture: Mixture, recipe: Recipe, out: Path, start: Path | None = None) -> Path:
    """Train to the end and give the last checkpoint; all of them land in `out`.

    Goes on from the last one there, else from `start`, a checkpoint of another recipe.
    """
    run = Run(recipe)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    elif start is not None:
        run.load(start, branch=True)
    start_s, losses = time.monotonic(), []
    first = run.step
    while run.step < recipe.steps:
        losses.append(run.learn(samples_of(mixture, recipe, run.step)))
        done = run.step == recipe.steps
        if run.step % 100 == 0 or done:
            each_ms = (time.monotonic() - start_s) / (run.step - first) * 1000
            report = {"step": run.step, "loss": round(float(np.mean(losses)), 4)}
            losses = []
            if run.step % 1000 == 0 or done:
                dev = list(mixture.dev)
                report["dev_iou"] = round(dev_iou(run.average, dev, recipe.crop_px(run.step)), 4)
            print(json.dumps(report | {"step_ms": round(each_ms)}), flush=True)
        if run.step % 250 == 0 or done:
            run.save(checkpoint)
        if run.step == recipe.branch_at:
            run.save(out / BRANCH_POINT)
    return checkpoint


def train_all(mixture: Mixture, recipe: Recipe, out: Path) -> MaskHead:
    """Train the trunk and its branches, and give the mean of their weights.

    Branches see other samples at higher rates and end near each other; their mean
    is better than any of them (Wortsman et al. 2022, model soups).
    """
    ends = [train(mixture, recipe, out / "trunk")]
    for number in range(1, recipe.branches + 1):
        print(json.dumps({"branch": number}), flush=True)
        folder = out / f"branch{number}"
        ends.append(train(mixture, recipe.branch(number), folder, out / "trunk" / BRANCH_POINT))
    return mean_of(ends)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--commercial-only", action="store_true")
    parser.add_argument("--steps", type=int, help="a shorter run without branches, to compare")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    mixture = read_mixture(arguments.data, commercial_only=arguments.commercial_only)
    print(json.dumps({"objects": len(mixture.examples), "dev": len(mixture.dev)}), flush=True)
    recipe = Recipe(seed=arguments.seed)
    if arguments.steps is not None:
        recipe = recipe.shortened(arguments.steps)
    net = train_all(mixture, recipe, arguments.out)
    export(net, mixture, arguments.out)


if __name__ == "__main__":
    main()
