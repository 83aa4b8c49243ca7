"""The baseline takes a trained encoder, answers at half resolution, learns, and exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.engine import ENGINES, EngineName, compile_graph
from dermoscope.losses.mask_sum import MaskLoss
from dermoscope.segment.unet import DEFAULT_ENCODER, UNet
from dermoscope.training.onnx_graph import export_onnx, largest_difference

# isort: split
import timm

# torch.export warns about itself.
pytestmark = pytest.mark.filterwarnings(r"ignore:.isinstance\(treespec, LeafSpec\):FutureWarning")


@pytest.fixture(scope="module")
def network() -> UNet:
    """With batch statistics that are not those of a fresh layer, so that a graph that forgets them differs."""
    torch.manual_seed(0)
    network = UNet()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.7, 1.3)
            nn.init.uniform_(layer.bias, -0.3, 0.3)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def classifier_state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return timm.create_model(DEFAULT_ENCODER).state_dict()


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("count", "height", "width"), [(1, 64, 64), (3, 64, 96), (1, 256, 256)])
def test_one_logit_for_every_two_by_two_pixels(network: UNet, count: int, height: int, width: int) -> None:
    with torch.inference_mode():
        logits = network(images(count, 3, height, width))
    assert logits.shape == (count, height // 2, width // 2)
    assert logits.dtype == torch.float32
    assert float(logits.std()) > 0


@pytest.mark.parametrize("shape", [(1, 3, 64, 80), (1, 3, 100, 64)])
def test_other_sizes_are_errors(network: UNet, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sides must be a multiple of 32"):
        network(images(*shape))


def test_it_is_small(network: UNet) -> None:
    decoder = sum(p.numel() for name, p in network.named_parameters() if not name.startswith("encoder."))
    assert decoder < 1_000_000
    assert sum(p.numel() for p in network.parameters()) < 4_000_000


def test_it_says_how_images_are_scaled(network: UNet) -> None:
    assert network.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    assert network.std.flatten().tolist() == [0.5, 0.5, 0.5]
    assert not {"mean", "std"} & set(network.state_dict())


def test_the_encoder_comes_from_a_classifier(classifier_state: dict[str, Tensor]) -> None:
    network = UNet.from_encoder_weights(classifier_state)
    assert network.training
    assert all(p.requires_grad for p in network.parameters())
    for key, value in network.encoder.state_dict().items():
        assert torch.equal(value, classifier_state[key]), key
    classifier: Any = timm.create_model(DEFAULT_ENCODER)
    classifier.load_state_dict(classifier_state)
    with torch.inference_mode():
        _, expected = classifier.eval().forward_intermediates(images(1, 3, 64, 64))
        found = network.eval().encoder(images(1, 3, 64, 64))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("missing", ["conv_stem.weight", "bn1.running_var", "blocks.6.0.bn3.bias"])
def test_a_missing_tensor_is_an_error(classifier_state: dict[str, Tensor], missing: str) -> None:
    with pytest.raises(RuntimeError, match=missing):
        UNet.from_encoder_weights({key: value for key, value in classifier_state.items() if key != missing})


def test_a_tensor_of_another_shape_is_an_error(classifier_state: dict[str, Tensor]) -> None:
    with pytest.raises(RuntimeError, match=r"conv_stem\.weight"):
        UNet.from_encoder_weights(classifier_state | {"conv_stem.weight": torch.zeros(8, 3, 3, 3)})


def test_the_classifier_itself_is_not_needed(classifier_state: dict[str, Tensor]) -> None:
    rest = ("conv_head.", "bn2.", "classifier.")
    UNet.from_encoder_weights({key: value for key, value in classifier_state.items() if not key.startswith(rest)})


def test_another_encoder_works_as_well() -> None:
    with torch.inference_mode():
        assert UNet("resnet10t").eval()(images(1, 3, 64, 64)).shape == (1, 32, 32)


def test_an_encoder_with_other_stages_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"encoder_name: stages of convnext_atto reduce by \[4, 8, 16, 32\]"):
        UNet("convnext_atto")


def test_every_map_of_the_encoder_counts(network: UNet) -> None:
    maps = network.encoder(images(1, 3, 64, 64))
    taken = [value.detach().requires_grad_() for value in maps]
    found = taken[-1]
    for block, skip in zip(network.decoder, reversed(taken[:-1]), strict=True):
        found = block(found, skip)
    gradients = torch.autograd.grad(network.classifier(found).square().sum(), taken)
    assert all(float(gradient.abs().max()) > 0 for gradient in gradients)


def test_it_learns() -> None:
    torch.manual_seed(0)
    network = UNet().train()
    targets = torch.zeros(4, 32, 32)
    for image, (top, left) in enumerate([(4, 4), (4, 18), (18, 4), (18, 18)]):
        targets[image, top : top + 10, left : left + 10] = 1
    coloured = nn.functional.interpolate(targets[:, None], scale_factor=2) * torch.tensor([-1.0, 0.5, 1]).view(3, 1, 1)
    loss, optimiser = MaskLoss(), torch.optim.AdamW(network.parameters(), 3e-3)
    values = []
    for _ in range(18):
        optimiser.zero_grad()
        value = loss(network(coloured), targets)
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.6 * values[0]


@pytest.fixture(scope="module")
def graph(network: UNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "unet.onnx"
    example = {"image": images(1, 3, 64, 64)}
    export_onnx(network, example, ("logits",), path, dynamic={"image": {0: "images"}}, weights="float32")
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_the_graph_computes_what_torch_does(engine: EngineName, network: UNet, graph: Path) -> None:
    compiled = compile_graph(graph, engine=engine, precision="float32")
    for count in (1, 3):
        given = images(count, 3, 64, 64)
        with torch.inference_mode():
            expected = network(given).numpy()
        assert largest_difference(compiled({"image": given.numpy()})["logits"], expected) < 1e-4


@pytest.mark.weights
def test_real_weights_of_imagenet(real_weights: Path) -> None:
    network = UNet.from_encoder_weights(load_file(real_weights / "efficientnet_lite0.safetensors")).eval()
    with torch.inference_mode():
        maps = network.encoder(images(1, 3, 256, 256))
    assert [value.shape[1] for value in maps] == [16, 24, 40, 112, 320]
    assert all(bool(value.isfinite().all()) and 0.05 < float(value.std()) < 20 for value in maps)
