"""The same seed gives the same numbers, also after a break; what the recipe says is what is done."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dermoscope.losses.lesion_focus import lesion_focus_loss
from dermoscope.training.cam_looking import crop_probabilities
from dermoscope.training.cam_trainer import CAMTrainer
from dermoscope.training.head_metrics import HeadEpoch
from dermoscope.training.head_trainer import TrainingError
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from dermoscope.training.trainer_state import CheckpointError
from tests.training.tiny_crops import filled_crops, judged, shown, small_recipe, trainer, weights

ONE_STEP = ("optimiser.batch_size=10", "schedule={kind: constant}", "optimiser.average=0")
EVERYTHING = ("loss.centre.weight=1", "loss.divergence.weight=0.1", "loss.mask_head=0.5")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_crops(tmp_path_factory.mktemp("crops"))


def validation_logits(one: CAMTrainer) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of all crops as the network is now, with their labels."""
    logits = torch.from_numpy(one.look(one._validation.crops).logits)
    return logits.flatten(0, 1), torch.tensor([0, 1, 0, 1]).repeat_interleave(3)


def numbers(lines: tuple[HeadEpoch, ...]) -> list[dict[str, float]]:
    """Metrics but for times, which differ from run to run."""
    return [{k: v for k, v in line.metrics.items() if not k.startswith("seconds")} for line in lines]


@pytest.mark.parametrize(
    "changes",
    [
        (*EVERYTHING, "optimiser.average=0.9"),
        ("optimiser.kind=adadelta", "schedule={kind: plateau, patience: 0}", "optimiser.average=0"),
        ("sampling={kind: weighted, balance: 1.0}", "crops.each_epoch=all"),
    ],
    ids=["all losses", "as published", "weighted"],
)
def test_going_on_gives_the_very_same_numbers(images: Path, tmp_path: Path, changes: tuple[str, ...]) -> None:
    recipe = small_recipe("stopping.epochs=3", *changes)
    whole = trainer(images, recipe)
    expected = whole.fit("images")
    again = trainer(images, recipe)
    assert numbers(again.fit("images")) == numbers(expected)

    def stop(line: HeadEpoch) -> None:
        if line.epoch == 2:
            raise KeyboardInterrupt

    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        trainer(images, recipe, checkpoint=path, on_epoch=stop).fit("images")
    seen: list[int | None] = []
    resumed = trainer(images, recipe, checkpoint=path, on_epoch=lambda line: seen.append(line.epoch))
    assert numbers(resumed.fit("images")) == numbers(expected)
    assert seen == [1, 2, 3]
    assert torch.equal(weights(resumed), weights(whole))


def test_another_seed_gives_other_numbers(images: Path) -> None:
    first, second = (trainer(images, small_recipe(f"seed={seed}")).fit() for seed in (1, 2))
    assert numbers(first) != numbers(second)


