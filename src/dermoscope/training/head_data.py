"""From a manifest and stored features to what a head learns from. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.features.protocol import FeatureError, Features
from dermoscope.training.recipes.schema import Recipe
from dermoscope.training.sampling import Drawn, draw
from dermoscope.training.tasks import Task

ORIGINAL = "original"
PREDICTED = ("val", "test")
"""The splits for which a trained head writes predictions."""


class DataError(ValueError):
    """The manifest has nothing to learn from, or to choose on; the message says what is missing."""


@dataclass(frozen=True)
class Samples:
    """Features with their classes.

    Attributes:
        features: `[M, F]`.
        labels: `[M]`, 0 to K-1.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class HeadData:
    """All that one training reads, so that a missing feature is found before the first epoch.

    Attributes:
        train: Drawn as the recipe says, its labels permuted where it says so.
        validation: Drawn as the recipe says, its labels permuted likewise.
        images: The images to predict, by split.
        features: Of those, as they are, `[N, F]` by split.
        labels: Their classes `[N]` by split; -1 where an image has no answer to the question.
    """

    train: Samples
    validation: Samples
    images: dict[str, list[Record]]
    features: dict[str, NDArray[np.float32]]
    labels: dict[str, NDArray[np.int64]]


def head_data(recipe: Recipe, records: Sequence[Record], features: Features) -> HeadData:
    """Read what a recipe asks for.

    Args:
        recipe: What is trained.
        records: The manifest.
        features: Stored features of one encoder.

    Raises:
        DataError: If the training images show fewer than two classes, or no validation image has an answer.
        FeatureError: If a feature is not stored.
    """
    task, columns, seed = recipe.task.task, recipe.input.columns, recipe.seeds[0]
    train, train_labels = _answered(task, records, "train")
    validation, validation_labels = _answered(task, records, "val")
    seen = np.unique(train_labels)
    if len(seen) < 2:
        known = ", ".join(task.classes[label] for label in seen) or "none"
        raise DataError(
            f"to learn {task.name} the split train must show at least two of {', '.join(task.classes)}; it has {known}"
        )
    if not np.isin(validation_labels, seen).any():
        raise DataError(f"the split val has no image whose answer to {task.name} could be learnt from train")
    parts = recipe.sampling.train, recipe.sampling.validation
    _check_views(recipe, features)
    drawn = [draw(part, labels, seed) for part, labels in zip(parts, (train_labels, validation_labels), strict=True)]
    images = {split: [record for record in records if record.split == split] for split in PREDICTED}
    images = {split: chosen for split, chosen in images.items() if chosen}
    originals = {split: _joined(features, chosen, ORIGINAL, columns) for split, chosen in images.items()}
    labels = [of[one.images] for of, one in zip((train_labels, validation_labels), drawn, strict=True)]
    if recipe.shuffled_labels:
        # Those of validation too: true ones would choose, among epochs without skill, the one that looks skilled.
        labels = [np.random.default_rng([seed, 1]).permutation(of) for of in labels]
    return HeadData(
        train=Samples(_gather(features, train, drawn[0], parts[0].views, columns), labels[0]),
        validation=Samples(_gather(features, validation, drawn[1], parts[1].views, columns), labels[1]),
        images=images,
        features=originals,
        labels={split: _labels(task, chosen) for split, chosen in images.items()},
    )


def _check_views(recipe: Recipe, features: Features) -> None:
    """Say at once which views are missing altogether, with the command that makes all of them."""
    sampling = recipe.sampling
    wanted = dict.fromkeys([*sampling.train.views, *sampling.validation.views, ORIGINAL])
    stored = features.views()
    if missing := [view for view in wanted if view not in stored]:
        raise FeatureError(
            f"{recipe.name} learns from the views {', '.join(wanted)}; of {', '.join(missing)} nothing is stored. Make "
            f"them with dermoscope embed and --views {','.join(wanted)}, or learn from the images as they are: "
            f"--set sampling.train.views=[{ORIGINAL}] --set sampling.validation.views=[{ORIGINAL}]"
        )


def _answered(task: Task, records: Sequence[Record], split: str) -> tuple[list[Record], NDArray[np.int64]]:
    chosen = [record for record in records if record.split == split and task.label(record) is not None]
    return chosen, _labels(task, chosen)


def _labels(task: Task, records: Sequence[Record]) -> NDArray[np.int64]:
    labels = [task.label(record) for record in records]
    return np.array([-1 if label is None else label for label in labels], np.int64)


def _gather(
    features: Features, records: Sequence[Record], drawn: Drawn, views: Sequence[str], columns: Sequence[str]
) -> NDArray[np.float32]:
    """Features `[M, F]` of samples, in their order, read view by view."""
    found: NDArray[np.float32] | None = None
    for number, view in enumerate(views):
        rows = np.flatnonzero(drawn.views == number)
        if len(rows):
            read = _joined(features, [records[image] for image in drawn.images[rows]], view, columns)
            if found is None:
                found = np.empty((len(drawn.images), read.shape[1]), np.float32)
            found[rows] = read
    assert found is not None  # there is a sample
    return found


def _joined(features: Features, records: Sequence[Record], view: str, columns: Sequence[str]) -> NDArray[np.float32]:
    return np.concatenate([features.of(records, view, column) for column in columns], axis=1)
