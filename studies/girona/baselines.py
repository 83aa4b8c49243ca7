"""What classical learners reach on the same images: on colour, texture and shape, and on the features of the networks.

    python studies/girona/baselines.py --run runs/girona
    python studies/girona/baselines.py --run runs/girona --components 256 --networks \
        runs/girona/ablation/binary/{cross-entropy,lesion-focus,all-losses}-three-crops-42

For nevus against the rest and for the three cancers, an SVM, nearest neighbours and logistic regression learn from the
training images, with each of their settings; the one that is best on the validation images is kept, by accuracy or, for
the three classes, by balanced accuracy, as the networks' epochs are. The first command has them learn from the
descriptors of `dermoscope.heads.image_descriptors` inside the masks of the default model, the second one from what the
named networks of a question pool from every crop, side by side, standardised, and projected onto the first principal
components of the training images. Those the networks have learnt by heart, so that their features lie further apart.

Prints a markdown table a question; `itself` is what the networks answer, the mean over crops and networks. Intervals
draw whole lesions. Descriptors are kept in `<run>/descriptors` (17 minutes on one core; what was interrupted goes on),
features of training images in `<run>/deep-features`, with the crops that `ablation.py` has left there.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from safetensors import safe_open
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from dermoscope.batch.files import replace_file
from dermoscope.batch.inputs import SEGMENTS_NAME
from dermoscope.batch.results import read_segments
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.classification import accuracy, balanced_accuracy, cohen_kappa, roc_auc
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.files import sha256_of
from dermoscope.heads.baselines import KNNBaseline, LogisticBaseline, SVMBaseline
from dermoscope.heads.fit import FeatureSet
from dermoscope.heads.image_descriptors import DESCRIPTOR_NAMES, image_descriptors
from dermoscope.images import decode, read_mask
from dermoscope.training.cam_data import CropData
from dermoscope.training.cam_description import CROPS_NAME, MODEL_NAME
from dermoscope.training.cam_looking import look
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.cam_run import FEATURES_NAME, crops_of
from dermoscope.training.kept_arrays import Entry, KeptArrays
from dermoscope.training.recipes import RECIPE_NAME, CAMRecipe, load_cam_recipe
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from dermoscope.training.tasks import BENIGN, MALIGNANT, TASKS, Task

MANIFEST = "by-lesion.csv"
SPLITS = ("train", "val", "test")
QUESTIONS = {
    "binary": Task("malignancy", (BENIGN, MALIGNANT), definition="not-nevus"),
    "three-class": TASKS["cancer"],
}
"""As `ablation.py` names them."""
# Wider than what the learners would try by themselves: there, the best ones lay at the rim.
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
MACHINES = tuple(product((0.1, 1.0, 10.0, 100.0), (0.03, 0.1, 0.3, 1.0)))
"""Strength and gamma of the SVM."""
NEIGHBOURS = (1, 5, 15, 45, 135)
BATCH = 64

Learner = LogisticBaseline | KNNBaseline | SVMBaseline
Features = Mapping[str, NDArray[np.float32]]
"""By split `[N, F]`."""


class Images(NamedTuple):
    """The images of each split that have an answer to a question, and their classes `[N]`."""

    task: Task
    records: dict[str, list[Record]]
    labels: dict[str, NDArray[np.int64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"), help="folder with by-lesion.csv and masks/")
    parser.add_argument("--networks", type=Path, nargs="+", default=[], help="runs of ablation.py; deep features alone")
    parser.add_argument("--components", type=int, default=256, help="of the principal components of deep features")
    arguments = parser.parse_args()
    records = list(read_manifest(arguments.run / MANIFEST))
    if not arguments.networks:
        described = dict(zip((r.image_id for r in records), descriptors(records, arguments.run), strict=True))
        for name, task in QUESTIONS.items():
            images = answered(task, records)
            print_head(name, images)
            by_hand = {s: np.stack([described[r.image_id] for r in part]) for s, part in images.records.items()}
            print_rows("colour, texture, shape", images, by_hand, standardise=True)
    recipes = {folder: load_cam_recipe(str(folder / RECIPE_NAME)) for folder in arguments.networks}
    for name in sorted(set(map(question_of, recipes.values()))):
        images = answered(QUESTIONS[name], records)
        print_head(name, images)
        networks = {folder: recipe for folder, recipe in recipes.items() if question_of(recipe) == name}
        print_row("the networks", "itself", "-", images, network_answers(list(networks), images))
        deep, share = reduced(deep_features(networks, images, arguments.run), arguments.components)
        title = f"{len(networks)} x deep, {deep['train'].shape[1]} components, {share:.1%} of the variance"
        print_rows(title, images, deep, standardise=False)


def answered(task: Task, records: Sequence[Record]) -> Images:
    """The images with an answer to a question, in the order of the manifest, as a training takes them."""
    chosen = {split: [r for r in records if r.split == split and task.label(r) is not None] for split in SPLITS}
    labels = {split: np.array([task.label(r) for r in part], np.int64) for split, part in chosen.items()}
    return Images(task, chosen, labels)


def question_of(recipe: CAMRecipe) -> str:
    """Name of the question that a network was trained for."""
    asked = recipe.task.question, recipe.task.definition
    for name, task in QUESTIONS.items():
        if (task.name, task.definition) == asked:
            return name
    sys.exit(f"{recipe.name} asks {' '.join(asked)}, which is no question of this study")


def descriptors(records: Sequence[Record], run: Path) -> NDArray[np.float32]:
    """Colour, texture and shape `[N, F]`; each image is described once."""
    masks = predicted_masks(run / "masks")
    about = {
        "manifest": sha256_of(run / MANIFEST),
        "masks": sha256_of(run / "masks" / SEGMENTS_NAME),
        "descriptors": list(DESCRIPTOR_NAMES),
    }
    array = {"descriptors.f32": (np.float32, (len(DESCRIPTOR_NAMES),))}
    kept = KeptArrays(run / "descriptors", about, (len(records),), array)

    def described(place: Entry) -> tuple[NDArray[np.float32]]:
        record = records[place[0]]
        rgb, path = decode(record.path).rgb, masks[record.image_id]
        return (image_descriptors(rgb, read_mask(path) if path else np.zeros(rgb.shape[:2], np.bool_)),)

    with Progress() as bar:
        line = bar.add_task("descriptors", total=len(records))
        kept.fill(described, threads=1, on_progress=lambda done, _: bar.update(line, completed=done))
    return kept.rows(np.arange(len(records)))[0]


def predicted_masks(folder: Path) -> dict[str, Path | None]:
    """Image id to mask file in the results of `dermoscope segment`; none where it found no lesion."""
    return {
        line.image_id: folder / "masks" / f"{line.image_id}.png" if line.box else None
        for line in read_segments(folder / SEGMENTS_NAME)
    }


def deep_features(networks: Mapping[Path, CAMRecipe], images: Images, run: Path) -> Features:
    """What all networks pool from all crops, side by side."""
    parts: dict[str, list[Tensor]] = {split: [] for split in SPLITS}
    for folder, recipe in networks.items():
        stored = safetensors.torch.load_file(folder / FEATURES_NAME)
        stored["train"] = train_features(folder, recipe, images.records["train"], run)
        for split, of_split in parts.items():
            of_split.append(stored[split].flatten(1))
    return {split: torch.cat(of_split, dim=1).float().numpy() for split, of_split in parts.items()}


def train_features(folder: Path, recipe: CAMRecipe, records: Sequence[Record], run: Path) -> Tensor:
    """Pooled features `[N, C, F]` of the training images, which a run does not keep; half precision as there."""
    question = question_of(recipe)
    kept = run / "deep-features" / question / f"{folder.name}.safetensors"
    about = {"network": sha256_of(folder / MODEL_NAME), "manifest": sha256_of(run / MANIFEST)}
    if kept.exists():
        with safe_open(kept, "pt") as file:
            if file.metadata() == about:
                found: Tensor = file.get_tensor("train")
                return found
    count = len(recipe.crops.names)
    cache = run / f"cache-{recipe.model.size}-{question}-{'one-crop' if count == 1 else 'three-crops'}"
    crops = crops_of(recipe, list(read_manifest(run / MANIFEST)), cache, run / "masks")
    rows = crops.rows_of(records)
    crops.fill(rows)
    description, network = load_cam_run(folder)
    data = CropData(crops, description.contract, NO_AUGMENTATION, rows=rows, seed=recipe.seed, threads=1)
    print(f"{folder.name}: features of {len(records):,} training images", flush=True)
    features = torch.from_numpy(look(network, data, count, BATCH, precision=recipe.precision).features).half()
    kept.parent.mkdir(parents=True, exist_ok=True)
    replace_file(kept, safetensors.torch.save({"train": features}, about))
    return features


def reduced(features: Features, components: int) -> tuple[Features, float]:
    """Features on the principal components of the training images, and the share of their variance that is left.

    Components keep their spreads, in units of the mean one; standardised they would weigh noise like everything else.
    """
    standard = StandardScaler().fit(features["train"])
    analysis = PCA(components, svd_solver="randomized", random_state=0)
    train = analysis.fit_transform(standard.transform(features["train"]))
    unit = train.std()
    projected = {split: analysis.transform(standard.transform(features[split])) / unit for split in ("val", "test")}
    return {"train": train / unit, **projected}, float(analysis.explained_variance_ratio_.sum())


def network_answers(networks: Sequence[Path], images: Images) -> dict[str, NDArray[np.float64]]:
    """Mean over crops and networks of the probabilities `[N, K]` in the runs, by split."""
    found: dict[str, list[NDArray[np.float64]]] = {"val": [], "test": []}
    for folder in networks:
        with (folder / CROPS_NAME).open(newline="") as stream:
            lines = list(csv.DictReader(stream))
        for split, answers in found.items():
            records, own = images.records[split], [line for line in lines if line["split"] == split]
            crops = len(own) // len(records)
            # The features of a run, which come without names, lie in this order too.
            if [line["image_id"] for line in own] != [r.image_id for r in records for _ in range(crops)]:
                sys.exit(f"{folder / CROPS_NAME}: not the {split} images of {MANIFEST}; train again")
            of_crops = np.array([[float(line[f"p_{name}"]) for name in images.task.classes] for line in own])
            answers.append(of_crops.reshape(len(records), crops, -1).mean(axis=1))
    return {split: np.mean(answers, axis=0) for split, answers in found.items()}


def tried(images: Images, *, standardise: bool) -> Iterator[tuple[str, list[tuple[str, Learner]]]]:
    """Every learner by name, with each of its settings and their names.

    One setting at a time, because the learners do not say which one they have chosen.
    """
    classes, balanced = len(images.task.classes), images.task.equal_classes
    yield (
        "SVM",
        [
            (f"C = {c:g}, gamma = {g:g}", SVMBaseline(classes, (c,), (g,), standardise=standardise, balanced=balanced))
            for c, g in MACHINES
        ],
    )
    yield (
        "nearest neighbours",
        [(f"k = {k}", KNNBaseline(classes, (k,), standardise=standardise)) for k in NEIGHBOURS],
    )
    yield (
        "logistic regression",
        [
            (f"C = {c:g}", LogisticBaseline(classes, (c,), standardise=standardise, balanced=balanced))
            for c in STRENGTHS
        ],
    )


def print_rows(title: str, images: Images, features: Features, *, standardise: bool) -> None:
    """Learn, choose on the validation images, and print a row a learner."""
    train, development = (FeatureSet(features[split], images.labels[split]) for split in ("train", "val"))
    measure = balanced_accuracy if images.task.equal_classes else accuracy

    def merit(learner: Learner) -> float:
        decided = learner.predict_proba(development.features).argmax(axis=1)
        return measure(development.labels, decided, len(images.task.classes))

    for name, settings in tried(images, standardise=standardise):
        learnt = ((words, learner.fit(train, development)) for words, learner in settings)
        chosen, best = max(learnt, key=lambda one: merit(one[1]))
        answers = {split: best.predict_proba(features[split]) for split in ("val", "test")}
        print_row(title, name, chosen, images, answers)


def print_head(name: str, images: Images) -> None:
    """What is asked of how many images, and the head of the table."""
    counts = ", ".join(f"{len(part):,} {split}" for split, part in images.records.items())
    measures = "kappa | balanced accuracy" if images.task.equal_classes else "AUC"
    print(f"\n{name}: {' / '.join(images.task.classes)} {images.task.definition}; images: {counts}\n")
    print(f"| features | learner | accuracy, validation | accuracy, test | {measures} | chosen on validation |")
    print("|---" * (6 + images.task.equal_classes) + "|", flush=True)


def print_row(
    title: str, learner: str, chosen: str, images: Images, answers: Mapping[str, NDArray[np.float64]]
) -> None:
    """Measures of the test images, with intervals by lesion, beside the accuracy on the validation images."""
    truth, classes = images.labels["test"], len(images.task.classes)
    score, decided = answers["test"][:, 1], answers["test"].argmax(axis=1)
    lesions = [f"{record.source}/{record.group_id}" for record in images.records["test"]]

    def interval(measure: Callable[..., float]) -> Estimate:
        return grouped_bootstrap(lambda rows: measure(truth[rows], decided[rows], classes), lesions)

    if images.task.equal_classes:
        cells = [interval(measure) for measure in (accuracy, cohen_kappa, balanced_accuracy)]
    else:
        auc = grouped_bootstrap(lambda rows: roc_auc(truth[rows] == 1, score[rows]), lesions)
        cells = [interval(accuracy), auc]
    on_validation = accuracy(images.labels["val"], answers["val"].argmax(axis=1), classes)
    print(f"| {title} | {learner} | {on_validation:.4f} | {' | '.join(map(str, cells))} | {chosen} |", flush=True)


if __name__ == "__main__":
    main()
