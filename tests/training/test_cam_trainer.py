"""The same seed gives the same numbers, also after a break; what the recipe says is what is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dermoscope.camnet.network import CAMNetwork
from dermoscope.training.cam_data import CropData
from dermoscope.training.cam_run import network_contract
from dermoscope.training.cam_trainer import CAMTrainer, LabelledCrops, crop_probabilities
from dermoscope.training.crop_images import CropCache
from dermoscope.training.head_metrics import HeadEpoch
from dermoscope.training.head_trainer import TrainingError
from dermoscope.training.recipes import CAMRecipe
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from dermoscope.training.trainer_state import CheckpointError
from tests.training.tiny_crops import diagnosed, small_recipe

CLASSES = ("benign", "malignant")
EVERYTHING = ("loss.centre.weight=1", "loss.divergence.weight=0.1", "loss.mask_head=0.5")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    for split, count in (("train", 10), ("val", 4)):
        records = diagnosed(folder / f"{split}-images", (split,) * count)
        CropCache(folder / split, records, small_recipe()).fill()
    return folder


def trainer(images: Path, recipe: CAMRecipe, **options: Any) -> CAMTrainer:
    torch.manual_seed(recipe.seed)
    network = CAMNetwork(recipe.model.backbone, 2, dropout=recipe.model.dropout, mask_head=recipe.loss.mask_head > 0)
    contract = network_contract(recipe, network)
    parts: list[LabelledCrops] = []
    for split, count in (("train", 10), ("val", 4)):
        cache = CropCache(images / split, diagnosed(images / f"{split}-images", (split,) * count), small_recipe())
        part = recipe.augmentation if split == "train" else NO_AUGMENTATION
        crops = CropData(cache, contract, part, seed=recipe.seed)
        parts.append(LabelledCrops(crops, np.arange(count, dtype=np.int64) % 2))
    return CAMTrainer(recipe, network, CLASSES, *parts, **options)


def numbers(lines: tuple[HeadEpoch, ...]) -> list[dict[str, float]]:
    """Metrics but for times, which differ from run to run."""
    return [{k: v for k, v in line.metrics.items() if not k.startswith("seconds")} for line in lines]


def weights(one: CAMTrainer) -> torch.Tensor:
    return torch.cat([tensor.float().flatten() for tensor in one.network.state_dict().values()])


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
    still = trainer(images, small_recipe("optimiser.backbone_share=0", "optimiser.average=0"))
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


def test_crops_are_changed_anew_in_every_epoch(images: Path) -> None:
    crops = trainer(images, small_recipe())._train.crops
    samples = [np.array([4, 2])]
    first, again, other, plain = (next(crops.batches(3, samples, epoch)) for epoch in (1, 1, 2, None))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(first.images, plain.images)


def test_a_loss_that_explodes_is_said(images: Path) -> None:
    recipe = small_recipe("optimiser.learning_rate=1e30", "optimiser.average=0", "schedule={kind: constant}")
    with pytest.raises((TrainingError, ValueError), match=r"finite|loss is"):
        trainer(images, recipe).fit()


def test_metrics_can_be_written_as_json(images: Path) -> None:
    (line, *_) = trainer(images, small_recipe()).fit()
    assert json.loads(line.model_dump_json())["head"] == "cam-binary"
