"""Coverage-guided fuzzing of the Darknet import: `python fuzz_darknet.py CORPUS_FOLDER [-flag=…]`.

The input is a cfg, a zero byte, and weights. Whatever comes, the import ends
in a model or an EdgesegError, in bounded time and memory. Flags are those of
libFuzzer; new inputs are added to the corpus folder, which is created and
seeded when it is empty.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edgeseg.models"]):
    from edgeseg.errors import EdgesegError
    from edgeseg.models.darknet.cfg import parse_cfg_text
    from edgeseg.models.darknet.export import export
    from edgeseg.models.darknet.plan import plan_network
    from edgeseg.models.darknet.weights import write_random_weights

sys.path.append(str(Path(__file__).parents[1]))
import darknet_nets as nets

SEEDS = (
    nets.net(nets.conv(4), nets.conv(4, groups=2, dilation=3), "[shortcut]\nfrom=-2,0\n"),
    nets.net(nets.conv(4, stride=2), "[upsample]\n", "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"),
    nets.net(nets.conv(4), "[reorg]\nstride=2\n", "[maxpool]\nsize=2\nstride=1\n"),
    nets.net(nets.conv(4), "[avgpool]\n", "[scale_channels]\nfrom=0\n", "[dropout]\n"),
    nets.net(nets.conv(4, act="mish"), nets.conv(4), "[sam]\nfrom=-2\n"),
    nets.net(nets.conv(14), head="[region]\nanchors=1,2,3,4\nclasses=2\nnum=2\nsoftmax=1\n"),
)
KEYS = (
    "=-1", "=0", "=1e99", "=nan", "=99999999999", "=,", "activation=", "anchors=",
    "batch_normalize=", "classes=", "dilation=", "filters=", "from=", "group_id=", "groups=",
    "layers=", "mask=",
    "num=", "pad=", "padding=", "reverse=1", "scale=", "scale_wh=1", "scale_x_y=", "size=",
    "stride=", "stride_x=", "weights_type=", "[activation]", "[avgpool]", "[convolutional]",
    "[local_avgpool]", "[maxpool]", "[region]", "[reorg]", "[route]", "[shortcut]", "[yolo]",
)  # fmt: skip
MAX_PARAMETERS = 20_000
"""Larger networks are planned but not written, so that a run tries many inputs."""


def one_input(data: bytes, folder: Path) -> None:
    """Import one input; anything but success or an EdgesegError gets out."""
    text, _, weights = data.partition(b"\0")
    cfg_path, weights_path = folder / "net.cfg", folder / "net.weights"
    try:
        network = plan_network(parse_cfg_text(text.decode(errors="replace")))
        if network.parameters > MAX_PARAMETERS or len(network.layers) > 40:
            return
        cfg_path.write_bytes(text)
        weights_path.write_bytes(weights)
        if len(weights) < 16:
            write_random_weights(weights_path, network, 1)
        export(cfg_path, weights_path, folder / "net.onnx")
    except EdgesegError:
        return


def seed(corpus: Path) -> None:
    """Write the valid networks, with and without weights."""
    with tempfile.TemporaryDirectory() as name:
        for number, text in enumerate(SEEDS):
            _, weights, _ = nets.place(Path(name), text)
            (corpus / f"seed{number}.cfg").write_text(text)
            (corpus / f"seed{number}.both").write_bytes(
                text.encode() + b"\0" + weights.read_bytes()
            )


def main() -> None:
    """Fuzz until a flag or a finding ends it."""
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        seed(corpus)
    words = corpus.with_name(corpus.name + ".dict")
    words.write_text("".join(f'"{key}"\n' for key in KEYS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        atheris.Setup([*sys.argv, f"-dict={words}"], lambda data: one_input(data, folder))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
