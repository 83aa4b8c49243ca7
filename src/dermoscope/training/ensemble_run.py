"""Trained networks become one answer: from their runs to a run folder of the ensemble. Torch-free."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.batch.files import replace_file, writing_to
from dermoscope.data.manifest import Record
from dermoscope.ensemble.combination import Stacking
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription, LogCalibration
from dermoscope.ensemble.probabilities import log_probabilities
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.training_run import PREDICTIONS_NAME, TRAINING_NAME
from dermoscope.heads.calibration import fit_calibration
from dermoscope.training.cam_description import (
    CROPS_NAME,
    DESCRIPTION_NAME,
    MODEL_NAME,
    CAMModelDescription,
    CAMRunError,
    load_cam_description,
)
from dermoscope.training.class_scores import validation_scores
from dermoscope.training.head_data import PREDICTED
from dermoscope.training.head_predictions import predictions_table
from dermoscope.training.recipes import RECIPE_NAME, recipe_text
from dermoscope.training.recipes.ensembles import EnsembleRecipe
from dermoscope.training.run_folder import EpochMetrics, RunFolder
from dermoscope.training.tasks import TASKS, Task

ENSEMBLE_NAME = "ensemble.json"
MEMBERS_NAME = "members"


@dataclass(frozen=True)
class TrainedEnsemble:
    """What came out.

    Attributes:
        description: The ensemble.
        scores: Measures of the validation images with intervals by lesion.
        recalls: The same for the recall of each class.
        members: Accuracy of each member alone on the validation images, the mean over its crops answering.
        gain: By split, the accuracy of the ensemble minus that of the member that is best on the validation images,
            paired by lesion.
        fitted: Whether numbers were fitted on the validation images, so that those flatter.
    """

    description: EnsembleDescription
    scores: Mapping[str, Estimate]
    recalls: Mapping[str, Estimate]
    members: Mapping[str, float]
    gain: Mapping[str, Estimate]
    fitted: bool


@dataclass(frozen=True, eq=False)
class _Answers:
    """What all members say of one split: `[M, C, N, K]` for the images in order, and their labels `[N]`."""

    images: list[Record]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]

    @property
    def groups(self) -> list[str]:
        """What belongs together, by image."""
        return [f"{record.source}/{record.group_id}" for record in self.images]


def train_ensemble(
    recipe: EnsembleRecipe,
    records: Sequence[Record],
    members: Sequence[Path],
    run: RunFolder,
    folder: Path,
    *,
    on_stage: Callable[[str], None] = lambda _: None,
    resamples: int = 1000,
) -> TrainedEnsemble:
    """Combine, fit what is to be fitted on the validation images, score and write.

    Writes `recipe.yaml`, `ensemble.json`, `members/` with a copy of every network, `predictions.csv` and
    `training.json`, beside the lines of `metrics.jsonl`.

    Args:
        recipe: What to do.
        records: The manifest that the members were trained on.
        members: Their run folders.
        run: The run folder, begun; the caller leaves its context.
        folder: Where that is.
        on_stage: Called with what is done next, in a few words.
        resamples: Of the bootstrap.

    Raises:
        CAMRunError: If a member is no finished run, or they do not belong together.
        EnsembleError: If what a member says cannot be used.
        ValueError: If the recipe does not fit the members.
        OutputError: If the folder cannot be written.
    """
    on_stage("reading what the members say")
    names = _names(members)
    descriptions = [load_cam_description(member) for member in members]
    first = descriptions[0]
    _check_alike(members, descriptions)
    task = TASKS[first.task] if not first.definition else Task(first.task, first.classes, definition=first.definition)
    crops = first.crops.names
    answers = {split: _answers(members, split, crops, task, records) for split in PREDICTED}
    found = {split: of for split, of in answers.items() if of is not None}
    if "val" not in found:
        raise CAMRunError(f"{members[0] / CROPS_NAME} has no images of the split val; an ensemble is judged on them")
    on_stage("fitting")
    validation = found["val"]
    alone = [float((of.mean(axis=0).argmax(axis=1) == validation.labels).mean()) for of in validation.probabilities]
    ensemble = Ensemble(_described(recipe, task, names, crops, validation, alone))
    combined = {split: ensemble.combine(of.probabilities) for split, of in found.items()}
    on_stage("scoring")
    best = int(np.argmax(alone))
    gain = {split: _gain(combined[split], of, best, resamples) for split, of in found.items()}
    scores, recalls = validation_scores(task, validation.images, validation.labels, combined["val"], resamples)
    replace_file(folder / RECIPE_NAME, recipe_text(recipe).encode())
    replace_file(folder / ENSEMBLE_NAME, ensemble.to_json().encode())
    for name, member in zip(names, members, strict=True):
        with writing_to(folder):
            (folder / MEMBERS_NAME / name).mkdir(parents=True, exist_ok=True)
        for file in (DESCRIPTION_NAME, MODEL_NAME):
            replace_file(folder / MEMBERS_NAME / name / file, (member / file).read_bytes())
    replace_file(
        folder / PREDICTIONS_NAME, predictions_table(task, {s: of.images for s, of in found.items()}, combined)
    )
    replace_file(folder / TRAINING_NAME, _for_evaluation(recipe).encode())
    final = {name: estimate.value for name, estimate in scores.items()}
    run.add_metrics(EpochMetrics(head=recipe.name, metrics=final))
    run.complete({recipe.name: {**final, **{f"gain, {split}": one.value for split, one in gain.items()}}})
    fitted = recipe.rule == "stacking" or recipe.calibrated != "nothing" or recipe.masses != "plain"
    return TrainedEnsemble(ensemble.description, scores, recalls, dict(zip(names, alone, strict=True)), gain, fitted)


def _names(members: Sequence[Path]) -> tuple[str, ...]:
    names = tuple(member.resolve().name for member in members)
    for name in names:
        if names.count(name) > 1:
            raise CAMRunError(f"--member: two folders are called {name}; members are known by that name, rename one")
    return names


def _check_alike(members: Sequence[Path], descriptions: Sequence[CAMModelDescription]) -> None:
    first = descriptions[0]
    for member, other in zip(members, descriptions, strict=True):
        for what in ("task", "definition", "classes"):
            ours, theirs = getattr(first, what), getattr(other, what)
            if ours != theirs:
                raise CAMRunError(f"--member {member}: its {what} is {theirs}, that of {members[0]} is {ours}")
        if first.crops.names != other.crops.names:
            raise CAMRunError(
                f"--member {member} looks at {', '.join(other.crops.names)}, {members[0]} at "
                f"{', '.join(first.crops.names)}; train them on the same crops"
            )


def _answers(
    members: Sequence[Path], split: str, crops: Sequence[str], task: Task, records: Sequence[Record]
) -> _Answers | None:
    """What all members say of the images of a split, in the order of the manifest."""
    tables = [_read(member / CROPS_NAME, split, task.classes) for member in members]
    known = {record.image_id: record for record in records if record.split == split}
    images = [known[name] for name in known if (name, crops[0]) in tables[0]]
    if not images:
        return None
    for member, table in zip(members, tables, strict=True):
        wanted = {(record.image_id, crop) for record in images for crop in crops}
        if set(table) != wanted:
            name = min(set(table) ^ wanted)[0]
            raise CAMRunError(
                f"--member {member}: its answers for the split {split} are of other images than the manifest and the "
                f"other members have, such as {name}; train all on one manifest"
            )
    rows = [[[table[record.image_id, crop] for record in images] for crop in crops] for table in tables]
    labels = np.array([task.label(record) for record in images], np.int64)
    # Seven digits were written, so that a row may miss one by that much.
    probabilities = np.array(rows, np.float64)
    return _Answers(images, probabilities / probabilities.sum(axis=-1, keepdims=True), labels)


def _read(path: Path, split: str, classes: Sequence[str]) -> dict[tuple[str, str], list[float]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {
                (row["image_id"], row["crop"]): [float(row[f"p_{name}"]) for name in classes]
                for row in csv.DictReader(stream)
                if row["split"] == split
            }
    except (OSError, KeyError, ValueError, TypeError):
        raise CAMRunError(f"{path} is not as dermoscope train writes it; train the member again") from None


def _described(
    recipe: EnsembleRecipe,
    task: Task,
    names: tuple[str, ...],
    crops: tuple[str, ...],
    validation: _Answers,
    accuracies: Sequence[float],
) -> EnsembleDescription:
    """The ensemble with everything that is fitted."""
    given, labels = validation.probabilities, validation.labels
    calibrations: tuple[LogCalibration, ...] = ()
    if recipe.calibrated == "members":
        calibrations = tuple(
            _calibration(of.reshape(-1, of.shape[-1]), np.tile(labels, len(crops)), task) for of in given
        )
        given = np.stack([one.apply(of) for one, of in zip(calibrations, given, strict=True)])
    stacking = None
    if recipe.rule == "stacking":
        if recipe.across == "together":
            stacking = Stacking.fit(given.reshape(-1, *given.shape[2:]), labels, validation.groups)
        else:
            by_crop = given.transpose(0, 2, 1, 3).reshape(len(given), -1, given.shape[-1])
            of_image = [group for group in validation.groups for _ in crops]
            stacking = Stacking.fit(by_crop, np.repeat(labels, len(crops)), of_image)
    description = EnsembleDescription(
        schema_version=1,
        classes=task.classes,
        members=names,
        crops=crops,
        across=recipe.across,
        rule=recipe.rule,
        crop_rule=recipe.crop_rule,
        masses=recipe.masses,
        accuracies=() if recipe.masses == "plain" else tuple(accuracies),
        stacking=stacking,
        member_calibrations=calibrations,
    )
    if recipe.calibrated != "result":
        return description
    combined = Ensemble(description).combine(validation.probabilities)
    return description.model_copy(update={"calibration": _calibration(combined, labels, task)})


def _calibration(probabilities: NDArray[np.float64], labels: NDArray[np.int64], task: Task) -> LogCalibration:
    logits = log_probabilities(probabilities)
    temperature, bias = fit_calibration(logits, labels, equal_classes=task.equal_classes)
    return LogCalibration(temperature=temperature, bias=tuple(bias.tolist()))


def _gain(combined: NDArray[np.float64], answers: _Answers, best: int, resamples: int) -> Estimate:
    """Accuracy minus that of one member, paired."""
    alone = answers.probabilities[best].mean(axis=0).argmax(axis=1) == answers.labels
    together = combined.argmax(axis=1) == answers.labels
    change = together.astype(np.float64) - alone
    return grouped_bootstrap(lambda rows: float(change[rows].mean()), answers.groups, resamples=resamples)


def _for_evaluation(recipe: EnsembleRecipe) -> str:
    """What an evaluation of the run says about its training; JSON."""
    published = None if recipe.published is None else recipe.published.model_dump()
    about = {"recipe": recipe.name, "description": recipe.description, "selected_by": None}
    return f"{json.dumps({'schema_version': 1, **about, 'published': published}, indent=1)}\n"
