"""Frozen features of a lesion-grouped HAM10000 subset, and logistic regressions on them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from variants import Variant

from dermoscope import taxonomy
from dermoscope.data.ham10000 import HAM10000
from dermoscope.encoders.inputs import prepare
from dermoscope.engine import compile_graph
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.images import decode

PER_CLASS = {"train": 200, "val": 80}
_CHANNELS = 256
_STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_MALIGNANCY = "graz"
_SAVE_EVERY = 100


@dataclass(frozen=True)
class Sample:
    """One image of the subset.

    Attributes:
        image_id: Its name in HAM10000.
        path: The file.
        code: Diagnosis as HAM10000 has it.
        resolved: Diagnosis with `AKIEC` told apart by ISIC 2019.
        lesion: Images of one lesion share it.
        split: `train` or `val`.
    """

    image_id: str
    path: Path
    code: str
    resolved: str
    lesion: str
    split: str


def read_subset(data: Path) -> list[Sample]:
    """At most 200 training and 80 validation images a class, ordered so that each beginning has the classes' shares."""
    records = {record.image_id: record for record in HAM10000(data / "HAM10000").records()}
    with (data / "ISIC2019" / "ISIC_2019_Training_GroundTruth.csv").open(newline="", encoding="utf-8") as stream:
        isic2019 = taxonomy.isic2019_diagnoses(csv.DictReader(stream))
    classes: dict[tuple[str, str], list[str]] = {}
    with (data / "splits" / "ham10000_cls.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            classes.setdefault((row["split"], row["dx"]), []).append(row["image"])
    random = np.random.default_rng(0)
    placed = []
    for (split, dx), ids in sorted(classes.items()):
        shuffled = sorted(ids)
        random.shuffle(shuffled)
        chosen = shuffled[: PER_CLASS[split]]
        for rank, image_id in enumerate(chosen):
            record = records[image_id]
            resolved = taxonomy.resolve_akiec(record.diagnosis, image_id, isic2019)
            sample = Sample(image_id, record.path, record.diagnosis, resolved, record.lesion_id, split)
            placed.append(((rank + 0.5) / len(chosen), split, dx, sample))
    return [sample for *_, sample in sorted(placed, key=lambda entry: entry[:3])]


def extract(variant: Variant, samples: Sequence[Sample], cache: Path, threads: int) -> dict[str, NDArray[np.float32]]:
    """Features `[512]` by image id, the map's mean and standard deviation; what the cache holds is not computed again.

    Args:
        variant: Which encoder.
        samples: The images.
        cache: Folder of the study's intermediate files.
        threads: For the encoder.
    """
    file = cache / "feat" / variant.key / "features.npz"
    features: dict[str, NDArray[np.float32]] = {}
    if file.exists():
        with np.load(file) as stored:
            features = dict(zip(stored["ids"].tolist(), stored["x"], strict=True))
    missing = [sample for sample in samples if sample.image_id not in features]
    if missing:
        graph = compile_graph(variant.encoder_graph(cache), threads=threads, streams=2)

        def feature(sample: Sample) -> NDArray[np.float32]:
            prepared = prepare(decode(sample.path).rgb, variant.contract)
            result = graph({"image": prepared.image, "pool_weights": prepared.pool_weights})
            mean = result["feature"][0]
            squares = (result["embedding"][0] - mean[:, None, None]) ** 2
            deviation = np.sqrt((squares * prepared.pool_weights[0]).sum((1, 2)))
            return np.concatenate([mean, deviation]).astype(np.float32)

        with ThreadPoolExecutor(2) as pool:
            for start in track(range(0, len(missing), _SAVE_EVERY), variant.label):
                batch = missing[start : start + _SAVE_EVERY]
                features.update(zip((s.image_id for s in batch), pool.map(feature, batch), strict=True))
                _save(file, features)
    return {sample.image_id: features[sample.image_id] for sample in samples}


def _save(file: Path, features: Mapping[str, NDArray[np.float32]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, ids=np.array(list(features)), x=np.stack(list(features.values())))
    partial.replace(file)


@dataclass(frozen=True)
class Probe:
    """One task's predictions on the validation images, and how to score them.

    Attributes:
        lesions: Lesion of each validation image.
        score: From row numbers to balanced accuracy or AUC.
        strength: C of the logistic regression.
        train: Number of training images.
    """

    lesions: list[str]
    score: Callable[[NDArray[np.intp]], float]
    strength: float
    train: int

    def estimate(self, resamples: int) -> Estimate:
        """The score with its interval, lesions resampled."""
        return grouped_bootstrap(self.score, self.lesions, resamples=resamples)

    def advantage_over(self, other: Probe, resamples: int) -> Estimate:
        """Difference of the scores on the same images, with its paired interval."""
        return grouped_bootstrap(lambda rows: self.score(rows) - other.score(rows), self.lesions, resamples=resamples)


TASKS: Mapping[str, tuple[str, Callable[[Sample], str | bool]]] = {
    "group": ("balanced_accuracy", lambda sample: taxonomy.group_of(sample.resolved)),
    "malignancy": ("roc_auc", lambda sample: taxonomy.is_malignant(sample.resolved, _MALIGNANCY)),
    "diagnosis": ("balanced_accuracy", lambda sample: sample.code),
}
"""Metric and label of each task: lesion group, malignancy (`graz`), the seven classes of HAM10000."""


def fit_probes(features: Mapping[str, NDArray[np.float32]], samples: Sequence[Sample]) -> dict[str, Probe]:
    """Fit a logistic regression a task on the 256-d mean; its C comes from folds over the training lesions alone."""
    train = [sample for sample in samples if sample.split == "train"]
    val = [sample for sample in samples if sample.split == "val"]
    train_x, val_x = (np.stack([features[s.image_id][:_CHANNELS] for s in part]) for part in (train, val))
    probes = {}
    for task, (metric, label) in TASKS.items():
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        search = GridSearchCV(model, {"logisticregression__C": _STRENGTHS}, scoring=metric, cv=folds)
        with threadpool_limits(1):  # on matrices this small, more threads only wait for each other
            search.fit(train_x, [label(s) for s in train], groups=[s.lesion for s in train])
        truth = np.array([label(s) for s in val])
        score: Callable[[NDArray[np.intp]], float]
        if metric == "roc_auc":
            score = _area(truth, search.decision_function(val_x))
        else:
            score = _balanced_accuracy(truth, search.predict(val_x))
        strength = float(search.best_params_["logisticregression__C"])
        probes[task] = Probe([s.lesion for s in val], score, strength, len(train))
    return probes


def _area(truth: NDArray[np.bool_], decision: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], float]:
    return lambda rows: float(roc_auc_score(truth[rows], decision[rows]))


def _balanced_accuracy(truth: NDArray[np.str_], predicted: NDArray[np.str_]) -> Callable[[NDArray[np.intp]], float]:
    right, classes = truth == predicted, np.unique(truth)

    def score(rows: NDArray[np.intp]) -> float:
        drawn = truth[rows]
        return float(np.mean([right[rows][drawn == c].mean() for c in classes if (drawn == c).any()]))

    return score
