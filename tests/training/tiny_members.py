"""Members of an ensemble that were never trained: what they would have said is made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import InputContract
from dermoscope.training.cam_description import CROPS_NAME, DESCRIPTION_NAME, MODEL_NAME, CAMModelDescription
from dermoscope.training.cam_tables import crops_table
from dermoscope.training.recipes import load_cam_recipe

CROPS = ("tight", "full")


def tiny_member(folder: Path, records: Sequence[Record], recipe: str, seed: int = 0) -> Path:
    """The run of a network that is right three times of four, as far as an ensemble reads it."""
    folder.mkdir(parents=True)
    made = load_cam_recipe(recipe, changes=[f"crops.names=[{', '.join(CROPS)}]"])
    task, random = made.task.task, np.random.default_rng(seed)
    description = CAMModelDescription(
        recipe=made.name,
        backbone=made.model.backbone,
        task=task.name,
        definition=task.definition,
        classes=task.classes,
        contract=InputContract(size=64, fit="squash", scaling="imagenet", map_size=2),
        cleaning=made.cleaning,
        crops=made.crops,
        mask_head=False,
        weights_sha256="0" * 64,
        licence="none",
    )
    images = {
        split: [record for record in records if record.split == split and task.label(record) is not None]
        for split in ("val", "test")
    }
    probabilities = {}
    for split, of_split in images.items():
        labels = np.array([task.label(record) for record in of_split], np.intp)
        said = np.where(random.random(len(labels)) < 0.75, labels, 0)
        weights = 1 + 2 * np.eye(len(task.classes))[said]
        probabilities[split] = np.stack([np.array([random.dirichlet(3 * row) for row in weights]) for _ in CROPS], 1)
    (folder / DESCRIPTION_NAME).write_text(description.model_dump_json())
    (folder / MODEL_NAME).write_bytes(b"never opened")
    (folder / CROPS_NAME).write_bytes(crops_table(task, CROPS, images, probabilities))
    return folder
