"""One training of a network that looks twice: every look a run of its own, and what the second was worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from dermoscope.batch.files import replace_file
from dermoscope.batch.inputs import RUN_NAME
from dermoscope.camnet.second_look import LookRules, second_look
from dermoscope.data.manifest import Record
from dermoscope.encoders.weights import weights_sha256
from dermoscope.evaluation.intervals import Estimate
from dermoscope.evaluation.looks import DESCRIPTION_NAME, MAPS_NAME, TABLE_NAME, with_average
from dermoscope.evaluation.training_run import PREDICTIONS_NAME, TRAINING_NAME
from dermoscope.images.lesion_crops import Box
from dermoscope.training.announcements import Announcements
from dermoscope.training.cam_data import CropData
from dermoscope.training.cam_description import MODEL_NAME
from dermoscope.training.cam_looking import Looked, crop_probabilities, look
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.cam_network import start_description
from dermoscope.training.cam_run import crops_of, train_network
from dermoscope.training.class_scores import validation_scores
from dermoscope.training.crop_images import CropCache, Key, key_of
from dermoscope.training.evaluation_notes import evaluation_notes
from dermoscope.training.head_data import PREDICTED
from dermoscope.training.head_predictions import predictions_table, split_table
from dermoscope.training.leaks import SPLIT_NAME
from dermoscope.training.recipes import RECIPE_NAME, CAMRecipe, TwoLooksRecipe, recipe_text
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from dermoscope.training.run_folder import EpochMetrics, RunFolder, RunRecord
from dermoscope.training.starts import check_same_start, keep_start
from dermoscope.training.trainer_state import CheckpointError
from dermoscope.training.two_looks_answers import Answers, Cut, compared_looks, looks_table, maps_file
from dermoscope.training.two_looks_description import FIRST, SECOND, THIRD, TwoLooksDescription

FOLD = "fold-{}"
_HALF = 127
BeginRun = Callable[[Path], RunFolder]
"""Begins the run folder of one look."""


@dataclass(frozen=True)
class TrainedLooks:
    """What came out of a training.

    Attributes:
        scores: Measures of the validation images by the answer of the recipe, with intervals by lesion.
        recalls: The same for the recall of each class.
        auc: Mean AUC over the ranked classes of the validation images, by answer; see `evaluation.looks`.
        gain: That of every later answer minus that of the first look, paired by lesion.
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
    weights: Path | None,
    cache: Path,
    begin: BeginRun,
    run: RunFolder,
    folder: Path,
    *,
    masks: Path | None = None,
    start: Path | None = None,
    announce: Announcements | None = None,
    threads: int = 2,
    resamples: int = 1000,
) -> TrainedLooks:
    """Train the first look, cut, train the second, and write; what is finished in the folder is not done again.

    Writes `first/`, `fold-1/` and so on, and `second/`, each a run of a network with class activation maps;
    `looks.csv`, what was cut out of each image and what every look says; `look-maps.npy`, by which maps; `looks.json`,
    `predictions.csv` and `training.json`. The third look is that of the second network at what its own map cuts out.

    Args:
        recipe: What to do.
        records: The manifest, with splits.
        weights: Pretrained weights of the backbone, in timm's names; not read where there is a start.
        cache: Folder for crops; it may be removed afterwards.
        begin: Begins the run folder of one look.
        run: The run folder of the whole, begun; the caller leaves its context.
        folder: Where that is.
        masks: Folder of predicted masks, for a recipe that takes them from one.
        start: Run of a network of the same backbone, which takes the place of the pretrained weights for every look.
            Training images that it has learnt from are no longer cut by networks that have not.
        announce: What to call on the way.
        threads: Crops changed at once.
        resamples: Of the bootstrap.

    Raises:
        DataError: If the images show too few classes, or a fold does.
        TrainingError: If a loss is no longer finite.
        WeightsError: If the weights are missing or another network's.
        CAMRunError: If the run to start from is not finished or of another backbone.
        CacheError: If the cache is of another training.
        CheckpointError: If a checkpoint is.
        ImageError: If an image or a mask cannot be read.
        ValueError: If a mask is missing, or the backbone cannot be used.
        OutputError: If a folder cannot be written.
    """
    announce = announce or Announcements()
    if start:
        start_description(recipe.first, start)
    given = weights_sha256(start / MODEL_NAME) if start else ""
    check_same_start(folder, given)
    keep_start(folder, given)
    replace_file(folder / RECIPE_NAME, recipe_text(recipe).encode())
    replace_file(folder / SPLIT_NAME, split_table(records))
    task = recipe.first.task.task
    whole = crops_of(recipe.first, records, cache / FIRST, masks)
    seen = whole.records

    def stage(name: str, own: CAMRecipe, images: Sequence[Record], crops: CropCache, start: Path | None) -> Path:
        place = folder / name
        if _is_finished(place, run):
            announce.on_stage(f"{name}: is there")
        else:
            with begin(place) as inner:
                train_network(
                    own, images, weights, crops, inner, place,
                    start=start, announce=announce.of(name), threads=threads, resamples=resamples,
                )  # fmt: skip
        return place

    first = stage(FIRST, recipe.first, records, whole, start)
    cuts: dict[Key, Cut] = {}

    def collect(place: Path, chosen: Sequence[Record]) -> None:
        announce.on_stage(f"{place.name}: finding where to look again")
        cuts.update(_cuts(_look(place, whole, chosen, recipe.first, threads), whole, chosen, recipe.first, recipe.look))

    parts = _folds(recipe, [record for record in seen if record.split == "train"])
    for number, held in enumerate(parts, 1):
        apart = {key_of(record) for record in held}
        others = [_of_fold(record, apart) for record in records]
        # Masks and crops are those of the whole manifest: a fold trains on some of them and looks at the rest.
        collect(stage(FOLD.format(number), recipe.first, others, whole, start), held)
    collect(first, [record for record in seen if record.split in PREDICTED or not parts])
    again = recipe.second_look
    crops = crops_of(again, records, cache / SECOND, masks, looks=_boxes(cuts))
    second = stage(SECOND, again, records, crops, first if recipe.start == "first look" else start)
    announce.on_stage("comparing the looks")
    chosen = {split: [r for r in seen if r.split == split] for split in PREDICTED}
    chosen = {split: images for split, images in chosen.items() if images}
    predicted = [record for images in chosen.values() for record in images]
    found = _look(second, crops, predicted, again, threads)
    moved = _cuts(found, crops, predicted, again, recipe.look)
    closer = crops_of(again, predicted, cache / THIRD, masks, looks=_boxes(moved))
    before, third = (
        _look(first, whole, predicted, recipe.first, threads),
        _look(second, closer, predicted, again, threads),
    )
    said = with_average(*(crop_probabilities(one.logits).mean(axis=1) for one in (before, found, third)))
    answers: dict[str, Answers] = {}
    done = 0
    for split, images in chosen.items():
        answers[split] = {name: values[done : done + len(images)] for name, values in said.items()}
        done += len(images)
    replace_file(folder / TABLE_NAME, looks_table(task, chosen, cuts, answers, seen))
    replace_file(folder / MAPS_NAME, maps_file(cuts, seen))
    final = {split: of[recipe.answer] for split, of in answers.items()}
    replace_file(folder / PREDICTIONS_NAME, predictions_table(task, chosen, final))
    description = TwoLooksDescription(
        recipe=recipe.name,
        task=task.name,
        definition=task.definition,
        classes=task.classes,
        ranked=task.ranked,
        look=recipe.look,
        answer=recipe.answer,
    )
    replace_file(folder / DESCRIPTION_NAME, f"{description.model_dump_json(indent=2)}\n".encode())
    notes = evaluation_notes(recipe, task, selected_by=None, every_image=False)
    replace_file(folder / TRAINING_NAME, notes)
    labels = np.array([task.label(record) for record in chosen["val"]], np.int64)
    groups = [f"{record.source}/{record.group_id}" for record in chosen["val"]]
    scores, recalls = validation_scores(task, chosen["val"], labels, final["val"], resamples)
    auc, gain = compared_looks(task, labels, answers["val"], groups, resamples)
    reasons: Counter[str] = Counter(cut.look.reason for cut in cuts.values() if cut.look.reason)
    values = {name: estimate.value for name, estimate in scores.items()}
    run.add_metrics(EpochMetrics(head=recipe.name, metrics=values))
    run.complete({recipe.name: {**values, **{f"mean AUC, {name}": one.value for name, one in auc.items()}}})
    return TrainedLooks(scores, recalls, auc, gain, dict(reasons), len(cuts))


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


