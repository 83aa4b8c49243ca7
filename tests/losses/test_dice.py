from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dermoscope.losses.dice import DiceLoss, dice_loss
from tests.losses.mask_batch import mask_batch


@pytest.mark.parametrize(
    ("probabilities", "truth", "smooth", "expected"),
    [
        ([0.5, 0.5], [1.0, 0.0], 1.0, 1 - (2 * 0.5 + 1) / (1 + 1 + 1)),
        ([0.9, 0.2], [1.0, 0.0], 1.0, 1 - (2 * 0.9 + 1) / (1.1 + 1 + 1)),
        ([0.9, 0.2], [1.0, 1.0], 0.5, 1 - (2 * 1.1 + 0.5) / (1.1 + 2 + 0.5)),
        ([0.8, 0.3], [0.5, 0.5], 1.0, 1 - (2 * 0.8 + 1) / (1.1 + 1 + 1)),
        ([0.25, 0.75], [0.0, 0.0], 1.0, 1 - 1 / 2),
    ],
)
def test_value_by_hand(probabilities: list[float], truth: list[float], smooth: float, expected: float) -> None:
    logits = torch.tensor(probabilities, dtype=torch.float64).logit().view(1, 1, 2)
    loss = dice_loss(logits, torch.tensor(truth, dtype=torch.float64).view(1, 1, 2), smooth)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)


def test_hard_targets_give_the_usual_formula() -> None:
    logits, targets = mask_batch(soft=False)
    losses = []
    for scores, truth in zip(logits.numpy(), targets.numpy(), strict=True):
        p = 1 / (1 + np.exp(-scores))
        losses.append(1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1))
    assert float(dice_loss(logits, targets)) == pytest.approx(np.mean(losses))


def test_each_image_counts_alike_however_large_its_lesion() -> None:
    logits, targets = torch.full((2, 8, 8), -9.0), torch.zeros(2, 8, 8)
    targets[0], targets[1, 0, 0] = 1, 1
    logits[0] = 9
    alone = [float(dice_loss(logits[[image]], targets[[image]])) for image in range(2)]
    assert alone[0] < 0.01
    assert alone[1] == pytest.approx(0.5, abs=0.02)
    assert float(dice_loss(logits, targets)) == pytest.approx(sum(alone) / 2)


@pytest.mark.parametrize("lesion", [0.0, 1.0], ids=["no lesion", "lesion everywhere"])
def test_a_sure_answer_costs_nothing_or_all(lesion: float) -> None:
    targets = torch.full((2, 64, 64), lesion)
    right = torch.full((2, 64, 64), 80.0 if lesion else -80.0)
    assert float(dice_loss(right, targets)) == pytest.approx(0, abs=1e-6)
    assert float(dice_loss(-right, targets)) == pytest.approx(1, abs=1e-3)


def test_soft_targets_are_reached_at_themselves() -> None:
    targets = torch.tensor([0.2, 0.5, 0.9, 0.6], dtype=torch.float64).view(1, 2, 2)
    at = dice_loss(targets.logit(), targets)
    assert float(at) == pytest.approx(0, abs=1e-12)
    for nudge in (-0.3, 0.3):
        assert float(dice_loss(targets.logit() + nudge, targets)) > 0.01


@pytest.mark.parametrize("soft", [False, True])
def test_gradient(soft: bool) -> None:
    logits, targets = mask_batch(soft=soft)
    assert torch.autograd.gradcheck(lambda x: dice_loss(x, targets), logits.requires_grad_())


def test_half_precision_is_summed_in_single() -> None:
    targets = torch.zeros(1, 64, 64)
    targets[:, :20] = 1
    logits = (torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(0)) + 4 * targets - 2).bfloat16()
    assert float(dice_loss(logits, targets)) == pytest.approx(float(dice_loss(logits.float(), targets)), abs=1e-6)


def test_the_module_keeps_its_parameter() -> None:
    logits, targets = mask_batch(soft=False)
    assert float(DiceLoss(0.1)(logits, targets)) == float(dice_loss(logits, targets, 0.1))
    assert float(DiceLoss()(logits, targets)) == float(dice_loss(logits, targets))


@pytest.mark.parametrize("smooth", [0.0, -1.0, math.nan])
def test_smooth_must_be_positive(smooth: float) -> None:
    with pytest.raises(ValueError, match="smooth must be positive"):
        DiceLoss(smooth)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\[B, h, w\]"):
        dice_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4))
