"""One training of a network that looks twice: every look a run of its own, and what the second was worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from dermoscope.batch.files import replace_file
from dermoscope.batch.inputs import RUN_NAME
from dermoscope.camnet.second_look import SecondLook, second_look
from dermoscope.data.manifest import Record
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.training_run import PREDICTIONS_NAME, TRAINING_NAME
from dermoscope.images.lesion_crops import Box
from dermoscope.training.cam_data import CropData
from dermoscope.training.cam_looking import Looked, crop_probabilities, look
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.cam_run import Announcements, crops_of, train_network
from dermoscope.training.class_scores import validation_scores
from dermoscope.training.crop_images import CropCache, Key, key_of
from dermoscope.training.evaluation_notes import evaluation_notes
from dermoscope.training.head_data import PREDICTED
from dermoscope.training.head_metrics import mean_auc
from dermoscope.training.head_predictions import csv_table, predictions_table, split_table
from dermoscope.training.head_run import SPLIT_NAME
from dermoscope.training.recipes import RECIPE_NAME, CAMRecipe, TwoLooksRecipe, recipe_text
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from dermoscope.training.run_folder import EpochMetrics, RunFolder, RunRecord
from dermoscope.training.trainer_state import CheckpointError
from dermoscope.training.two_looks_description import DESCRIPTION_NAME, FIRST, SECOND, TwoLooksDescription

FOLD = "fold-{}"
_HALF = 127
LOOKS_NAME = "looks.csv"
BeginRun = Callable[[Path], RunFolder]
"""Begins the run folder of one look."""


@dataclass(frozen=True)
class TrainedLooks:
    """What came out of a training.

    Attributes:
        scores: Measures of the validation images by the answer of the recipe, with intervals by lesion.
        recalls: The same for the recall of each class.
        auc: Mean AUC over the classes of the validation images, of `first look`, `second look` and `average`.
        gain: That of the second look, and of the average, minus that of the first, paired by lesion.
        whole: How many images were looked at as a whole again, by reason.
        images: How many were looked at.
    """

    scores: Mapping[str, Estimate]
    recalls: Mapping[str, Estimate]
    auc: Mapping[str, Estimate]
    gain: Mapping[str, Estimate]
    whole: Mapping[str, int]
    images: int


def train_two_looks(
    recipe: TwoLooksRecipe,
    records: Sequence[Record],
    weights: Path,
    cache: Path,
    begin: BeginRun,
    run: RunFolder,
    folder: Path,
    *,
    masks: Path | None = None,
    announce: Announcements | None = None,
    threads: int = 2,
    resamples: int = 1000,
) -> TrainedLooks:
    """Train the first look, cut, train the second, and write; what is finished in the folder is not done again.

    Writes `first/`, `fold-1/` and so on, and `second/`, each a run of a network with class activation maps;
    `looks.csv`, what was cut out of each image and what was said before and after; `looks.json`, `predictions.csv` and
    `training.json`.

    Args:
        recipe: What to do.
        records: The manifest, with splits.
        weights: Pretrained weights of the backbone, in timm's names.
        cache: Folder for crops; it may be removed afterwards.
        begin: Begins the run folder of one look.
        run: The run folder of the whole, begun; the caller leaves its context.
        folder: Where that is.
        masks: Folder of predicted masks, for a recipe that takes them from one.
        announce: What to call on the way.
        threads: Crops changed at once.
        resamples: Of the bootstrap.

    Raises:
        DataError: If the images show too few classes, or a fold does.
        TrainingError: If a loss is no longer finite.
        WeightsError: If the weights are missing or another network's.
        CacheError: If the cache is of another training.
        CheckpointError: If a checkpoint is.
        ImageError: If an image or a mask cannot be read.
        ValueError: If a mask is missing, or the backbone cannot be used.
        OutputError: If a folder cannot be written.
    """
    announce = announce or Announcements()
    replace_file(folder / RECIPE_NAME, recipe_text(recipe).encode())
    replace_file(folder / SPLIT_NAME, split_table(records))
    task = recipe.first.task.task
    whole = crops_of(recipe.first, records, cache / FIRST, masks)
    seen = whole.records

    def stage(name: str, own: CAMRecipe, images: Sequence[Record], crops: CropCache, start: Path | None = None) -> Path:
        place = folder / name
        if _is_finished(place, run):
            announce.on_stage(f"{name}: is there")
        else:
            with begin(place) as inner:
                train_network(
                    own, images, weights, crops, inner, place,
                    start=start, announce=_said(announce, name), threads=threads, resamples=resamples,
                )  # fmt: skip
        return place

    first = stage(FIRST, recipe.first, records, whole)
    looks: dict[Key, SecondLook] = {}
    said: dict[Key, NDArray[np.float32]] = {}

    def collect(place: Path, chosen: Sequence[Record]) -> None:
        announce.on_stage(f"{place.name}: finding where to look again")
        found, boxes = _look(place, whole, chosen, recipe.first, threads)
        rows = whole.rows_of(chosen)
        for number, (record, row) in enumerate(zip(chosen, rows, strict=True)):
            logits, cams = found.logits[number, 0], found.cams[number, 0]
            _, (masks,) = whole.rows(np.array([row]))
            # By the map of the class that the network decides for: the true one would tell the second look the answer.
            looks[key_of(record)] = second_look(
                cams[int(logits.argmax())],
                boxes[number],
                recipe.look,
                mask=masks[0] > _HALF,
                random=np.random.default_rng([recipe.first.seed, *record.image_id.encode()]),
            )
            said[key_of(record)] = logits

    parts = _folds(recipe, [record for record in seen if record.split == "train"])
    for number, held in enumerate(parts, 1):
        apart = {key_of(record) for record in held}
        others = [_of_fold(record, apart) for record in records]
        # Masks and crops are those of the whole manifest: a fold trains on some of them and looks at the rest.
        collect(stage(FOLD.format(number), recipe.first, others, whole), held)
    collect(first, [record for record in seen if record.split in PREDICTED or not parts])
    boxes = {key: found.box for key, found in looks.items()}
    again = recipe.second_look
    crops = crops_of(again, records, cache / SECOND, masks, looks=boxes)
    second = stage(SECOND, again, records, crops, first if recipe.start == "first look" else None)
    announce.on_stage("comparing the looks")
    chosen = {split: [r for r in seen if r.split == split] for split in PREDICTED}
    chosen = {split: images for split, images in chosen.items() if images}
    answers: dict[str, dict[str, NDArray[np.float64]]] = {}
    for split, images in chosen.items():
        before = crop_probabilities(np.stack([said[key_of(record)] for record in images]))
        found, _ = _look(second, crops, images, again, threads)
        after = crop_probabilities(found.logits).mean(axis=1)
        answers[split] = {"first look": before, "second look": after, "average": (before + after) / 2}
    replace_file(folder / LOOKS_NAME, _looks_table(task.classes, chosen, looks, answers, seen))
    final = {split: of[recipe.answer] for split, of in answers.items()}
    replace_file(folder / PREDICTIONS_NAME, predictions_table(task, chosen, final))
    description = TwoLooksDescription(
        recipe=recipe.name,
        task=task.name,
        definition=task.definition,
        classes=task.classes,
        look=recipe.look,
        answer=recipe.answer,
    )
    replace_file(folder / DESCRIPTION_NAME, f"{description.model_dump_json(indent=2)}\n".encode())
    notes = evaluation_notes(recipe, task, selected_by=None, every_image=False)
    replace_file(folder / TRAINING_NAME, notes)
    labels = np.array([task.label(record) for record in chosen["val"]], np.int64)
    groups = [f"{record.source}/{record.group_id}" for record in chosen["val"]]
    scores, recalls = validation_scores(task, chosen["val"], labels, final["val"], resamples)
    auc, gain = _compared(labels, answers["val"], groups, resamples)
    reasons: Counter[str] = Counter(found.reason for found in looks.values() if found.reason)
    values = {name: estimate.value for name, estimate in scores.items()}
    run.add_metrics(EpochMetrics(head=recipe.name, metrics=values))
    run.complete({recipe.name: {**values, **{f"mean AUC, {name}": one.value for name, one in auc.items()}}})
    return TrainedLooks(scores, recalls, auc, gain, dict(reasons), len(looks))


def _is_finished(place: Path, run: RunFolder) -> bool:
    """Whether a look has come to its end.

    Raises:
        CheckpointError: If that was with another manifest.
    """
    if not (place / PREDICTIONS_NAME).is_file():
        return False
    before = RunRecord.model_validate_json((place / RUN_NAME).read_bytes())
    if before.manifest_sha256 != run.record.manifest_sha256:
        raise CheckpointError(f"{place} is of another manifest; choose another --out, or train with that one")
    return True


def _said(announce: Announcements, name: str) -> Announcements:
    """Announcements that name the look."""
    return Announcements(
        on_stage=lambda what: announce.on_stage(f"{name}: {what}"),
        on_forecast=announce.on_forecast,
        on_crops=announce.on_crops,
        on_step=announce.on_step,
        on_epoch=announce.on_epoch,
    )


def _folds(recipe: TwoLooksRecipe, train: Sequence[Record]) -> list[list[Record]]:
    """Training images in parts of whole lesions, with about as many of each class."""
    if not recipe.folds:
        return []
    task = recipe.first.task.task
    labels = [task.label(record) for record in train]
    groups = [f"{record.source}/{record.group_id}" for record in train]
    folds = StratifiedGroupKFold(recipe.folds, shuffle=True, random_state=recipe.first.seed)
    return [[train[row] for row in held.tolist()] for _, held in folds.split(labels, labels, groups)]


def _of_fold(record: Record, apart: set[Key]) -> Record:
    """A record as the network of a fold has it: it learns from neither the images apart nor the test images."""
    if key_of(record) in apart or record.split == "test":
        return record.model_copy(update={"split": ""})
    return record


def _look(
    place: Path, crops: CropCache, chosen: Sequence[Record], recipe: CAMRecipe, threads: int
) -> tuple[Looked, list[Box]]:
    """What a trained network says of some images, and where their crops were cut."""
    description, network = load_cam_run(place)
    rows = crops.rows_of(chosen)
    crops.fill(rows, threads=threads)
    data = CropData(crops, description.contract, NO_AUGMENTATION, rows=rows, seed=recipe.seed, threads=threads)
    found = look(network, data, len(recipe.crops.names), recipe.optimiser.batch_size, precision=recipe.precision)
    left, top, right, bottom = crops.boxes(rows)[:, 0].T.tolist()
    return found, list(zip(left, top, right, bottom, strict=True))


def _compared(
    labels: NDArray[np.int64], answers: Mapping[str, NDArray[np.float64]], groups: Sequence[str], resamples: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Mean AUC of each answer, and of the later ones minus that of the first."""

    def score(name: str, rows: NDArray[np.intp]) -> float:
        return mean_auc(labels[rows], answers[name][rows]).get("mean AUC", float("nan"))

    auc = {
        name: grouped_bootstrap(lambda rows, name=name: score(name, rows), groups, resamples=resamples)  # type: ignore[misc]
        for name in answers
    }
    gain = {
        name: grouped_bootstrap(
            lambda rows, name=name: score(name, rows) - score("first look", rows),  # type: ignore[misc]
            groups,
            resamples=resamples,
        )
        for name in answers
        if name != "first look"
    }
    return auc, gain


def _looks_table(
    classes: tuple[str, ...],
    chosen: Mapping[str, Sequence[Record]],
    looks: Mapping[Key, SecondLook],
    answers: Mapping[str, Mapping[str, NDArray[np.float64]]],
    seen: Sequence[Record],
) -> bytes:
    """CSV: `image_id`, `split`, the box in pixels, why it is the whole, and both answers where images are predicted."""
    said: dict[Key, list[str]] = {}
    for split, images in chosen.items():
        before, after = answers[split]["first look"], answers[split]["second look"]
        for record, one, two in zip(images, before, after, strict=True):
            said[key_of(record)] = [f"{value:.7g}" for value in (*one, *two)]
    columns = [f"{look}_{name}" for look in (FIRST, SECOND) for name in classes]
    rows: list[Sequence[str]] = [["image_id", "split", "left", "top", "right", "bottom", "whole_because", *columns]]
    for record in seen:
        found = looks[key_of(record)]
        place = [str(value) for value in found.box]
        blank = [""] * len(columns)
        rows.append([record.image_id, record.split, *place, found.reason, *said.get(key_of(record), blank)])
    return csv_table(rows)
