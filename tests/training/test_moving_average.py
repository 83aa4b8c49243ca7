from __future__ import annotations

import pytest
import torch
from torch import nn

from dermoscope.training.moving_average import MovingAverage, copied_state


def test_it_follows_faster_at_first() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    average = MovingAverage(model, 0.99)
    nn.init.constant_(model.weight, 10.0)
    average.follow(0)
    assert float(average.tensors["weight"]) == pytest.approx(9.0)  # a tenth of the old
    average.begin()
    nn.init.constant_(model.weight, 0.0)
    average.follow(10_000)
    assert float(average.tensors["weight"]) == pytest.approx(9.9)


def test_its_state_is_the_models_with_the_average_in_place() -> None:
    model = nn.BatchNorm1d(2)
    average = MovingAverage(model, 0.5)
    before = copied_state(model)
    model(torch.randn(4, 2))
    state = average.state()
    assert torch.equal(state["running_mean"], before["running_mean"])
    assert int(state["num_batches_tracked"]) == 1


def test_a_copy_stays_when_the_model_moves() -> None:
    model = nn.Linear(2, 2)
    kept = copied_state(model)
    nn.init.zeros_(model.weight)
    assert kept["weight"].abs().sum() > 0