def _look(place: Path, crops: CropCache, chosen: Sequence[Record], recipe: CAMRecipe, threads: int) -> Looked:
    """What a trained network says of some images."""
    description, network = load_cam_run(place)
    rows = crops.rows_of(chosen)
    crops.fill(rows, threads=threads)
    data = CropData(crops, description.contract, NO_AUGMENTATION, rows=rows, seed=recipe.seed, threads=threads)
    return look(network, data, len(recipe.crops.names), recipe.optimiser.batch_size, precision=recipe.precision)


def _cuts(
    found: Looked, crops: CropCache, chosen: Sequence[Record], recipe: CAMRecipe, rules: LookRules
) -> dict[Key, Cut]:
    """Where a network looks next, by what it said of some images: of its last view, where it has several."""
    names = recipe.crops.names
    view = names.index("look") if "look" in names else 0
    rows = crops.rows_of(chosen)
    boxes = crops.boxes(rows)[:, view].tolist()
    cuts: dict[Key, Cut] = {}
    for number, record in enumerate(chosen):
        # By the map of the class that the network decides for: the true one would tell the next look the answer.
        cam = found.cams[number, view, int(found.logits[number, view].argmax())]
        left, top, right, bottom = boxes[number]
        _, (masks,) = crops.rows(rows[number : number + 1])
        look = second_look(
            cam,
            (left, top, right, bottom),
            rules,
            mask=masks[view] > _HALF,
            random=np.random.default_rng([recipe.seed, *record.image_id.encode()]),
        )
        cuts[key_of(record)] = Cut(look, cam)
    return cuts


def _boxes(cuts: Mapping[Key, Cut]) -> dict[Key, Box]:
    return {key: cut.look.box for key, cut in cuts.items()}
