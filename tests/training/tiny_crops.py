"""Pictures of one lesion each with a diagnosis, a recipe small enough for a test, and what trains as it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.camnet.network import CAMNetwork
from dermoscope.data.manifest import Record
from dermoscope.training.cam_data import CropBatch, CropData
from dermoscope.training.cam_looking import Looked
from dermoscope.training.cam_network import network_contract
from dermoscope.training.cam_trainer import CAMTrainer, LabelledCrops
from dermoscope.training.crop_images import CropCache
from dermoscope.training.recipes import CAMRecipe, load_cam_recipe
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from tests.training.tiny_masks import pictures

# isort: split
import timm
import torch

CLASSES = ("benign", "malignant")
COUNTS = {"train": 10, "val": 4}
BACKBONE = "test_efficientnet"
SMALL = (
    f"model.backbone={BACKBONE}", "model.size=64", "crops.room=1.25", "optimiser.batch_size=4", "stopping.epochs=2",
    "precision=float32", "model.dropout=0.3",
)  # fmt: skip


def diagnosed(folder: Path, splits: tuple[str, ...], codes: tuple[str, ...] = ("NV", "MEL")) -> list[Record]:
    """One image a split name, the diagnoses taking turns."""
    found = pictures(folder, splits)
    return [record.model_copy(update={"diagnosis": codes[number % len(codes)]}) for number, record in enumerate(found)]


def small_recipe(*changes: str, name: str = "cam-binary", variants: tuple[str, ...] = ()) -> CAMRecipe:
    """A recipe of the package on a backbone that a test can train."""
    return load_cam_recipe(name, variants=variants, changes=(*SMALL, *changes))


def backbone_weights(path: Path) -> Path:
    """Random weights of that backbone."""
    torch.manual_seed(0)
    save_file(timm.create_model(BACKBONE).state_dict(), path)
    return path


def mask_share(masks: np.ndarray) -> float:
    """How much of some masks is lesion."""
    return float((masks > 127).mean())


def filled_crops(folder: Path) -> Path:
    """A folder with the crops that `trainer` learns from and is judged by."""
    for split, count in COUNTS.items():
        CropCache(folder / split, diagnosed(folder / f"{split}-images", (split,) * count), small_recipe()).fill()
    return folder


def trainer(crops: Path, recipe: CAMRecipe, *, rare: int = 5, **options: Any) -> CAMTrainer:
    """A trainer on ten images, of which so many are malignant; of the four that judge, every other one is.

    Args:
        crops: What `filled_crops` has filled.
        recipe: What is done.
        rare: Malignant images.
        options: Of the trainer.
    """
    torch.manual_seed(recipe.seed)
    network = CAMNetwork(recipe.model.backbone, 2, dropout=recipe.model.dropout, mask_head=recipe.loss.mask_head > 0)
    contract = network_contract(recipe, network)
    parts: list[LabelledCrops] = []
    for split, count in COUNTS.items():
        cache = CropCache(crops / split, diagnosed(crops / f"{split}-images", (split,) * count), small_recipe())
        part = recipe.augmentation if split == "train" else NO_AUGMENTATION
        labels = np.arange(count, dtype=np.int64) % 2
        if split == "train":
            labels[2 * rare :] = 0
        parts.append(LabelledCrops(CropData(cache, contract, part, seed=recipe.seed), labels))
    return CAMTrainer(recipe, network, CLASSES, *parts, **options)


def weights(one: CAMTrainer) -> torch.Tensor:
    """All tensors of its network, one after the other."""
    return torch.cat([tensor.float().flatten() for tensor in one.network.state_dict().values()])


def judged(monkeypatch: pytest.MonkeyPatch, one: CAMTrainer, epochs: Sequence[Sequence[float]]) -> None:
    """Let every epoch find these probabilities of the right class, one for each validation image."""
    told, right = iter(epochs), np.eye(2, dtype=bool)[one._validation.labels]

    def look(_: CropData) -> Looked:
        found = np.array(next(told), np.float32)[:, None]
        logits = np.log(np.where(right, found, 1 - found))
        return Looked(np.repeat(logits[:, None], 3, axis=1), *[np.zeros(0, np.float32)] * 3)

    monkeypatch.setattr(one, "look", look)


def shown(monkeypatch: pytest.MonkeyPatch, one: CAMTrainer) -> list[int]:
    """The samples of all epochs to come, which are not learnt from: so epochs take no time."""
    seen: list[int] = []

    def batches(_crops: int, samples: Sequence[np.ndarray], _epoch: int | None) -> Iterator[CropBatch]:
        seen.extend(np.concatenate(samples).tolist())
        return iter(())

    monkeypatch.setattr(one._train.crops, "batches", batches)
    return seen
