from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dermoscope.heads.fit import FeatureSet
from dermoscope.heads.mlp import AveragedHead, MLPHead
from dermoscope.training.head_metrics import HeadEpoch
from dermoscope.training.head_trainer import HeadTrainer, TrainingError
from dermoscope.training.recipes import Recipe, load_head_recipe
from dermoscope.training.trainer_state import CheckpointError

GROUPS = load_head_recipe("group").task.task.classes


def world(count: int = 100, seed: int = 0, signal: float = 3.0) -> FeatureSet:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(GROUPS)
    features = random.normal(size=(count, 12)).astype(np.float32)
    features[np.arange(count), labels] += signal
    return FeatureSet(features, labels.astype(np.int64))


TRAIN, DEVELOPMENT = world(), world(50, seed=1)


def recipe(*changes: str, name: str = "graz-group") -> Recipe:
    few = ["stopping.epochs=6", "optimiser.batch_size=16", "head.hidden=[16, 8]", "optimiser.learning_rate=0.02"]
    return load_head_recipe(name, changes=[*few, *changes])


def stopped_after(epoch: int) -> Callable[[HeadEpoch], None]:
    """What stands for a Ctrl-C in the middle of the next epoch, after that one was written."""

    def interrupt(line: HeadEpoch) -> None:
        if line.epoch == epoch:
            raise KeyboardInterrupt

    return interrupt


def tensors(trainer: HeadTrainer) -> dict[str, torch.Tensor]:
    return trainer.module.state_dict()


def assert_same(first: HeadTrainer, second: HeadTrainer) -> None:
    ours, theirs = tensors(first), tensors(second)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("name", ["graz-gate", "graz-group", "graz-malignancy", "gate", "group", "malignancy"])
def test_it_learns(name: str) -> None:
    quick = ["optimiser.batch_size=16", "stopping.epochs=30", "optimiser.learning_rate=0.01", "head.dropout=0.1"]
    made = load_head_recipe(name, changes=[*quick, "head.hidden=[32]", "seeds=[0]", "stopping.patience=null"])
    classes = made.task.task.classes
    keep = [FeatureSet(part.features, part.labels % len(classes)) for part in (TRAIN, DEVELOPMENT)]
    found = HeadTrainer(made, classes).fit(*keep).predict_proba(keep[1].features)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == keep[1].labels).mean() > 0.75


def test_the_same_seed_gives_the_same_head_and_another_one_does_not() -> None:
    first = HeadTrainer(recipe(), GROUPS).fit(TRAIN, DEVELOPMENT)
    assert_same(first, HeadTrainer(recipe(), GROUPS).fit(TRAIN, DEVELOPMENT))
    other = HeadTrainer(recipe("seeds=[43]"), GROUPS).fit(TRAIN, DEVELOPMENT)
    assert not torch.equal(tensors(first)["layers.0.weight"], tensors(other)["layers.0.weight"])


def test_randomness_outside_is_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    HeadTrainer(recipe(), GROUPS).fit(TRAIN, DEVELOPMENT)
    assert torch.equal(torch.rand(3), expected)


def test_the_number_of_threads_plays_no_part() -> None:
    before = torch.get_num_threads()
    first = HeadTrainer(recipe(), GROUPS).fit(TRAIN, DEVELOPMENT)
    try:
        torch.set_num_threads(3)
        assert_same(first, HeadTrainer(recipe(), GROUPS).fit(TRAIN, DEVELOPMENT))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["schedule.kind=plateau", "schedule.patience=0"],
        ["schedule.kind=constant", "optimiser.kind=adam"],
        ["sampling.train.kind=weighted", "seeds=[3, 4]"],
        ["precision=bfloat16"],
        ["stopping.select=balanced accuracy", "input.standardise=true"],
    ],
    ids=str,
)
@pytest.mark.parametrize("after", [1, 3])
def test_whoever_goes_on_gets_the_very_same_numbers(changes: list[str], after: int, tmp_path: Path) -> None:
    made = recipe("stopping.patience=null", *changes)
    lines: list[HeadEpoch] = []
    whole = HeadTrainer(made, GROUPS, on_epoch=lines.append).fit(TRAIN, DEVELOPMENT)
    with pytest.raises(KeyboardInterrupt):
        HeadTrainer(made, GROUPS, checkpoints=tmp_path, on_epoch=stopped_after(after)).fit(TRAIN, DEVELOPMENT)
    resumed: list[HeadEpoch] = []
    second = HeadTrainer(made, GROUPS, checkpoints=tmp_path, on_epoch=resumed.append).fit(TRAIN, DEVELOPMENT)
    assert_same(whole, second)
    assert resumed == lines, "every line, to the last bit"


