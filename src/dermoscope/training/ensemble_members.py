"""What the members of an ensemble are, and what they say of the images of one manifest. Torch-free."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.training.cam_description import CROPS_NAME, CAMModelDescription, CAMRunError, load_cam_description
from dermoscope.training.head_data import PREDICTED
from dermoscope.training.recipes.ensembles import EnsembleRecipe
from dermoscope.training.tasks import TASKS, Task

_Table = Mapping[tuple[str, str], list[float]]


@dataclass(frozen=True, eq=False)
class Answers:
    """What all members say of one split.

    Attributes:
        images: The N images, in the order of the manifest.
        probabilities: `[M, C, N, K]`, each row summing to one.
        labels: `[N]`.
    """

    images: list[Record]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]

    @property
    def groups(self) -> list[str]:
        """What belongs together, by image."""
        return [f"{record.source}/{record.group_id}" for record in self.images]


@dataclass(frozen=True, eq=False)
class Members:
    """Trained networks that belong together.

    Attributes:
        folders: Their runs, M.
        names: What the ensemble calls them.
        task: The question of all of them.
        crops: What each of them looks at, C names.
        answers: By split; `val` is one of them.
    """

    folders: tuple[Path, ...]
    names: tuple[str, ...]
    task: Task
    crops: tuple[str, ...]
    answers: Mapping[str, Answers]


def read_members(recipe: EnsembleRecipe, folders: Sequence[Path], records: Sequence[Record], manifest: Path) -> Members:
    """Read trained networks and what they say, and check that all of it fits together.

    Args:
        recipe: What is to be made of them.
        folders: Their runs.
        records: The manifest that they were trained on.
        manifest: Where that lies, for messages.

    Raises:
        CAMRunError: If a member is no finished run, or they do not belong together or to the manifest.
        ValueError: If the recipe does not fit them.
    """
    names = _names(folders)
    descriptions = [load_cam_description(folder) for folder in folders]
    first = descriptions[0]
    _check_alike(folders, descriptions)
    task = TASKS[first.task] if not first.definition else Task(first.task, first.classes, definition=first.definition)
    if recipe.masses == "accuracy weighted" and len(task.classes) != 2:
        raise ValueError(
            f"recipe {recipe.name}: masses: accuracy weighted is defined for two classes, and the members have "
            f"{len(task.classes)} ({', '.join(task.classes)}); take --set masses=discounted, or masses=plain"
        )
    crops = first.crops.names
    found = {split: _answers(folders, split, crops, task, records, manifest) for split in PREDICTED}
    answers = {split: of for split, of in found.items() if of is not None}
    if "val" not in answers:
        raise CAMRunError(
            f"{folders[0] / CROPS_NAME} has no images of the split val; an ensemble is judged on them. Name members "
            "and a --manifest with that split"
        )
    return Members(tuple(folders), names, task, crops, answers)


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    names = tuple(folder.resolve().name for folder in folders)
    for name in names:
        if names.count(name) > 1:
            raise CAMRunError(f"--member: two folders are called {name}; members are known by that name, rename one")
    return names


def _check_alike(folders: Sequence[Path], descriptions: Sequence[CAMModelDescription]) -> None:
    first = descriptions[0]
    for folder, other in zip(folders, descriptions, strict=True):
        for what in ("task", "definition", "classes"):
            ours, theirs = getattr(first, what), getattr(other, what)
            if ours != theirs:
                raise CAMRunError(f"--member {folder}: its {what} is {theirs}, that of {folders[0]} is {ours}")
        if first.crops.names != other.crops.names:
            raise CAMRunError(
                f"--member {folder} looks at {', '.join(other.crops.names)}, {folders[0]} at "
                f"{', '.join(first.crops.names)}; train them on the same crops"
            )


def _answers(
    folders: Sequence[Path], split: str, crops: Sequence[str], task: Task, records: Sequence[Record], manifest: Path
) -> Answers | None:
    """What all members say of the images of a split; none where neither they nor the manifest have any."""
    tables = [_read(folder / CROPS_NAME, split, task.classes) for folder in folders]
    asked = {r.image_id: r for r in records if r.split == split and task.label(r) is not None}
    for folder, table in zip(folders, tables, strict=True):
        answered = {name for name, _ in table}
        if more := sorted(answered - asked.keys()):
            why = _why_not(more[0], records, split, task)
            raise _mismatch(folder, f"has answers for {_first(more)} of the split {split}, but {manifest} {why}")
        if fewer := sorted(asked.keys() - answered):
            raise _mismatch(folder, f"has no answer for {_first(fewer)}, which {manifest} has in the split {split}")
        if cut := sorted({name for name in asked for crop in crops if (name, crop) not in table}):
            raise CAMRunError(f"--member {folder} has not all crops of {_first(cut)} in {CROPS_NAME}; train it again")
    if not asked:
        return None
    images = list(asked.values())
    rows = [[[table[name, crop] for name in asked] for crop in crops] for table in tables]
    labels = np.array([task.label(record) for record in images], np.int64)
    # Seven digits were written, so that a row may miss one by that much.
    probabilities = np.array(rows, np.float64)
    return Answers(images, probabilities / probabilities.sum(axis=-1, keepdims=True), labels)


def _first(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1:,} more images" if len(names) > 1 else names[0]


def _mismatch(folder: Path, what: str) -> CAMRunError:
    return CAMRunError(f"--member {folder} {what}; give the --manifest that all members were trained on")


def _why_not(name: str, records: Iterable[Record], split: str, task: Task) -> str:
    """What a manifest has of an image that it should have in a split, with an answer."""
    found = [record for record in records if record.image_id == name]
    if not found:
        return "has no such image"
    if split not in {record.split for record in found}:
        return f"has {name} in {f'the split {found[0].split}' if found[0].split else 'no split'}"
    return f"gives {name} the diagnosis {found[0].diagnosis or 'unknown'}, which is no answer to {task.name}"


def _read(path: Path, split: str, classes: Sequence[str]) -> _Table:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {
                (row["image_id"], row["crop"]): [float(row[f"p_{name}"]) for name in classes]
                for row in csv.DictReader(stream)
                if row["split"] == split
            }
    except (OSError, KeyError, ValueError, TypeError):
        raise CAMRunError(f"{path} is not as dermoscope train writes it; train the member again") from None
