"""The maps are those that the logits are made of, whatever backbone of timm they come from."""

from __future__ import annotations

import pytest
import torch

from dermoscope.camnet.network import CAMNetwork
from dermoscope.training.cam_optimiser import build_optimiser
from dermoscope.training.recipes.cams import CAMOptimiserPart

SMALL = "test_efficientnet"


@pytest.mark.parametrize("backbone", [SMALL, "test_resnet", "test_convnext", "convnext_atto"])
def test_the_mean_of_a_map_is_its_logit_without_the_bias(backbone: str) -> None:
    torch.manual_seed(0)
    network = CAMNetwork(backbone, 3).eval()
    answer = network(torch.randn(2, 3, 64, 64))
    assert answer.logits.shape == (2, 3)
    assert answer.cams.shape == (2, 3, *answer.cams.shape[-2:])
    assert answer.masks is None
    expected = answer.cams.mean(dim=(2, 3)) + network.classifier.bias
    torch.testing.assert_close(answer.logits, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(answer.features @ network.classifier.weight.T + network.classifier.bias, answer.logits)
    assert network.map_size(64) == answer.cams.shape[-1]


def test_maps_can_be_learnt_from() -> None:
    network = CAMNetwork(SMALL, 2)
    network(torch.randn(2, 3, 64, 64)).cams.square().sum().backward()
    gradients = [parameter.grad for parameter in network.backbone.parameters()]
    assert all(gradient is not None for gradient in gradients)
    assert any(gradient.abs().sum() > 0 for gradient in gradients if gradient is not None)


def test_a_mask_head_draws_on_the_same_grid() -> None:
    answer = CAMNetwork(SMALL, 2, mask_head=True).eval()(torch.randn(2, 3, 64, 64))
    assert answer.masks.shape == (2, *answer.cams.shape[-2:])


def test_vgg_brings_its_convolutions_alone() -> None:
    network = CAMNetwork("vgg11", 2)
    assert sum(parameter.numel() for parameter in network.parameters()) < 10_000_000
    assert network.eval()(torch.zeros(1, 3, 64, 64)).cams.shape == (1, 2, 2, 2)


def test_vgg_gap_sees_twice_as_finely_and_takes_the_same_weights() -> None:
    plain, gap = CAMNetwork("vgg11", 2), CAMNetwork("vgg11", 2, gap_convolution=16)
    gap.load_backbone(plain.backbone.state_dict())
    answer = gap.eval()(torch.zeros(1, 3, 64, 64))
    assert answer.cams.shape == (1, 2, 4, 4)
    assert answer.features.shape == (1, 16)
    assert gap.map_size(64) == 4
    assert gap.heads == [gap.gap_convolution, gap.classifier]


@pytest.mark.parametrize("backbone", [SMALL, "test_resnet"])
def test_a_convolution_before_the_average_leaves_other_maps_as_fine_as_they_are(backbone: str) -> None:
    plain, gap = CAMNetwork(backbone, 3), CAMNetwork(backbone, 3, gap_convolution=8).eval()
    answer = gap(torch.randn(2, 3, 64, 64))
    assert answer.cams.shape[-2:] == plain.eval()(torch.randn(2, 3, 64, 64)).cams.shape[-2:]
    expected = answer.cams.mean(dim=(2, 3)) + gap.classifier.bias
    torch.testing.assert_close(answer.logits, expected, rtol=1e-4, atol=1e-5)


def test_a_backbone_takes_its_weights_and_leaves_the_classifier() -> None:
    torch.manual_seed(1)
    trained = CAMNetwork(SMALL, 2)
    state = {**trained.backbone.state_dict(), "classifier.weight": torch.zeros(1000, 4)}
    network = CAMNetwork(SMALL, 3)
    network.load_backbone(state)
    for name, tensor in network.backbone.state_dict().items():
        torch.testing.assert_close(tensor, state[name])
    del state["conv_stem.weight"]
    with pytest.raises(RuntimeError, match=r"conv_stem\.weight"):
        network.load_backbone(state)


def test_dropout_is_for_training_alone() -> None:
    network = CAMNetwork(SMALL, 2, dropout=0.5)
    images = torch.randn(1, 3, 64, 64)
    network.eval()
    assert torch.equal(network(images).logits, network(images).logits)


def test_how_pixels_become_numbers() -> None:
    assert CAMNetwork("test_resnet", 2).scaling == "symmetric"
    assert CAMNetwork(SMALL, 2).scaling == "imagenet"
    assert CAMNetwork(SMALL, 2).licence == "apache-2.0"


@pytest.mark.parametrize(
    ("backbone", "drop_path", "message"),
    [
        ("efficientnet_b99", 0.0, "Unknown model"),
        ("test_vit", 0.0, "no grid of channels"),
        ("vgg11", 0.1, "drop_path_rate"),
    ],
)
def test_what_cannot_be_used_is_refused(backbone: str, drop_path: float, message: str) -> None:
    with pytest.raises(ValueError, match=rf"model\.backbone: .*{message}"):
        CAMNetwork(backbone, 2, drop_path=drop_path)


@pytest.mark.parametrize("backbone", [SMALL, "test_resnet", "vgg11"])
def test_frozen_stages_never_change(backbone: str) -> None:
    torch.manual_seed(0)
    network = CAMNetwork(backbone, 2, frozen_stages=2).eval().train()
    before = {name: tensor.clone() for name, tensor in network.backbone.state_dict().items()}
    optimiser = build_optimiser(CAMOptimiserPart(), network)
    network(3 + torch.randn(4, 3, 64, 64)).logits.square().sum().backward()
    optimiser.step()
    changed = [name for name, tensor in network.backbone.state_dict().items() if not tensor.equal(before[name])]
    frozen = [name for name, parameter in network.backbone.named_parameters() if not parameter.requires_grad]
    assert frozen == list(dict(network.backbone.named_parameters()))[: len(frozen)]
    stages = {name.rpartition(".")[0] for name in frozen}
    assert len(stages) >= 2
    assert not stages & {name.rpartition(".")[0] for name in changed}
    assert changed
    assert network.training


def test_one_stage_has_to_learn() -> None:
    with pytest.raises(ValueError, match=r"frozen_stages: 99, but test_resnet has \d"):
        CAMNetwork("test_resnet", 2, frozen_stages=99)
