from __future__ import annotations

import pytest
import torch
from torch import nn

from dermoscope.heads.mlp import AveragedHead, Heads, MLPHead


def head(classes: int = 3, hidden: tuple[int, ...] = (8, 4), seed: int = 0) -> MLPHead:
    torch.manual_seed(seed)
    return MLPHead(classes, torch.arange(5.0), torch.full((5,), 2.0), hidden, dropout=0.5)


@pytest.mark.parametrize("hidden", [(), (8,), (8, 4)])
@pytest.mark.parametrize("batch", [1, 7])
def test_shape(hidden: tuple[int, ...], batch: int) -> None:
    assert head(hidden=hidden)(torch.randn(batch, 5)).shape == (batch, 3)


def test_the_published_widths_are_the_default() -> None:
    layers = MLPHead(7, torch.zeros(256), torch.ones(256)).layers
    assert [(layer.in_features, layer.out_features) for layer in layers if isinstance(layer, nn.Linear)] == [
        (256, 512),
        (512, 256),
        (256, 7),
    ]
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == [0.3, 0.3]


def test_features_are_standardised() -> None:
    module = head(hidden=())
    feature = torch.randn(4, 5)
    expected = module.layers((feature - torch.arange(5.0)) / 2)
    torch.testing.assert_close(module(feature), expected)
    assert torch.equal(module(torch.arange(5.0)[None]), module.layers(torch.zeros(1, 5)))


def test_dropout_works_in_training_alone() -> None:
    module, feature = head(), torch.randn(4, 5)
    module.train()
    assert not torch.equal(module(feature), module(feature))
    module.eval()
    assert torch.equal(module(feature), module(feature))


def test_standardisation_is_saved_with_the_weights() -> None:
    first, second = head(), MLPHead(3, torch.zeros(5), torch.ones(5), (8, 4))
    second.load_state_dict(first.state_dict())
    feature = torch.randn(2, 5)
    assert torch.equal(first.eval()(feature), second.eval()(feature))


def test_heads_answer_in_the_order_they_were_given() -> None:
    feature = torch.randn(2, 5)
    parts = {"zebra": head(2).eval(), "ant": head(4).eval()}
    answers = Heads(parts)(feature)
    assert len(answers) == 2
    assert torch.equal(answers[0], parts["zebra"](feature))
    assert torch.equal(answers[1], parts["ant"](feature))


def test_the_average_is_a_geometric_mean_of_distributions() -> None:
    members = [head(seed=seed).eval() for seed in range(3)]
    feature = torch.randn(2, 5)
    distributions = torch.stack([member(feature).softmax(-1) for member in members])
    expected = distributions.prod(0) ** (1 / 3)
    expected = expected / expected.sum(-1, keepdim=True)
    torch.testing.assert_close(AveragedHead(members)(feature).softmax(-1), expected)


def test_the_average_does_not_care_about_a_members_offset() -> None:
    class Shifted(nn.Module):
        def forward(self, feature: torch.Tensor) -> torch.Tensor:
            return feature + 100

    feature = torch.randn(2, 5)
    torch.testing.assert_close(
        AveragedHead([nn.Identity(), Shifted()])(feature), AveragedHead([nn.Identity()])(feature), atol=1e-4, rtol=0
    )
