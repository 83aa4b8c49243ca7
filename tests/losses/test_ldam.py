from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from dermoscope.losses.focal import focal_loss
from dermoscope.losses.ldam import LargeMarginFocalLoss, LDAMLoss, ldam_loss, ldam_margins

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.0, 0.3, 0.1], [-0.5, 0.0, 1.0]])
LABELS = torch.tensor([0, 1, 2])
WEIGHTS = torch.tensor([1.0, 2.0, 0.5])


@pytest.mark.parametrize(
    ("counts", "margins"), [([16, 1], [0.25, 0.5]), ([7, 7, 7], [0.5] * 3), ([10_000, 625, 16], [0.1, 0.2, 0.5])]
)
def test_margins_by_hand(counts: list[int], margins: list[float]) -> None:
    assert ldam_margins(counts).tolist() == pytest.approx(margins, abs=1e-6)


def test_value_by_hand() -> None:
    loss = ldam_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([0.5, 0.2]), torch.ones(2), 2.0)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-1.0)))


def test_without_margin_and_scale_it_is_cross_entropy() -> None:
    expected = F.cross_entropy(LOGITS, LABELS, WEIGHTS)
    torch.testing.assert_close(ldam_loss(LOGITS, LABELS, torch.zeros(3), WEIGHTS, 1.0), expected)


def test_a_rare_class_must_win_by_more() -> None:
    loss = LDAMLoss([1000, 10], torch.ones(2), scale=5.0)
    common = loss(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    rare = loss(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
    assert float(rare) > float(common)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (1.0, 0.0), (0.0, 1.0)])
def test_lmf_is_the_sum_of_both(alpha: float, beta: float) -> None:
    ldam = LDAMLoss([100, 10, 5], WEIGHTS, scale=3.0)
    both = LargeMarginFocalLoss(ldam, alpha=alpha, beta=beta, gamma=1.5)
    expected = alpha * ldam(LOGITS, LABELS) + beta * focal_loss(LOGITS, LABELS, WEIGHTS, 1.5)
    torch.testing.assert_close(both(LOGITS, LABELS), expected)


def test_the_published_shares_are_the_default() -> None:
    loss = LargeMarginFocalLoss(LDAMLoss([2, 1], torch.ones(2)))
    assert (loss.alpha, loss.beta, loss.gamma, loss.ldam.scale) == (0.5, 0.5, 2.0, 30.0)
    assert set(loss.state_dict()) == {"ldam.margins", "ldam.class_weights"}


def test_gradient() -> None:
    logits = LOGITS.double().requires_grad_()
    margins, weights = ldam_margins([100, 10, 5]).double(), WEIGHTS.double()
    assert torch.autograd.gradcheck(lambda x: ldam_loss(x, LABELS, margins, weights, 3.0), logits)


@pytest.mark.parametrize("counts", [[], [4, 0]])
def test_an_empty_class_has_no_margin(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="every class needs a sample"):
        ldam_margins(counts)
