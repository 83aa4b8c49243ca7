"""One training of one network with class activation maps, from a manifest to a run folder with everything in it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from dermoscope.batch.files import replace_file
from dermoscope.data.manifest import Record
from dermoscope.encoders.weights import weights_sha256
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.report.maps_part import MAPS_NAME
from dermoscope.evaluation.training_run import PREDICTIONS_NAME, TRAINING_NAME
from dermoscope.images.lesion_crops import Box
from dermoscope.training.announcements import Announcements, Forecast
from dermoscope.training.cam_data import CropData
from dermoscope.training.cam_description import (
    CROPS_NAME,
    DESCRIPTION_NAME,
    MODEL_NAME,
    CAMModelDescription,
)
from dermoscope.training.cam_looking import Looked, crop_probabilities
from dermoscope.training.cam_network import build_network, network_contract, start_description
from dermoscope.training.cam_tables import crops_table, map_rows, maps_table
from dermoscope.training.cam_trainer import (
    CAMTrainer,
    LabelledCrops,
)
from dermoscope.training.class_scores import validation_scores
from dermoscope.training.crop_images import CropCache, Key
from dermoscope.training.evaluation_notes import evaluation_notes
from dermoscope.training.head_data import PREDICTED, DataError
from dermoscope.training.head_metrics import HeadEpoch
from dermoscope.training.head_predictions import predictions_table, split_table
from dermoscope.training.leaks import SPLIT_NAME
from dermoscope.training.mask_forecast import peak_memory
from dermoscope.training.processes import Processes
from dermoscope.training.recipes import RECIPE_NAME, recipe_text
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from dermoscope.training.recipes.cams import CAMRecipe
from dermoscope.training.run_folder import EpochMetrics, RunFolder
from dermoscope.training.starts import images_learnt, keep_learnt
from dermoscope.training.tasks import Task

CHECKPOINT_NAME = "checkpoint.safetensors"
FEATURES_NAME = "features.safetensors"
CORRELATION = "correlation of maps and lesion"
_TRIALS = 3


@dataclass(frozen=True)
class TrainedNetwork:
    """What came out of a training.

    Attributes:
        description: What the network is.
        epochs: Every epoch.
        samples: Training images of each class.
        scores: Measures of the validation images, the mean over crops answering, with intervals by lesion.
        recalls: The same for the recall of each class.
        correlation: Mean Pearson correlation of class maps and lesion masks of validation images, over crops and
            classes; none where no image has a mask.
        seconds: Time of the training alone.
    """

    description: CAMModelDescription
    epochs: tuple[HeadEpoch, ...]
    samples: Mapping[str, int]
    scores: Mapping[str, Estimate]
    recalls: Mapping[str, Estimate]
    correlation: Estimate | None
    seconds: float


def train_network(
    recipe: CAMRecipe,
    records: Sequence[Record],
    weights: Path | None,
    cache: CropCache,
    run: RunFolder | None,
    folder: Path,
    *,
    start: Path | None = None,
    announce: Announcements | None = None,
    threads: int = 2,
    resamples: int = 1000,
) -> TrainedNetwork:
    """Train, score and write; a checkpoint that lies in the folder is gone on from.

    Writes `recipe.yaml`, `split.csv`, `checkpoint.safetensors`, `model.safetensors` with `network.json`,
    `predictions.csv` (the mean over crops), `crops.csv` (each crop's answer), `maps.csv` (measures of every class map),
    `features.safetensors` and `training.json`, beside the lines of `metrics.jsonl`. What is predicted are the images
    of `val` and `test` that have an answer to the question.

    Where torchrun has started several processes, all of them call this, share every batch, and get the same result; the
    first one alone writes the run.

    Args:
        recipe: What to do.
        records: The manifest, with splits.
        weights: Pretrained weights of the backbone, in timm's names; not read where there is a start.
        cache: Crops of these images, and perhaps of others; see `crops_of`.
        run: The run folder, begun; the caller leaves its context. None in a process that is not the first.
        folder: Where that is.
        start: Run of a network of the same backbone to go on from; see `build_network`. What it has learnt from is
            written beside the rest.
        announce: What to call on the way.
        threads: Crops changed at once.
        resamples: Of the bootstrap.

    Raises:
        DataError: If the training images show fewer than two classes, or no validation image has an answer.
        TrainingError: If the loss is no longer finite.
        WeightsError: If the weights are missing or another network's.
        CAMRunError: If the run to start from is not finished or of another backbone.
        CacheError: If the cache is of another training.
        CheckpointError: If the checkpoint is.
        ImageError: If an image or a mask cannot be read.
        ValueError: If a mask is missing or has another size than its image, or the backbone cannot be used.
        OutputError: If a folder cannot be written.
    """
    announce, processes = announce or Announcements(), Processes()
    task = recipe.task.task
    chosen = {split: _answered(task, records, split) for split in ("train", *PREDICTED)}
    chosen = {split: part for split, part in chosen.items() if part}
    labels = {split: np.array([task.label(record) for record in part], np.int64) for split, part in chosen.items()}
    _check(recipe, labels)
    network = build_network(recipe, weights, start)
    contract = network_contract(recipe, network)
    rows = {split: cache.rows_of(part) for split, part in chosen.items()}
    crops = {
        split: CropData(
            cache,
            contract,
            recipe.augmentation if split == "train" else NO_AUGMENTATION,
            rows=own,
            seed=recipe.seed,
            threads=threads,
        )
        for split, own in rows.items()
    }
    earlier = start_description(recipe, start) if start else None
    if run:
        if start:
            keep_learnt(folder, start)
        # Written once there is something to learn from: what failed before that may simply begin again.
        replace_file(folder / RECIPE_NAME, recipe_text(recipe).encode())
        replace_file(folder / SPLIT_NAME, split_table(records))

    def note(line: EpochMetrics) -> None:
        if run:
            run.add_metrics(line)
        announce.on_epoch(line)

    trainer = CAMTrainer(
        recipe,
        network,
        task.classes,
        LabelledCrops(crops["train"], labels["train"]),
        LabelledCrops(crops["val"], labels["val"]),
        checkpoint=folder / CHECKPOINT_NAME,
        on_epoch=note,
        on_step=announce.on_step,
    )
    announce.on_stage("trying a few steps")
    every = np.concatenate(list(rows.values()))
    announce.on_forecast(_forecast(recipe, trainer, cache, every))
    announce.on_stage("cutting crops")
    with processes.one_at_a_time():
        cache.fill(every, threads=threads, on_progress=announce.on_kept)
    announce.on_stage("training")
    began = time.perf_counter()
    learnt = [f"{rows[split].tolist()} {labels[split].tolist()}" for split in ("train", "val")]
    begun_from = start / MODEL_NAME if start else weights
    assert begun_from  # `build_network` makes nothing of nothing
    initial = weights_sha256(begun_from)
    epochs = trainer.fit("\n".join([cache.fingerprint, *learnt, initial]))
    seconds = time.perf_counter() - began
    announce.on_stage("looking at the validation and test images")
    looked = {split: trainer.look(crops[split]) for split in PREDICTED if split in chosen}
    description = CAMModelDescription(
        recipe=recipe.name,
        backbone=recipe.model.backbone,
        task=task.name,
        definition=task.definition,
        classes=task.classes,
        contract=contract,
        cleaning=recipe.cleaning,
        crops=recipe.crops,
        mask_head=bool(recipe.loss.mask_head),
        gap_convolution=recipe.model.gap_convolution,
        weights_sha256=earlier.weights_sha256 if earlier else initial,
        licence=earlier.licence if earlier else network.licence,
        images=images_learnt(chosen["train"], earlier.images if earlier else {}),
    )
    probabilities = {split: crop_probabilities(found.logits) for split, found in looked.items()}
    means = {split: found.mean(axis=1) for split, found in probabilities.items()}
    scores, recalls = validation_scores(task, chosen["val"], labels["val"], means["val"], resamples)
    correlation = _mean_correlation(looked["val"], chosen["val"], resamples)
    if run:
        state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        replace_file(folder / MODEL_NAME, safetensors.torch.save(state))
        replace_file(folder / DESCRIPTION_NAME, f"{description.model_dump_json(indent=2)}\n".encode())
        replace_file(folder / PREDICTIONS_NAME, predictions_table(task, {s: chosen[s] for s in looked}, means))
        replace_file(folder / CROPS_NAME, crops_table(task, recipe.crops.names, chosen, probabilities))
        replace_file(folder / MAPS_NAME, maps_table(task, recipe.crops.names, chosen, looked))
        _save_features(folder / FEATURES_NAME, looked)
        notes = evaluation_notes(recipe, task, selected_by=recipe.stopping.select, every_image=False)
        replace_file(folder / TRAINING_NAME, notes)
        final = {name: estimate.value for name, estimate in scores.items()}
        if correlation is not None:
            final[CORRELATION] = correlation.value
        run.add_metrics(EpochMetrics(head=recipe.name, metrics=final))
        ends = {f"{name}, {end}": getattr(scores[name], end) for name in scores for end in ("low", "high")}
        run.complete({recipe.name: {**final, **ends, "seconds of training": round(seconds, 3)}})
    counts = np.bincount(labels["train"], minlength=len(task.classes)).tolist()
    samples = dict(zip(task.classes, counts, strict=True))
    return TrainedNetwork(description, epochs, samples, scores, recalls, correlation, seconds)


def crops_of(
    recipe: CAMRecipe,
    records: Sequence[Record],
    folder: Path,
    masks: Path | None = None,
    *,
    looks: Mapping[Key, Box] | None = None,
) -> CropCache:
    """Room for the crops of all images of a manifest that have a split and an answer, whichever split that is.

    So a manifest that is split otherwise, or in folds, finds them there. Where several processes train, the first one
    makes it.

    Args:
        recipe: Says what is asked, cleaned and cut.
        records: The manifest.
        folder: Where they lie, or are to lie; it may be removed after a training.
        masks: Folder of predicted masks, for a recipe that takes them from one.
        looks: Boxes to look at, for a recipe that has the view `look`.

    Raises:
        CacheError: If the folder holds other crops, or the disk is too small.
        ValueError: If a mask is missing.
        OutputError: If the folder cannot be written.
    """
    task = recipe.task.task
    chosen = [record for record in records if record.split and task.label(record) is not None]
    with Processes().one_at_a_time():
        return CropCache(folder, chosen, recipe, masks, looks=looks)


def _answered(task: Task, records: Sequence[Record], split: str) -> list[Record]:
    return [record for record in records if record.split == split and task.label(record) is not None]


def _check(recipe: CAMRecipe, labels: Mapping[str, NDArray[np.int64]]) -> None:
    task = recipe.task.task
    seen = sorted(set(labels["train"].tolist())) if "train" in labels else []
    if len(seen) < len(task.classes):
        known = ", ".join(task.classes[label] for label in seen) or "none"
        raise DataError(
            f"to learn {task.name} the split train must show all of {', '.join(task.classes)}; it has {known}"
        )
    if "val" not in labels:
        raise DataError(f"the split val has no image with an answer to {task.name}; dermoscope data split makes it")
    if recipe.stopping.select == "mean AUC" and len(set(labels["val"].tolist())) < 2:
        raise DataError("stopping.select: mean AUC needs two classes among the validation images; select the loss")


def _forecast(recipe: CAMRecipe, trainer: CAMTrainer, cache: CropCache, rows: NDArray[np.intp]) -> Forecast:
    missing = cache.missing(rows)
    cutting = cache.try_one() * missing if missing else 0.0
    took = min(trainer.tried_step() for _ in range(_TRIALS))
    steps = trainer.steps * recipe.stopping.epochs
    return Forecast(
        cache_seconds=cutting,
        training_seconds=took * steps,
        memory_bytes=peak_memory(),
        disk_bytes=cache.bytes,
        steps=steps,
    )


def _save_features(path: Path, looked: Mapping[str, Looked]) -> None:
    """Features `[N, C, F]` by split, for classifiers on top of several networks; half precision is enough for those."""
    features = {split: torch.from_numpy(found.features).half() for split, found in looked.items()}
    replace_file(path, safetensors.torch.save(features))


def _mean_correlation(looked: Looked, records: Sequence[Record], resamples: int) -> Estimate | None:
    """Mean correlation of maps and masks by image, over its crops and classes."""
    correlations = map_rows(looked).correlation.reshape(len(records), -1)
    known = np.flatnonzero(np.isfinite(correlations).any(axis=1))
    if not len(known):
        return None
    values = np.nanmean(correlations[known], axis=1)
    groups = [f"{records[image].source}/{records[image].group_id}" for image in known.tolist()]
    return grouped_bootstrap(lambda rows: float(values[rows].mean()), groups, resamples=resamples)
