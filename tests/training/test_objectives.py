from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from dermoscope.losses.cross_entropy import WeightedCrossEntropy
from dermoscope.losses.focal import FocalLoss
from dermoscope.losses.ldam import LargeMarginFocalLoss, LDAMLoss
from dermoscope.training.objectives import build_loss
from dermoscope.training.recipes.schema import LossPart

CLASSES, COUNTS = ("a", "b"), (30, 10)


def built(**settings: Any) -> torch.nn.Module:
    return build_loss(TypeAdapter(LossPart).validate_python(settings), CLASSES, COUNTS)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("cross-entropy", WeightedCrossEntropy), ("focal", FocalLoss), ("ldam", LDAMLoss), ("lmf", LargeMarginFocalLoss)],
)
def test_losses_by_name(kind: str, expected: type) -> None:
    loss = built(kind=kind)
    assert type(loss) is expected
    assert torch.isfinite(loss(torch.randn(4, 2), torch.tensor([0, 1, 1, 0])))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [("equal", [1, 1]), ("inverse-frequency", [2 / 3, 2]), ({"b": 5.93, "a": 1.0, "absent": 9.0}, [1.0, 5.93])],
)
def test_weights_follow_the_outputs(weights: object, expected: list[float]) -> None:
    assert built(kind="focal", weights=weights).get_buffer("class_weights").tolist() == pytest.approx(expected)


def test_settings_arrive() -> None:
    focal = built(kind="focal", gamma=3.0, pt_from_weighted=True)
    assert isinstance(focal, FocalLoss)
    assert (focal.gamma, focal.pt_from_weighted) == (3.0, True)
    lmf = built(kind="lmf", alpha=0.2, beta=0.7, gamma=1.0, largest_margin=0.3, scale=10.0)
    assert isinstance(lmf, LargeMarginFocalLoss)
    assert (lmf.alpha, lmf.beta, lmf.gamma, lmf.ldam.scale) == (0.2, 0.7, 1.0, 10.0)
    assert float(lmf.ldam.margins.max()) == pytest.approx(0.3)
