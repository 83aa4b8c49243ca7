from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dermoscope.losses.focal import FocalLoss, focal_loss


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, dtype=torch.float64, generator=random)
    weights = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    return logits, torch.tensor([0, 1, 2, 3, 1, 0]), weights


@pytest.mark.parametrize(
    ("p", "gamma", "weight", "expected"),
    [
        (0.5, 2.0, 1.0, 0.25 * math.log(2)),
        (0.9, 2.0, 1.0, 0.01 * -math.log(0.9)),
        (0.25, 1.0, 3.0, 3 * 0.75 * math.log(4)),
        (0.25, 0.0, 2.0, 2 * math.log(4)),
    ],
)
def test_value_by_hand(p: float, gamma: float, weight: float, expected: float) -> None:
    logits = torch.tensor([[math.log(p), math.log(1 - p)]], dtype=torch.float64)
    weights = torch.tensor([weight, 7.0], dtype=torch.float64)
    loss = focal_loss(logits, torch.tensor([0]), weights, gamma)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_equals_a_loop_in_numpy(batch: tuple[Tensor, Tensor, Tensor], gamma: float) -> None:
    logits, labels, weights = batch
    losses = []
    for row, label in zip(logits.numpy(), labels.tolist(), strict=True):
        p = np.exp(row[label]) / np.exp(row).sum()
        losses.append(float(weights[label]) * (1 - p) ** gamma * -np.log(p))
    assert float(focal_loss(logits, labels, weights, gamma)) == pytest.approx(np.mean(losses))


def test_gamma_zero_is_cross_entropy(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, weights = batch
    plain = torch.nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(FocalLoss(torch.ones(4, dtype=torch.float64), gamma=0)(logits, labels), plain)
    weighted = torch.nn.functional.cross_entropy(logits, labels, weights, reduction="none").mean()
    torch.testing.assert_close(FocalLoss(weights, gamma=0)(logits, labels), weighted)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_gradient(batch: tuple[Tensor, Tensor, Tensor], gamma: float) -> None:
    logits, labels, weights = batch
    assert torch.autograd.gradcheck(lambda x: focal_loss(x, labels, weights, gamma), logits.requires_grad_())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("label", [0, 1], ids=["sure and right", "sure and wrong"])
def test_extreme_logits_keep_loss_and_gradient_finite(gamma: float, label: int) -> None:
    logits = torch.tensor([[80.0, -80.0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([label]), torch.ones(2), gamma)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert float(loss.detach()) == pytest.approx(160 * label, abs=1e-6)


def test_one_class_costs_nothing() -> None:
    assert float(focal_loss(torch.randn(3, 1), torch.zeros(3, dtype=torch.int64), torch.ones(1), 2.0)) == 0


def test_the_module_keeps_its_own_weights() -> None:
    weights = torch.ones(2)
    loss = FocalLoss(weights)
    weights *= 5
    assert loss.class_weights.tolist() == [1, 1]
    assert "class_weights" in loss.state_dict()
    assert loss.gamma == 2.0


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -1.0], [1.0, math.nan]])
def test_weights_must_be_positive(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="class_weights must be positive"):
        FocalLoss(torch.tensor(weights))


def test_gamma_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match=r"gamma must not be negative, got -0\.5"):
        FocalLoss(torch.ones(2), gamma=-0.5)


@pytest.mark.parametrize(
    ("p", "gamma", "weight"), [(0.5, 2.0, 1.5), (0.9, 3.0, 5.93), (0.25, 2.0, 0.7), (0.6, 0.0, 2.0), (0.3, 2.0, 1.0)]
)
def test_the_published_form_by_hand(p: float, gamma: float, weight: float) -> None:
    logits = torch.tensor([[math.log(p), math.log(1 - p)]], dtype=torch.float64)
    weights = torch.tensor([weight, 7.0], dtype=torch.float64)
    entropy = -weight * math.log(p)
    published = (1 - math.exp(-entropy)) ** gamma * entropy
    loss = FocalLoss(weights, gamma, pt_from_weighted=True)(logits, torch.tensor([0]))
    assert float(loss) == pytest.approx(published)
    textbook = float(FocalLoss(weights, gamma)(logits, torch.tensor([0])))
    assert (published == pytest.approx(textbook)) == (weight == 1.0 or gamma == 0.0)


def test_gradient_of_the_published_form(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, weights = batch
    assert torch.autograd.gradcheck(
        lambda x: focal_loss(x, labels, weights, 3.0, pt_from_weighted=True), logits.requires_grad_()
    )