def test_a_checkpoint_of_other_images_is_refused(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    trainer(images, small_recipe(), checkpoint=path).fit("these")
    with pytest.raises(CheckpointError, match="another training"):
        trainer(images, small_recipe(), checkpoint=path).fit("those")


def test_it_learns(images: Path) -> None:
    """Ten images are learnt by heart, and maps rise on the lesion."""
    recipe = small_recipe(
        "stopping.epochs=25", "stopping.select=loss", "loss.lesion_focus=1", "optimiser.average=0", "model.dropout=0",
        "optimiser.backbone_share=1", "schedule={kind: constant}", "optimiser.learning_rate=0.003",
    )  # fmt: skip
    lines = trainer(images, recipe.model_copy(update={"augmentation": NO_AUGMENTATION})).fit()
    first, last = lines[0].metrics, lines[-1].metrics
    assert last["training classification"] < 0.6 * first["training classification"]
    assert last["training lesion focus"] < 0.75 * first["training lesion focus"]


def test_every_term_is_recorded(images: Path) -> None:
    lines = trainer(images, small_recipe(*EVERYTHING)).fit()
    assert "training centre" not in lines[0].metrics  # centres mean nothing yet
    for name in ("centre", "divergence", "lesion focus", "mask", "classification"):
        assert lines[1].metrics[f"training {name}"] > 0
    assert lines[1].metrics["seconds waiting for images"] <= lines[1].metrics["seconds"]


def test_the_backbone_has_its_own_rate(images: Path) -> None:
    still = trainer(images, small_recipe("optimiser.backbone_share=0", "optimiser.average=0", "loss.mask_head=1"))
    parameters = {name: tensor.clone() for name, tensor in still.network.named_parameters()}
    still.fit()
    for name, tensor in still.network.named_parameters():
        assert torch.equal(tensor, parameters[name]) == name.startswith("backbone."), name


def test_an_epoch_shows_one_crop_of_each_image_or_all(images: Path) -> None:
    one, every = (trainer(images, small_recipe(f"crops.each_epoch={what}")) for what in ("one", "all"))
    random = np.random.default_rng(0)
    order = one._order(random)
    assert sorted(order // 3) == list(range(10))
    assert len(set((order % 3).tolist())) > 1
    assert sorted(every._order(random)) == list(range(30))
    assert (one.steps, every.steps) == (3, 8)


def test_looking_gives_every_crop_in_order(images: Path) -> None:
    one = trainer(images, small_recipe())
    crops = one._validation.crops
    looked = one.look(crops)
    assert looked.logits.shape == (4, 3, 2)
    assert looked.cams.shape == (4, 3, 2, *looked.masks.shape[-2:])
    batch = next(crops.batches(3, [np.array([7])], None))
    with torch.inference_mode():
        answer = one.network.eval()(batch.images)
    np.testing.assert_allclose(looked.logits[2, 1], answer.logits[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(looked.masks[2, 1], batch.masks[0].numpy())
    probabilities = crop_probabilities(looked.logits)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1)


def test_trying_a_step_leaves_no_trace(images: Path) -> None:
    recipe = small_recipe(*EVERYTHING)
    expected = trainer(images, recipe).fit()
    tried = trainer(images, recipe)
    assert tried.tried_step() > 0
    assert numbers(tried.fit()) == numbers(expected)


def test_the_moving_average_is_scored_and_kept(images: Path) -> None:
    recipe = small_recipe(
        "optimiser.average=0.2", "stopping.select=loss", "optimiser.learning_rate=0.01", "schedule={kind: constant}"
    )
    averages: list[dict[str, torch.Tensor]] = []

    def step(done: int, _all: int, _loss: float) -> None:
        decay = min(0.2, done / (9 + done))
        for name, tensor in one.network.state_dict().items():
            if tensor.is_floating_point():
                average[name] = decay * average[name] + (1 - decay) * tensor
        now[:] = weights(one)

    def epoch(_: HeadEpoch) -> None:
        averages.append(dict(average))
        assert torch.equal(weights(one), now)  # learning goes on from the weights themselves

    one = trainer(images, recipe, on_step=step, on_epoch=epoch)
    average, now = deepcopy(dict(one.network.state_dict())), weights(one)
    lines = one.fit()
    best = min(range(2), key=lambda number: lines[number].metrics["loss"])
    kept = one.network.state_dict()
    for name, tensor in averages[best].items():
        if tensor.is_floating_point():
            torch.testing.assert_close(kept[name], tensor)
    expected = one.objective.classification(*validation_logits(one))
    assert lines[best].metrics["loss"] == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(("select", "best"), [("loss", 1), ("accuracy", 2), ("last epoch", 3)])
def test_the_best_epoch_is_kept(monkeypatch: pytest.MonkeyPatch, images: Path, select: str, best: int) -> None:
    recipe = small_recipe("stopping.epochs=3", f"stopping.select={select}", *ONE_STEP)
    kept: list[torch.Tensor] = []
    one: CAMTrainer = trainer(images, recipe, on_epoch=lambda _: kept.append(weights(one)))
    judged(monkeypatch, one, [(0.55, 0.55, 0.45, 0.45), (0.9, 0.9, 0.9, 0.01), (0.3, 0.3, 0.3, 0.3)])
    one.fit()
    assert [torch.equal(weights(one), each) for each in kept] == [number == best for number in (1, 2, 3)]
    assert not one.network.training


@pytest.mark.parametrize(("changes", "epochs"), [(("stopping.patience=2",), 4), ((), 6)])
def test_it_stops_where_nothing_better_comes(
    monkeypatch: pytest.MonkeyPatch, images: Path, changes: tuple[str, ...], epochs: int
) -> None:
    one = trainer(images, small_recipe("stopping.epochs=6", "stopping.select=loss", *changes))
    shown(monkeypatch, one)
    judged(monkeypatch, one, [[right] * 4 for right in (0.5, 0.6, 0.6, 0.55, 0.7, 0.8)])
    assert len(one.fit()) == epochs


def test_gradients_are_cut(images: Path) -> None:
    """Adam's steps are as long for short gradients as for long ones, unless these are far below its epsilon of 1e-8."""

    def way(limit: str) -> float:
        changes = ("stopping.epochs=1", "optimiser.weight_decay=0", "optimiser.learning_rate=0.001")
        one = trainer(images, small_recipe(*changes, *ONE_STEP, f"optimiser.largest_gradient={limit}"))
        before = [parameter.detach().clone() for parameter in one.network.parameters()]
        one.fit()
        steps = [now.detach() - then for now, then in zip(one.network.parameters(), before, strict=True)]
        return float(torch.cat([step.flatten() for step in steps]).norm())

    assert way("1.0e-12") < 2 * 0.001 * 1e-12 / 1e-8
    assert way("null") > 0.001


@pytest.mark.parametrize(
    ("sampling", "share"),
    [("{kind: natural}", 0.2), ("{kind: weighted, balance: 0.5}", 1 / 3), ("{kind: weighted, balance: 1.0}", 0.5)],
)
def test_rare_classes_are_shown_as_often_as_the_recipe_says(
    monkeypatch: pytest.MonkeyPatch, images: Path, sampling: str, share: float
) -> None:
    one = trainer(images, small_recipe(f"sampling={sampling}", "stopping.epochs=30"), rare=2)
    seen = shown(monkeypatch, one)
    judged(monkeypatch, one, [[0.5] * 4] * 30)
    one.fit()
    assert len(seen) == 300
    assert one._train.labels[np.array(seen) // 3].mean() == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("stopped", [3, 4])
def test_the_rate_falls_where_the_loss_does_not(
    monkeypatch: pytest.MonkeyPatch, images: Path, tmp_path: Path, stopped: int
) -> None:
    """Also where training was broken off while the schedule waited, or right after it had lost patience."""
    recipe = small_recipe(
        "stopping.epochs=7", "schedule={kind: plateau, patience: 1, factor: 0.5}", "optimiser.learning_rate=0.01"
    )
    epochs = [[right] * 4 for right in (0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6)]

    def stop(line: HeadEpoch) -> None:
        if line.epoch == stopped:
            raise KeyboardInterrupt

    path = tmp_path / "checkpoint.safetensors"
    whole, broken = trainer(images, recipe), trainer(images, recipe, checkpoint=path, on_epoch=stop)
    for one in (whole, broken):
        shown(monkeypatch, one)
        judged(monkeypatch, one, epochs)
    rates = [line.metrics["learning rate"] for line in whole.fit()]
    assert rates == pytest.approx([0.01] * 4 + [0.005] * 2 + [0.0025])
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    resumed = trainer(images, recipe, checkpoint=path)
    shown(monkeypatch, resumed)
    judged(monkeypatch, resumed, epochs[stopped:])
    assert [line.metrics["learning rate"] for line in resumed.fit()] == rates


def test_one_cycle_goes_up_and_down_step_by_step(images: Path) -> None:
    recipe = small_recipe("stopping.epochs=3", "schedule={kind: one-cycle, div: 25}", "optimiser.learning_rate=0.01")
    first, second, third = (line.metrics["learning rate"] for line in trainer(images, recipe).fit())
    assert first == pytest.approx(0.01 / 25)
    assert first < third < second


def test_centres_count_after_the_epochs_that_the_recipe_says(images: Path) -> None:
    recipe = small_recipe("stopping.epochs=3", "loss.centre={weight: 1, after_epoch: 2}", *ONE_STEP)
    first, second, third = (line.metrics.get("training centre") for line in trainer(images, recipe).fit())
    assert (first, second) == (None, None)
    assert third is not None and third > 0


def test_the_loss_is_what_the_recipe_weighs(images: Path) -> None:
    """One step on all crops at once, by hand: weights from the training labels, smoothed labels, maps and masks."""
    recipe = small_recipe(
        "loss={class_weights: inverse-frequency, label_smoothing: 0.1, lesion_focus: 0.3, mask_head: 0.7}",
        "crops.each_epoch=all", "model.dropout=0", "stopping.epochs=1", *ONE_STEP, "optimiser.batch_size=30",
    )  # fmt: skip
    one = trainer(images, recipe.model_copy(update={"augmentation": NO_AUGMENTATION}), rare=2)
    (batch,) = one._train.crops.batches(3, [np.arange(30)], None)
    with torch.no_grad():
        answer = deepcopy(one.network)(batch.images)
    labels = torch.from_numpy(one._train.labels).repeat_interleave(3)
    weighed = torch.tensor([10 / (2 * 8), 10 / (2 * 2)])
    terms = {
        "classification": F.cross_entropy(answer.logits, labels, weighed, label_smoothing=0.1),
        "lesion focus": lesion_focus_loss(answer.cams, batch.masks),
        "mask": F.binary_cross_entropy_with_logits(answer.masks, batch.masks),
    }
    (line,) = one.fit()
    for name, value in terms.items():
        assert line.metrics[f"training {name}"] == pytest.approx(float(value), rel=1e-4), name
    total = terms["classification"] + 0.3 * terms["lesion focus"] + 0.7 * terms["mask"]
    assert line.metrics["training loss"] == pytest.approx(float(total), rel=1e-4)
    expected = F.cross_entropy(*validation_logits(one), weighed, label_smoothing=0.1)
    assert line.metrics["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_a_loss_that_explodes_is_said(images: Path) -> None:
    recipe = small_recipe("optimiser.learning_rate=1e30", "optimiser.average=0", "schedule={kind: constant}")
    with pytest.raises((TrainingError, ValueError), match=r"finite|loss is"):
        trainer(images, recipe).fit()


def test_metrics_can_be_written_as_json(images: Path) -> None:
    (line, *_) = trainer(images, small_recipe()).fit()
    assert json.loads(line.model_dump_json())["head"] == "cam-binary"
