"""Export checkpoints: `python -m training.export --data FOLDER --out FOLDER FILE.pt ...`.

Writes mask_head_fp32.onnx and mask_head.onnx, the INT8 one that ships. The
weights of several checkpoints are averaged.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from training.augment import plain_sample
from training.crop import CROP_PX
from training.graph import write_graph
from training.mixture import Mixture, read_mixture
from training.network import MaskHead
from training.quantize import quantize

CALIBRATION_OBJECTS = 256


def export(net: MaskHead, mixture: Mixture, out: Path) -> None:
    """Write both files into `out`; the ranges come from training objects at true boxes."""
    fp32, int8 = out / "mask_head_fp32.onnx", out / "mask_head.onnx"
    write_graph(net, fp32)
    chosen = mixture.draw(CALIBRATION_OBJECTS, np.random.default_rng(0))
    quantize(fp32, int8, [plain_sample(example, CROP_PX) for example in chosen])
    sizes = {path.name: path.stat().st_size for path in (fp32, int8)}
    print(json.dumps({"bytes": sizes}), flush=True)


def mean_of(checkpoints: Sequence[Path]) -> MaskHead:
    """Give the network whose weights are the mean of the checkpoints' averages."""
    states = [torch.load(path, weights_only=True)["average"] for path in checkpoints]
    net = MaskHead()
    net.load_state_dict(
        {
            name: torch.stack([state[name].double() for state in states]).mean(0).to(first.dtype)
            for name, first in states[0].items()
        }
    )
    return net.eval()


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    export(mean_of(options.checkpoints), read_mixture(options.data), options.out)


if __name__ == "__main__":
    main()
