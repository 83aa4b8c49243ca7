"""The loop learns, goes on with the very same numbers, and keeps the best epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dermoscope.training.head_trainer import TrainingError
from dermoscope.training.mask_trainer import SELECT, MaskTrainer, rate_factor
from dermoscope.training.recipes.masks import MaskOptimiserPart, MaskRecipe
from dermoscope.training.run_folder import EpochMetrics
from dermoscope.training.trainer_state import CheckpointError
from tests.training.tiny_masks import ToyData, ToyModel


def recipe(**changes: object) -> MaskRecipe:
    settings: dict[str, object] = {
        "learns": "masks",
        "name": "toy",
        "model": {"kind": "sam"},
        "optimiser": {"learning_rate": 0.03, "batch_size": 4, "average": 0.5},
        "epochs": 4,
        "precision": "float32",
    }
    return MaskRecipe.model_validate(settings | changes)


def trained(model: ToyModel, given: MaskRecipe, checkpoint: Path | None = None) -> tuple[EpochMetrics, ...]:
    groups: list[dict[str, object]] = [{"params": list(model.parameters()), "lr": given.optimiser.learning_rate}]
    trainer = MaskTrainer(given, model, groups, scale=1.0, checkpoint=checkpoint)
    return trainer.fit(ToyData(24), ToyData(8, seed=1), inputs="toy")


def tensors(model: ToyModel) -> list[Tensor]:
    return list(model.state_dict().values())


def test_it_learns_masks_and_its_own_overlap() -> None:
    model = ToyModel()
    history = trained(model, recipe(epochs=8))
    assert history[-1].metrics[SELECT] > 0.9
    assert history[-1].metrics["training loss"] < 0.5 * history[0].metrics["training loss"]
    assert float(model.sure.detach()) > 0.3
    assert not model.training


def test_the_best_epoch_is_kept() -> None:
    model = ToyModel()
    seen: list[EpochMetrics] = []
    given = recipe(optimiser={"learning_rate": 0.5, "batch_size": 4, "average": 0.0, "largest_gradient": 100.0})
    groups: list[dict[str, object]] = [{"params": list(model.parameters()), "lr": 0.5}]
    trainer = MaskTrainer(given, model, groups, scale=1.0, on_epoch=seen.append)
    trainer.fit(ToyData(24), ToyData(8, seed=1))
    best = max(line.metrics[SELECT] for line in seen)
    assert trainer.score(ToyData(8, seed=1))[SELECT] == pytest.approx(best)


def test_going_on_after_a_break_gives_the_same_bits(tmp_path: Path) -> None:
    whole = ToyModel()
    expected = trained(whole, recipe())

    def stop(line: EpochMetrics) -> None:
        if line.epoch == 3:
            raise KeyboardInterrupt

    broken, checkpoint = ToyModel(), tmp_path / "checkpoint.safetensors"
    groups: list[dict[str, object]] = [{"params": list(broken.parameters()), "lr": 0.03}]
    with pytest.raises(KeyboardInterrupt):
        MaskTrainer(recipe(), broken, groups, scale=1.0, checkpoint=checkpoint, on_epoch=stop).fit(
            ToyData(24), ToyData(8, seed=1), inputs="toy"
        )
    resumed = ToyModel()
    assert trained(resumed, recipe(), checkpoint) == expected
    for ours, theirs in zip(tensors(resumed), tensors(whole), strict=True):
        assert torch.equal(ours, theirs)


def test_an_average_lags_behind_and_forgets_where_it_began() -> None:
    start, ends = tensors(ToyModel()), []
    for average in (0.0, 0.8, 0.99999):
        model = ToyModel()
        groups: list[dict[str, object]] = [{"params": list(model.parameters()), "lr": 0.03}]
        given = recipe(epochs=1, optimiser={"learning_rate": 0.03, "batch_size": 4, "average": average})
        MaskTrainer(given, model, groups, scale=1.0).fit(ToyData(24), ToyData(8, seed=1))
        ends.append(torch.cat([tensor.flatten() for tensor in tensors(model)]))
    latest, slow, slowest = ends
    moved = (latest - torch.cat([tensor.flatten() for tensor in start])).norm()
    # Six steps: an average that took its full decay at once would stand where it began.
    assert torch.equal(slow, slowest)
    assert 0.01 * moved < (latest - slowest).norm() < 0.7 * moved


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    trained(ToyModel(), recipe(epochs=1), tmp_path / "it")
    with pytest.raises(CheckpointError, match=r"of another training"):
        trained(ToyModel(), recipe(epochs=2), tmp_path / "it")


def test_a_trial_changes_nothing() -> None:
    model, given = ToyModel(), recipe()
    before = [tensor.clone() for tensor in tensors(model)]
    groups: list[dict[str, object]] = [{"params": list(model.parameters()), "lr": 0.03}]
    trainer = MaskTrainer(given, model, groups, scale=1.0)
    inputs, targets = ToyData(4).batch(np.arange(4), 0)
    assert trainer.tried_step(inputs, targets) > 0
    assert all(torch.equal(a, b) for a, b in zip(tensors(model), before, strict=True))
    after_trial = trainer.fit(ToyData(24), ToyData(8, seed=1), inputs="toy")
    assert after_trial == trained(ToyModel(), given)


def test_a_loss_that_explodes_says_what_to_change() -> None:
    model = ToyModel()
    with torch.no_grad():
        model.out.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"optimiser.learning_rate"):
        trained(model, recipe())


@pytest.mark.parametrize(("step", "factor"), [(0, 0.1), (9, 1.0), (10, 1.0), (55, 0.5), (100, 0.0)])
def test_up_in_a_line_and_down_along_a_cosine(step: int, factor: float) -> None:
    assert rate_factor(step, 100, MaskOptimiserPart(warm_up=0.1)) == pytest.approx(factor, abs=1e-9)
