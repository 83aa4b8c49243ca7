from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dermoscope.losses.mask_cross_entropy import mask_cross_entropy
from dermoscope.losses.mask_focal import MaskFocalLoss, mask_focal_loss
from tests.losses.mask_batch import mask_batch


@pytest.mark.parametrize(
    ("p", "truth", "gamma", "alpha", "expected"),
    [
        (0.5, 1.0, 2.0, 0.25, 0.25 * 0.25 * math.log(2)),
        (0.9, 1.0, 2.0, 0.25, 0.25 * 0.01 * -math.log(0.9)),
        (0.9, 0.0, 2.0, 0.25, 0.75 * 0.81 * math.log(10)),
        (0.25, 1.0, 1.0, 1.0, 0.75 * math.log(4)),
        (0.25, 0.0, 1.0, 1.0, 0.0),
        (0.2, 0.5, 1.0, 0.4, 0.5 * 0.5 * -0.5 * math.log(0.2 * 0.8)),
    ],
)
def test_value_by_hand(p: float, truth: float, gamma: float, alpha: float, expected: float) -> None:
    logits = torch.tensor(p, dtype=torch.float64).logit().view(1, 1, 1)
    loss = mask_focal_loss(logits, torch.full((1, 1, 1), truth, dtype=torch.float64), gamma, alpha)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_equals_a_loop_in_numpy(gamma: float, soft: bool) -> None:
    logits, targets = mask_batch(soft=soft)
    losses = []
    for scores, truth in zip(logits.numpy().ravel(), targets.numpy().ravel(), strict=True):
        p = 1 / (1 + np.exp(-scores))
        entropy = -truth * np.log(p) - (1 - truth) * np.log(1 - p)
        p_t, alpha_t = p * truth + (1 - p) * (1 - truth), 0.3 * truth + 0.7 * (1 - truth)
        losses.append(alpha_t * (1 - p_t) ** gamma * entropy)
    assert float(mask_focal_loss(logits, targets, gamma, 0.3)) == pytest.approx(np.mean(losses))


def test_gamma_zero_is_half_the_cross_entropy() -> None:
    logits, targets = mask_batch(soft=True)
    torch.testing.assert_close(MaskFocalLoss(0.0, 0.5)(logits, targets), mask_cross_entropy(logits, targets) / 2)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_gradient(gamma: float, soft: bool) -> None:
    logits, targets = mask_batch(soft=soft)
    assert torch.autograd.gradcheck(lambda x: mask_focal_loss(x, targets, gamma), logits.requires_grad_())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_extreme_logits_keep_loss_and_gradient_finite(gamma: float, truth: float) -> None:
    logits = torch.full((1, 2, 2), 80.0, requires_grad=True)
    loss = mask_focal_loss(logits, torch.full((1, 2, 2), truth), gamma, 0.5)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert float(loss.detach()) == pytest.approx(40 * (1 - truth), abs=1e-6)


@pytest.mark.parametrize(
    ("gamma", "alpha", "message"),
    [(-0.5, 0.25, "gamma must not be negative"), (2.0, 1.5, "alpha must lie between 0 and 1"), (2.0, -0.1, "alpha")],
)
def test_parameters_have_ranges(gamma: float, alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskFocalLoss(gamma, alpha)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\[B, h, w\]"):
        mask_focal_loss(torch.zeros(2, 4, 4), torch.zeros(2, 1, 4, 4))
