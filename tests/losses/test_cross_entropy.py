from __future__ import annotations

import math

import pytest
import torch

from dermoscope.losses.cross_entropy import WeightedCrossEntropy, weighted_cross_entropy


def test_value_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.5], [0.8, 0.2]]))
    loss = weighted_cross_entropy(logits, torch.tensor([0, 1]), torch.tensor([1.0, 3.0]))
    assert float(loss) == pytest.approx((math.log(2) + 3 * math.log(5)) / 4)


def test_the_module_is_the_function() -> None:
    logits, labels, weights = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0]), torch.tensor([1.0, 2.0, 5.93])
    module = WeightedCrossEntropy(weights)
    assert float(module(logits, labels)) == float(weighted_cross_entropy(logits, labels, weights))
    assert "class_weights" in module.state_dict()


def test_weights_must_be_positive() -> None:
    with pytest.raises(ValueError, match="class_weights must be positive"):
        WeightedCrossEntropy(torch.tensor([1.0, 0.0]))
