"""The network trains, goes on where it stopped, and its ONNX file gives its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: training/requirements.txt")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from training import train_mask_head  # noqa: E402
from training.augment import Sample, plain_sample  # noqa: E402
from training.export import mean_of  # noqa: E402
from training.graph import prior, write_graph  # noqa: E402
from training.mixture import Mixture  # noqa: E402
from training.network import FROZEN_LAYERS, Encoder, MaskHead  # noqa: E402
from training.pictures import Example, Picture  # noqa: E402
from training.quantize import KEPT, best_scale, quantize  # noqa: E402
from training.recipe import Recipe  # noqa: E402
from training.train_mask_head import Run, samples_of, train  # noqa: E402


@pytest.fixture(autouse=True)
def without_weights(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Random numbers in place of yolov3-tiny's; one thread."""

    def pretrained() -> list[tuple[object, object]]:
        torch.manual_seed(3)
        return [(layer.weight.detach(), layer.bias.detach()) for layer in Encoder().layers]

    monkeypatch.setattr(train_mask_head, "pretrained", pretrained)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def discs() -> Mixture:
    """Discs of some sizes, brighter than what is around them."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:160, :160]
    examples = []
    for number in range(6):
        disc = (x - 80) ** 2 + (y - 70) ** 2 < (20 + 6 * number) ** 2
        noise = rng.integers(0, 80, (160, 160, 3))
        image = np.where(disc[:, :, None], 170 + noise, noise).astype(np.uint8)
        rows, columns = np.nonzero(disc)
        hull = np.stack([columns, rows], 1).astype(float)
        picture = Picture(f"{number}.png", (image, image[::2, ::2]), disc.astype(np.uint8))
        examples.append(Example(picture, 1, np.concatenate([hull, hull + 1])))
    return Mixture(examples, np.full(6, 1 / 6), examples[:2])


def test_the_onnx_file_gives_what_the_network_gives(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = MaskHead().train()
    crops, meta = torch.rand(5, 3, 128, 128), torch.rand(5, 3)
    net(crops, meta)  # batch normalisation has numbers to fold
    torch.nn.init.normal_(net.scene.weight)
    net.eval()
    first = write_graph(net, tmp_path / "net.onnx")
    assert first == write_graph(net, tmp_path / "again.onnx")
    session = onnxruntime.InferenceSession(
        str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"crops": crops.numpy(), "meta": meta.numpy()})[0]
    with torch.no_grad():
        expected = net(crops, meta).numpy() + prior().astype(np.float32)
    assert found.shape == (5, 1, 64, 64)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_the_network_learns_and_its_first_layers_stay(discs: Mixture) -> None:
    run = Run(Recipe(steps=40, batch=6, small_px=64, full_px=64, warm_up=5))
    before = [p.clone() for p in run.net.encoder.parameters()]
    losses = [run.learn(samples_of(discs, run.recipe, step)) for step in range(25)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])
    moved = [
        not torch.equal(a, b) for a, b in zip(before, run.net.encoder.parameters(), strict=True)
    ]
    assert not any(moved[: 2 * FROZEN_LAYERS])
    assert all(moved[2 * FROZEN_LAYERS :])


def test_unknown_pixels_teach_nothing() -> None:
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    target = torch.zeros(2, 1, 8, 8)
    weight = torch.ones(2, 1, 8, 8)
    weight[:, :, 3:] = 0
    train_mask_head.mask_loss(logits, target, weight).backward()
    assert logits.grad is not None
    assert (logits.grad[:, :, 3:] == 0).all()
    assert (logits.grad[:, :, :3] != 0).any()


def test_a_stopped_run_ends_as_an_unbroken_one(discs: Mixture, tmp_path: Path) -> None:
    recipe = Recipe(steps=6, batch=2, small_px=32, small_steps=2, full_px=64, warm_up=2)
    (tmp_path / "parts").mkdir()
    whole = mean_of([train(discs, recipe, tmp_path / "whole")])
    run = Run(recipe)
    for step in range(3):
        run.learn(samples_of(discs, recipe, step))
    run.save(tmp_path / "parts" / "checkpoint.pt")
    parts = mean_of([train(discs, recipe, tmp_path / "parts")])
    for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_second_part_starts_from_the_first(discs: Mixture, tmp_path: Path) -> None:
    recipe = Recipe(steps=3, batch=2, small_steps=0, full_px=32, warm_up=1)
    second = replace(recipe.second_part(), steps=5, cool_down=2)
    assert (recipe.second_part().seed, recipe.second_part().steps) == (2, 3003)
    ends = [train(discs, recipe, tmp_path / "1")]
    ends.append(train(discs, second, tmp_path / "2", ends[0]))
    states = [torch.load(path, weights_only=True) for path in ends]
    assert [state["step"] for state in states] == [3, 5]
    groups = states[1]["optimiser"]["param_groups"]
    assert [group["highest"] for group in groups] == [1e-4, 2e-3]
    assert {group["weight_decay"] for group in groups} == {0.1}
    name = "scene.weight"
    mean = (states[0]["average"][name] + states[1]["average"][name]) / 2
    torch.testing.assert_close(mean_of(ends).state_dict()[name], mean)


def test_the_encoder_is_brought_back() -> None:
    run = Run(Recipe(steps=2))
    layer = run.net.encoder.layers[4]
    pretrained = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight += 1
    run.bring_back(0.6)
    torch.testing.assert_close(layer.weight.detach(), pretrained + 0.4)


def test_a_shorter_recipe_keeps_its_parts() -> None:
    short = Recipe().shortened(2000)
    assert [short.crop_px(step) for step in (0, 1177, 1178, 1999)] == [96, 96, 128, 128]
    assert short.rate(1999) < 0.01
    assert short.rate(250) > 0.9


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    Run(Recipe(steps=6)).save(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="another recipe"):
        Run(Recipe(steps=7)).load(tmp_path / "checkpoint.pt")


@pytest.fixture
def exported(discs: Mixture, tmp_path: Path) -> tuple[Path, Path, list[Sample]]:
    """An untrained network as fp32 and INT8, and the samples that chose its scales."""
    torch.manual_seed(1)
    samples = [plain_sample(example, 128) for example in discs.examples]
    net = MaskHead().train()
    crops, _, _, meta = train_mask_head.tensors(samples)
    net(crops, meta)
    write_graph(net.eval(), tmp_path / "fp32.onnx")
    quantize(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", samples)
    return tmp_path / "fp32.onnx", tmp_path / "int8.onnx", samples


def test_quantizing_keeps_the_masks(exported: tuple[Path, Path, list[Sample]]) -> None:
    fp32, int8, samples = exported
    assert int8.stat().st_size < 3_000_000
    crops, _, _, meta = train_mask_head.tensors(samples)
    feed = {"crops": crops.contiguous().numpy(), "meta": meta.numpy()}
    both = [
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feed)
        for path in (fp32, int8)
    ]
    assert np.corrcoef(both[0][0].ravel(), both[1][0].ravel())[0, 1] > 0.98


def test_the_int8_graph_is_what_both_runtimes_want(
    exported: tuple[Path, Path, list[Sample]],
) -> None:
    graph = onnx.load(str(exported[1])).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    pairs = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    for node in pairs:
        assert readers[node.output[0]] == 1  # else ONNX Runtime keeps it signed, and slow
    assert all(arrays[node.input[2]] == 0 for node in pairs)
    assert all(arrays[node.input[2]].dtype == np.int8 for node in pairs)
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert all(arrays[node.input[2]].dtype == np.float32 for node in convolutions)
    int8 = [node for node in convolutions if node.name not in KEPT]
    assert len(int8) == 18
    assert all(arrays[node.input[1].replace("_dq", "_q")].dtype == np.int8 for node in int8)


def test_a_scale_gives_up_lonely_extremes() -> None:
    counts = np.zeros(2048)
    counts[:200] = 1e6
    assert best_scale(counts, 10.0) < 5.0 / 127
    counts[-1] = 1e6
    assert best_scale(counts, 10.0) == pytest.approx(10.0 / 127, rel=0.02)
