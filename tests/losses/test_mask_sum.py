from __future__ import annotations

import math

import pytest
import torch

from dermoscope.losses.dice import dice_loss
from dermoscope.losses.mask_cross_entropy import mask_cross_entropy
from dermoscope.losses.mask_focal import mask_focal_loss
from dermoscope.losses.mask_sum import MaskLoss
from tests.losses.mask_batch import mask_batch


@pytest.mark.parametrize(
    "shares", [(1.0, 1.0, 0.0), (1.0, 0.0, 20.0), (0.0, 0.5, 0.0), (0.3, 2.0, 5.0), (0.0, 0.0, 1.0)]
)
def test_the_sum_of_its_shares(shares: tuple[float, float, float]) -> None:
    logits, targets = mask_batch(soft=True)
    terms = (
        dice_loss(logits, targets),
        mask_cross_entropy(logits, targets),
        mask_focal_loss(logits, targets, 3.0, 0.4),
    )
    expected = sum(share * float(term) for share, term in zip(shares, terms, strict=True))
    loss = MaskLoss(*shares, gamma=3.0, alpha=0.4)(logits, targets)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)


def test_dice_and_cross_entropy_unless_said_otherwise() -> None:
    logits, targets = mask_batch(soft=False)
    expected = dice_loss(logits, targets) + mask_cross_entropy(logits, targets)
    torch.testing.assert_close(MaskLoss()(logits, targets), expected)


def test_gradient_descent_finds_the_mask() -> None:
    targets = torch.zeros(2, 8, 8)
    targets[0, 2:5, 3:7] = 1
    logits = torch.zeros(2, 8, 8, requires_grad=True)
    loss = MaskLoss(focal=1.0)
    for _ in range(60):
        (gradient,) = torch.autograd.grad(loss(logits, targets), logits)
        logits = (logits - 20 * gradient).detach().requires_grad_()
    assert torch.equal(logits > 0, targets > 0)


@pytest.mark.parametrize("shares", [(0.0, 0.0, 0.0), (-1.0, 1.0, 1.0), (1.0, math.nan, 0.0)])
def test_shares_without_sense_are_errors(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="dice, cross_entropy, focal: give shares of zero or more"):
        MaskLoss(*shares)


@pytest.mark.parametrize(("gamma", "alpha"), [(-1.0, 0.25), (2.0, 2.0)])
def test_parameters_have_ranges(gamma: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"gamma|alpha"):
        MaskLoss(focal=1.0, gamma=gamma, alpha=alpha)
