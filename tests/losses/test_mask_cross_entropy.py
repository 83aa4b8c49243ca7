from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dermoscope.losses.mask_cross_entropy import MaskCrossEntropy, mask_cross_entropy
from tests.losses.mask_batch import mask_batch


def test_value_by_hand() -> None:
    logits = torch.tensor([0.5, 0.8, 0.25], dtype=torch.float64).logit().view(1, 1, 3)
    targets = torch.tensor([1.0, 0.0, 0.5], dtype=torch.float64).view(1, 1, 3)
    expected = (math.log(2) + math.log(5) - 0.5 * math.log(0.25 * 0.75)) / 3
    assert float(mask_cross_entropy(logits, targets)) == pytest.approx(expected)


@pytest.mark.parametrize("soft", [False, True])
def test_equals_a_loop_in_numpy(soft: bool) -> None:
    logits, targets = mask_batch(soft=soft)
    losses = []
    for scores, truth in zip(logits.numpy(), targets.numpy(), strict=True):
        p = 1 / (1 + np.exp(-scores))
        losses.append((-truth * np.log(p) - (1 - truth) * np.log(1 - p)).mean())
    loss = mask_cross_entropy(logits, targets)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(np.mean(losses))
    assert float(MaskCrossEntropy()(logits, targets)) == float(loss)


@pytest.mark.parametrize("soft", [False, True])
def test_gradient(soft: bool) -> None:
    logits, targets = mask_batch(soft=soft)
    assert torch.autograd.gradcheck(lambda x: mask_cross_entropy(x, targets), logits.requires_grad_())


@pytest.mark.parametrize(("logit", "expected"), [(-90.0, 0.0), (90.0, 90.0)])
def test_sure_answers_stay_finite(logit: float, expected: float) -> None:
    loss = mask_cross_entropy(torch.full((2, 3, 3), logit), torch.zeros(2, 3, 3))
    assert float(loss) == pytest.approx(expected)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\[B, h, w\]"):
        mask_cross_entropy(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4))