def test_a_killed_epoch_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = HeadTrainer(recipe(), GROUPS).fit(TRAIN, DEVELOPMENT)
    steps = 0
    original = torch.optim.AdamW.step

    def killed(self: torch.optim.AdamW, closure: None = None) -> None:
        nonlocal steps
        steps += 1
        if steps == 17:  # in the third epoch of seven steps each
            raise KeyboardInterrupt
        original(self, closure)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            HeadTrainer(recipe(), GROUPS, checkpoints=tmp_path).fit(TRAIN, DEVELOPMENT)
    assert_same(whole, HeadTrainer(recipe(), GROUPS, checkpoints=tmp_path).fit(TRAIN, DEVELOPMENT))


def test_a_finished_training_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = HeadTrainer(recipe(), GROUPS, checkpoints=tmp_path).fit(TRAIN, DEVELOPMENT)
    monkeypatch.setattr(torch.optim.AdamW, "step", None)
    assert_same(first, HeadTrainer(recipe(), GROUPS, checkpoints=tmp_path).fit(TRAIN, DEVELOPMENT))


@pytest.mark.parametrize("other", ["recipe", "features", "labels", "validation"])
def test_a_checkpoint_of_something_else_is_refused(other: str, tmp_path: Path) -> None:
    HeadTrainer(recipe(), GROUPS, checkpoints=tmp_path).fit(TRAIN, DEVELOPMENT)
    made = recipe("head.dropout=0.1") if other == "recipe" else recipe()
    train, development = TRAIN, DEVELOPMENT
    if other == "features":
        train = FeatureSet(TRAIN.features + np.float32(1e-6), TRAIN.labels)
    if other == "labels":
        train = FeatureSet(TRAIN.features, np.roll(TRAIN.labels, 1))
    if other == "validation":
        development = world(50, seed=2)
    with pytest.raises(CheckpointError, match="of another training"):
        HeadTrainer(made, GROUPS, checkpoints=tmp_path).fit(train, development)


@pytest.mark.parametrize("select", ["loss", "accuracy", "balanced accuracy"])
def test_the_best_epoch_is_kept_and_patience_ends_it(select: str) -> None:
    lines: list[HeadEpoch] = []
    made = recipe("stopping.epochs=40", "stopping.patience=3", f"stopping.select={select}")
    noisy = world(100, signal=0.3)
    trainer = HeadTrainer(made, GROUPS, on_epoch=lines.append).fit(noisy, DEVELOPMENT)
    sign = -1 if select == "loss" else 1
    scores = [sign * line.metrics[select] for line in lines]
    best = scores.index(max(scores))
    assert len(lines) == best + 1 + 3 < 40
    right = (trainer.predict_proba(DEVELOPMENT.features).argmax(axis=1) == DEVELOPMENT.labels).mean()
    assert right == pytest.approx(lines[best].metrics["accuracy"])


def test_every_epoch_is_measured() -> None:
    lines: list[HeadEpoch] = []
    HeadTrainer(recipe("stopping.patience=null"), GROUPS, on_epoch=lines.append).fit(TRAIN, DEVELOPMENT)
    assert [line.epoch for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {line.seed for line in lines} == {42}
    for line in lines:
        assert set(line.metrics) == {
            "training loss", "loss", "accuracy", "balanced accuracy", "macro F1", "weighted F1", "learning rate"
        }  # fmt: skip
        assert sum(map(sum, line.confusion)) == len(DEVELOPMENT.labels)


def test_several_seeds_are_averaged() -> None:
    trainer = HeadTrainer(recipe("seeds=[1, 2]"), GROUPS).fit(TRAIN, DEVELOPMENT)
    assert isinstance(trainer.module, AveragedHead)
    alone = HeadTrainer(recipe("seeds=[2]"), GROUPS).fit(TRAIN, DEVELOPMENT)
    assert torch.equal(tensors(trainer)["members.1.layers.0.weight"], tensors(alone)["layers.0.weight"])


@pytest.mark.parametrize(("wanted", "is_standard"), [("true", True), ("false", False)])
def test_standardisation_lies_in_the_tensors(wanted: str, is_standard: bool) -> None:
    module = HeadTrainer(recipe(f"input.standardise={wanted}"), GROUPS).fit(TRAIN, DEVELOPMENT).module
    assert isinstance(module, MLPHead)
    assert torch.allclose(module.feature_mean, torch.from_numpy(TRAIN.features).mean(0)) is is_standard
    assert bool((module.feature_std == 1).all()) is not is_standard


def test_a_linear_probe_has_one_layer() -> None:
    module = (
        HeadTrainer(load_head_recipe("group", changes=["head.kind=linear", "seeds=[0]"]), GROUPS)
        .fit(TRAIN, DEVELOPMENT)
        .module
    )
    assert [name for name in module.state_dict() if name.startswith("layers")] == ["layers.0.weight", "layers.0.bias"]


def test_an_infinite_loss_is_named() -> None:
    with pytest.raises(
        TrainingError, match=r"epoch 1: the loss is no longer finite; .* --set optimiser\.learning_rate"
    ):
        HeadTrainer(recipe("optimiser.learning_rate=1e30"), GROUPS).fit(TRAIN, DEVELOPMENT)
