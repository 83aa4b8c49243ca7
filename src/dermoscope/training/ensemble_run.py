"""Trained networks become one answer: from their runs to a run folder of the ensemble. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.batch.files import replace_file, writing_to
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.training_run import PREDICTIONS_NAME, TRAINING_NAME
from dermoscope.training.cam_description import DESCRIPTION_NAME, MODEL_NAME
from dermoscope.training.class_scores import validation_scores
from dermoscope.training.ensemble_fit import fit_ensemble
from dermoscope.training.ensemble_members import Answers, Members
from dermoscope.training.evaluation_notes import evaluation_notes
from dermoscope.training.head_predictions import predictions_table
from dermoscope.training.recipes import RECIPE_NAME, recipe_text
from dermoscope.training.recipes.ensembles import EnsembleRecipe
from dermoscope.training.run_folder import EpochMetrics, RunFolder

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
        gain: Accuracy of the ensemble on them minus that of the member that is best there, paired by lesion.
        fitted: Whether numbers were fitted on the validation images, so that those flatter.
    """

    description: EnsembleDescription
    scores: Mapping[str, Estimate]
    recalls: Mapping[str, Estimate]
    members: Mapping[str, float]
    gain: Estimate
    fitted: bool


def train_ensemble(
    recipe: EnsembleRecipe,
    members: Members,
    run: RunFolder,
    folder: Path,
    *,
    on_stage: Callable[[str], None] = lambda _: None,
    resamples: int = 1000,
) -> TrainedEnsemble:
    """Combine, fit what is to be fitted on the validation images, score those, and write.

    Writes `recipe.yaml`, `ensemble.json`, `members/` with a copy of every network, `predictions.csv` and
    `training.json`, beside the lines of `metrics.jsonl`.

    Args:
        recipe: What to do.
        members: What is combined, as `read_members` has read it for that recipe.
        run: The run folder, begun; the caller leaves its context.
        folder: Where that is.
        on_stage: Called with what is done next, in a few words.
        resamples: Of the bootstrap.

    Raises:
        EnsembleError: If what a member says cannot be used.
        ValueError: If the validation images are too few for what is to be fitted.
        OutputError: If the folder cannot be written.
    """
    on_stage("fitting")
    task, answers = members.task, members.answers
    validation = answers["val"]
    alone = [float((of.mean(axis=0).argmax(axis=1) == validation.labels).mean()) for of in validation.probabilities]
    ensemble = Ensemble(
        fit_ensemble(
            validation.probabilities,
            validation.labels,
            validation.groups,
            classes=task.classes,
            members=members.names,
            crops=members.crops,
            rule=recipe.rule,
            across=recipe.across,
            crop_rule=recipe.crop_rule,
            masses=recipe.masses,
            calibrated=recipe.calibrated,
            equal_classes=task.equal_classes,
        )
    )
    combined = {split: ensemble.combine(of.probabilities) for split, of in answers.items()}
    on_stage("scoring")
    # Test images are answered here and scored by `dermoscope evaluate` alone: who sees that number early chooses by it.
    gain = _gain(combined["val"], validation, int(np.argmax(alone)), resamples)
    scores, recalls = validation_scores(task, validation.images, validation.labels, combined["val"], resamples)
    replace_file(folder / RECIPE_NAME, recipe_text(recipe).encode())
    replace_file(folder / ENSEMBLE_NAME, ensemble.to_json().encode())
    for name, member in zip(members.names, members.folders, strict=True):
        with writing_to(folder):
            (folder / MEMBERS_NAME / name).mkdir(parents=True, exist_ok=True)
        for file in (DESCRIPTION_NAME, MODEL_NAME):
            replace_file(folder / MEMBERS_NAME / name / file, (member / file).read_bytes())
    images = {split: of.images for split, of in answers.items()}
    replace_file(folder / PREDICTIONS_NAME, predictions_table(task, images, combined))
    replace_file(folder / TRAINING_NAME, evaluation_notes(recipe, task, selected_by=None, every_image=False))
    final = {name: estimate.value for name, estimate in scores.items()}
    run.add_metrics(EpochMetrics(head=recipe.name, metrics=final))
    run.complete({recipe.name: {**final, "gain, val": gain.value}})
    fitted = recipe.rule == "stacking" or recipe.calibrated != "nothing" or recipe.masses != "plain"
    return TrainedEnsemble(
        ensemble.description, scores, recalls, dict(zip(members.names, alone, strict=True)), gain, fitted
    )


def _gain(combined: NDArray[np.float64], answers: Answers, best: int, resamples: int) -> Estimate:
    """Accuracy minus that of one member, paired."""
    alone = answers.probabilities[best].mean(axis=0).argmax(axis=1) == answers.labels
    together = combined.argmax(axis=1) == answers.labels
    change = together.astype(np.float64) - alone
    return grouped_bootstrap(lambda rows: float(change[rows].mean()), answers.groups, resamples=resamples)
