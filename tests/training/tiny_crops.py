"""Pictures of one lesion each with a diagnosis, and a recipe small enough to train in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.data.manifest import Record
from dermoscope.training.recipes import CAMRecipe, load_cam_recipe
from tests.training.tiny_masks import pictures

# isort: split
import timm
import torch

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
