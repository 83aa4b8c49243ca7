from __future__ import annotations

import pytest
import torch
from torch.optim import Adam, AdamW

from dermoscope.training.recipes.schema import ConstantPart, OneCyclePart, OptimiserPart, PlateauPart
from dermoscope.training.schedules import build_optimiser, build_schedule


def optimiser(learning_rate: float = 0.001) -> torch.optim.Optimizer:
    return build_optimiser(OptimiserPart(learning_rate=learning_rate), [torch.nn.Parameter(torch.ones(2))])


@pytest.mark.parametrize(("kind", "expected"), [("adam", Adam), ("adamw", AdamW)])
def test_optimisers_by_name(kind: str, expected: type) -> None:
    part = OptimiserPart.model_validate({"kind": kind, "learning_rate": 0.01, "weight_decay": 0.1})
    found = build_optimiser(part, [torch.nn.Parameter(torch.ones(2))])
    assert type(found) is expected
    assert (found.param_groups[0]["lr"], found.param_groups[0]["weight_decay"]) == (0.01, 0.1)


def test_one_cycle_goes_up_and_down_once() -> None:
    moved = optimiser()
    schedule = build_schedule(OneCyclePart(kind="one-cycle"), moved, 100)
    rates = []
    for _ in range(100):
        rates.append(moved.param_groups[0]["lr"])
        moved.step()
        if len(rates) < 100:
            schedule.after_step()
    schedule.after_epoch(1.0)
    assert rates[0] == pytest.approx(0.001 / 25)
    assert max(rates) == pytest.approx(0.001)
    assert rates.index(max(rates)) == 9, "a tenth of the way"
    assert rates[-1] == pytest.approx(0.001 / 25 / 1000)
    assert rates[9:] == sorted(rates[9:], reverse=True)


def test_plateau_halves_after_more_than_three_epochs_without_a_smaller_loss() -> None:
    moved = optimiser()
    schedule = build_schedule(PlateauPart(kind="plateau"), moved, 100)
    rates = []
    for loss in (1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.8, 0.9):
        schedule.after_step()
        schedule.after_epoch(loss)
        rates.append(moved.param_groups[0]["lr"])
    assert rates == [0.001] * 5 + [0.0005] * 3


def test_constant_stays() -> None:
    moved = optimiser()
    schedule = build_schedule(ConstantPart(kind="constant"), moved, 10)
    schedule.after_step()
    schedule.after_epoch(3.0)
    assert moved.param_groups[0]["lr"] == 0.001
    assert schedule.scheduler is None


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 11])
def test_one_cycle_of_a_few_steps(steps: int) -> None:
    moved = optimiser()
    schedule = build_schedule(OneCyclePart(kind="one-cycle"), moved, steps)
    for _ in range(steps):
        moved.step()
        assert 0 < moved.param_groups[0]["lr"] <= 0.001
        schedule.after_step()
