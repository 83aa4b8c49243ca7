"""One training of one head, from stored features to a run folder with everything in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dermoscope import __version__
from dermoscope.batch.files import replace_file, writing_to
from dermoscope.data.manifest import Record
from dermoscope.evaluation.intervals import Estimate
from dermoscope.evaluation.training_run import PREDICTIONS_NAME, TRAINING_NAME
from dermoscope.features.protocol import Features
from dermoscope.heads.baselines import KNNBaseline, LogisticBaseline
from dermoscope.heads.calibration import fit_calibration
from dermoscope.heads.class_map import ABSENT, ClassMap
from dermoscope.heads.face import Classifier
from dermoscope.heads.fit import FeatureSet, logits_of
from dermoscope.heads.neighbours import NeighbourHead
from dermoscope.heads.one_class import MahalanobisGate, NeighbourDistanceGate
from dermoscope.heads.outliers import NeighbourDistanceHead
from dermoscope.heads.saved import HeadDescription, SavedHead
from dermoscope.training.class_scores import validation_scores
from dermoscope.training.evaluation_notes import evaluation_notes
from dermoscope.training.head_data import HeadData, head_data
from dermoscope.training.head_metrics import HeadEpoch
from dermoscope.training.head_predictions import predictions_table, split_table
from dermoscope.training.head_trainer import HeadTrainer, OnEpoch
from dermoscope.training.leaks import SPLIT_NAME
from dermoscope.training.recipes import RECIPE_NAME, Recipe, recipe_text
from dermoscope.training.recipes.schema import (
    KNNPart,
    LinearPart,
    LogisticPart,
    MahalanobisPart,
    MLPPart,
    NeighbourDistancePart,
)
from dermoscope.training.run_folder import EpochMetrics, RunFolder
from dermoscope.training.tasks import SKIN

CHECKPOINTS_NAME = "checkpoints"


@dataclass(frozen=True)
class TrainedHead:
    """What came out of a training.

    Attributes:
        head: The head with its classes.
        epochs: Every epoch of every seed; none for a baseline.
        samples: Training samples of each class that occurs.
        scores: Measures of all validation images as they are, with intervals that draw whole lesions; the keys are
            those of `dermoscope.evaluation.report.scores.CLASS_METRICS`.
        recalls: The same for the recall of each class that has validation images.
        seconds: Time of the fit alone.
    """

    head: SavedHead
    epochs: tuple[HeadEpoch, ...]
    samples: Mapping[str, int]
    scores: Mapping[str, Estimate]
    recalls: Mapping[str, Estimate]
    seconds: float


def train_head(
    recipe: Recipe,
    records: Sequence[Record],
    features: Features,
    encoder: str,
    run: RunFolder,
    folder: Path,
    *,
    on_epoch: OnEpoch = lambda _: None,
    on_step: Callable[[str], None] = lambda _: None,
    resamples: int = 1000,
) -> TrainedHead:
    """Train, calibrate, score and write; a checkpoint that lies in the folder is gone on from.

    Writes `recipe.yaml`, `split.csv`, `checkpoints/`, `head.safetensors` with `head.json`, `training.json` and
    `predictions.csv` for the splits `val` and `test`, beside the lines of `metrics.jsonl`.

    Args:
        recipe: What to do.
        records: The manifest, with splits.
        features: Stored features.
        encoder: Fingerprint of the encoder they come from.
        run: The run folder, begun; the caller leaves its context.
        folder: Where that is.
        on_epoch: Called with every epoch.
        on_step: Called with what is done next, in a few words.
        resamples: Of the bootstrap.

    Raises:
        DataError: If there is nothing to learn from or to choose on.
        FeatureError: If a feature is not stored.
        TrainingError: If the loss is no longer finite.
        CheckpointError: If the folder holds a checkpoint of another training.
        OutputError: If the folder cannot be written.
    """
    on_step("reading features")
    data = head_data(recipe, records, features)
    with writing_to(folder):
        (folder / CHECKPOINTS_NAME).mkdir(parents=True, exist_ok=True)
    replace_file(folder / RECIPE_NAME, recipe_text(recipe).encode())
    replace_file(folder / SPLIT_NAME, split_table(records))
    task = recipe.task.task
    classes = ClassMap.of(task.classes, data.train.labels)
    epochs: list[HeadEpoch] = []

    def note(line: HeadEpoch) -> None:
        epochs.append(line)
        run.add_metrics(line)
        on_epoch(line)

    train = FeatureSet(data.train.features, classes.to_outputs(data.train.labels))
    development = _present(data, classes)
    on_step("training")
    start = time.perf_counter()
    classifier = build_classifier(recipe, classes.outputs, checkpoints=folder / CHECKPOINTS_NAME, on_epoch=note)
    classifier.fit(train, development)
    seconds = time.perf_counter() - start
    head = _described(recipe, classes, data, classifier, encoder)
    on_step("scoring")
    probabilities = {split: head.predict_proba(rows) for split, rows in data.features.items()}
    scores, recalls = validation_scores(
        recipe.task.task, data.images["val"], data.labels["val"], probabilities["val"], resamples
    )
    for name, content in head.files().items():
        replace_file(folder / name, content)
    selected_by = recipe.stopping.select if isinstance(recipe.head, MLPPart | LinearPart) else None
    replace_file(folder / TRAINING_NAME, evaluation_notes(recipe, task, selected_by=selected_by, every_image=True))
    replace_file(folder / PREDICTIONS_NAME, predictions_table(task, data.images, probabilities))
    final = {name: estimate.value for name, estimate in scores.items()}
    run.add_metrics(EpochMetrics(head=recipe.name, metrics=final))
    ends = {f"{name}, {end}": getattr(scores[name], end) for name in scores for end in ("low", "high")}
    run.complete({recipe.name: {**final, **ends, "seconds of training": round(seconds, 3)}})
    samples = dict(zip(classes.outputs, np.bincount(train.labels).tolist(), strict=True))
    return TrainedHead(head, tuple(epochs), samples, scores, recalls, seconds)


def build_classifier(
    recipe: Recipe,
    outputs: tuple[str, ...],
    *,
    checkpoints: Path | None = None,
    on_epoch: OnEpoch = lambda _: None,
) -> Classifier:
    """The classifier that a recipe names, not yet fitted.

    Args:
        recipe: What to do.
        outputs: Name of the class of each output.
        checkpoints: Folder for checkpoints; baselines need none.
        on_epoch: Called with every epoch; baselines have none.
    """
    standardise = recipe.input.standardise
    if isinstance(recipe.head, LogisticPart):
        return LogisticBaseline(
            len(outputs), recipe.head.strengths, standardise=standardise, balanced=recipe.head.balanced
        )
    if isinstance(recipe.head, KNNPart):
        return KNNBaseline(len(outputs), recipe.head.neighbours, standardise=standardise)
    if isinstance(recipe.head, MahalanobisPart):
        return MahalanobisGate(outputs.index(SKIN), standardise=standardise)
    if isinstance(recipe.head, NeighbourDistancePart):
        return NeighbourDistanceGate(outputs.index(SKIN), recipe.head.neighbours, standardise=standardise)
    return HeadTrainer(recipe, outputs, checkpoints=checkpoints, on_epoch=on_epoch)


def _present(data: HeadData, classes: ClassMap) -> FeatureSet:
    """Validation samples of the classes that can be answered; the others count as wrong in the scores alone."""
    labels = classes.to_outputs(data.validation.labels)
    known = labels != ABSENT
    return FeatureSet(np.ascontiguousarray(data.validation.features[known]), labels[known])


def _described(recipe: Recipe, classes: ClassMap, data: HeadData, classifier: Classifier, encoder: str) -> SavedHead:
    module, part, task = classifier.module, recipe.head, recipe.task.task
    temperature, bias = 1.0, np.zeros(len(classes.present))
    if recipe.calibration != "none":
        labels = classes.to_outputs(data.labels["val"])
        known = (data.labels["val"] >= 0) & (labels != ABSENT)
        logits = logits_of(module, np.ascontiguousarray(data.features["val"][known]))
        equal = recipe.calibration == "equal classes"
        temperature, bias = fit_calibration(logits, labels[known], equal_classes=equal)
    keeper = module if isinstance(module, NeighbourHead | NeighbourDistanceHead) else None
    description = HeadDescription(
        version=__version__,
        recipe=recipe.name,
        kind="mlp" if isinstance(part, MLPPart | LinearPart | LogisticPart) else part.kind,
        task=task.name,
        definition=task.definition,
        classes=task.classes,
        present=classes.present,
        encoder=encoder,
        columns=recipe.input.columns,
        features=data.train.features.shape[1],
        hidden=part.hidden if isinstance(part, MLPPart) else (),
        members=len(recipe.seeds) if isinstance(part, MLPPart | LinearPart) else 1,
        neighbours=keeper.neighbours if keeper else 0,
        stored=len(keeper.stored) if keeper else 0,
        temperature=temperature,
        bias=tuple(float(value) for value in bias),
    )
    return SavedHead(description, module)
