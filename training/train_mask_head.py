"""Train the mask head: `python -m training.train_mask_head --data FOLDER --out FOLDER`.

One thread, any CPU; the same arguments on the same machine give the same weights,
also when a run is stopped and started again (it goes on from its last checkpoint).
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import asdict
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
from training.recipe import Recipe


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
        self.net.dropout = recipe.dropout * recipe.cool(self.step)
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

    @torch.no_grad()
    def bring_back(self, share: float) -> None:
        """Move the encoder, and its average, towards the pretrained one."""
        layers = zip(
            self.net.encoder.layers, self.average.encoder.layers, pretrained(), strict=True
        )
        for now, slow, (kernels, biases) in layers:
            for layer in (now, slow):
                layer.weight.lerp_(kernels, share)
                layer.bias.lerp_(biases, share)

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

    def load(self, path: Path, *, of_other_part: bool = False) -> None:
        """Go on from a checkpoint. Raises ValueError for one of another recipe if not said so."""
        state = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe) and not of_other_part:
            raise ValueError(f"{path} belongs to another recipe: {state['recipe']}")
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        for group, highest in zip(self.optimiser.param_groups, self._rates(), strict=True):
            group["highest"] = highest  # each part has its own
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

    Goes on from the last one there, else from `start`, the end of the part before.
    """
    run = Run(recipe)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    elif start is not None:
        run.load(start, of_other_part=True)
        run.bring_back(recipe.way_back)
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
    return checkpoint


def train_all(mixture: Mixture, recipe: Recipe, out: Path) -> MaskHead:
    """Train both parts and give the mean of their weights, which is better than either.

    That works since the second starts where the first ends (Wortsman et al. 2022).
    """
    first = train(mixture, recipe, out / "part1")
    second = train(mixture, recipe.second_part(), out / "part2", first)
    return mean_of([first, second])


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--commercial-only", action="store_true")
    parser.add_argument("--steps", type=int, help="only a first part of this length, to compare")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    mixture = read_mixture(arguments.data, commercial_only=arguments.commercial_only)
    print(json.dumps({"objects": len(mixture.examples), "dev": len(mixture.dev)}), flush=True)
    recipe = Recipe(seed=arguments.seed)
    if arguments.steps is None:
        net = train_all(mixture, recipe, arguments.out)
    else:
        net = mean_of([train(mixture, recipe.shortened(arguments.steps), arguments.out)])
    export(net, mixture, arguments.out)


if __name__ == "__main__":
    main()
