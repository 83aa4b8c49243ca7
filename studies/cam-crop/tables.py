"""The numbers of the study: what each kind of second look is worth beside the first.

    python studies/cam-crop/tables.py --run runs/cam-crop --split test --json studies/cam-crop/results.json

For every training, the mean of two AUCs, melanoma and seborrheic keratosis against the rest, of the first look, the
second, their average and the third, with 95 % intervals over images (ISIC 2017 names no lesions); the difference of the
second look and of the average to the first, paired; how many images were seen as a whole again; and over the images
that were cut, the median, the quartiles and how many they are: of the share of the image that the box takes, and of the
share of the true outline that it holds, where ISIC 2018 has one. Two questions of one training each, melanoma and
keratosis, are joined to one row. In the file, rows of earlier runs stay unless they are measured anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.intervals import Bootstrap, Difference, Estimate, Weights
from dermoscope.evaluation.looks import (
    AVERAGE,
    FIRST_LOOK,
    LOOKS,
    SECOND_LOOK,
    THIRD_LOOK,
    Looks,
    read_looks,
    with_average,
)
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.images import read_mask

PARTS = {"melanoma": "MEL", "keratosis": "BKL"}
ANSWERS = (FIRST_LOOK, SECOND_LOOK, AVERAGE, THIRD_LOOK)
Scores = dict[str, NDArray[np.float64]]
"""Answer to its probabilities `[N, 2]` of melanoma and keratosis."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/cam-crop"))
    parser.add_argument("--split", choices=("val", "test"), default="val")
    parser.add_argument("--folder", default="looks", help="of the trainings, in the run folder")
    parser.add_argument("--json", type=Path, help="a file that the numbers are added to")
    arguments = parser.parse_args()
    truth = [r for r in read_manifest(arguments.run / "isic2017.csv") if r.split == arguments.split]
    numbers: dict[str, dict[str, object]] = {}
    heads = ["training", *ANSWERS, "second, paired", "average, paired"]
    heads += ["seen as a whole", "box of the image", "outline inside"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    runs = {
        path.name: path
        for path in sorted((arguments.run / arguments.folder).iterdir())
        if (path / "looks.csv").exists()
    }
    for name, path in runs.items():
        kind, _, seed = name.rpartition("-")
        looks = read_looks(path, [record.image_id for record in truth])
        assert looks is not None
        if kind in PARTS:
            continue
        scores = {
            answer: of[:, [looks.classes.index(c) for c in PARTS.values()]] for answer, of in all_answers(looks).items()
        }
        numbers[name] = row(name, scores, truth, looks)
    for seed in sorted({name.rpartition("-")[2] for name in runs}):
        both = [
            read_looks(runs[f"{part}-{seed}"], [r.image_id for r in truth])
            for part in PARTS
            if f"{part}-{seed}" in runs
        ]
        if len(both) == len(PARTS):
            said = [all_answers(looks) for looks in both if looks]
            scores = {answer: np.stack([of[answer][:, 1] for of in said], axis=1) for answer in ANSWERS}
            numbers[f"two-networks-{seed}"] = row(f"two-networks-{seed}", scores, truth, None)
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        key = f"{arguments.folder}, {arguments.split}"
        kept[key] = {**kept.get(key, {}), **numbers}
        arguments.json.write_text(f"{json.dumps(kept, indent=1)}\n")


def all_answers(looks: Looks) -> Mapping[str, NDArray[np.float64]]:
    return with_average(*(looks.answers[look] for look in LOOKS))


def row(name: str, scores: Scores, truth: list[Record], looks: Looks | None) -> dict[str, object]:
    """One training: printed, and as numbers."""
    labels = labels_of(truth)
    drawn = Bootstrap([record.group_id for record in truth])
    areas = {answer: mean_auc(labels, of) for answer, of in scores.items()}
    values = {answer: drawn.estimate(areas[answer]) for answer in ANSWERS}
    gains = {answer: drawn.paired(areas[answer], areas[FIRST_LOOK]) for answer in (SECOND_LOOK, AVERAGE)}
    whole = None if looks is None else sum(bool(reason) for reason in looks.reasons)
    size, inside = (None, None) if looks is None else (Spread.of(taken(looks, truth)), Spread.of(held(looks, truth)))
    cells = [shown(one) for one in values.values()] + [shown(one, "+.3f") for one in gains.values()]
    cells += [
        "-" if whole is None else f"{whole} of {len(truth)}",
        *("-" if one is None else str(one) for one in (size, inside)),
    ]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return {
        "n": len(truth),
        "mean AUC": {answer: bounds(one) for answer, one in values.items()},
        "gain": {answer: bounds(one) for answer, one in gains.items()},
        "AUC of melanoma and keratosis": {
            a: [round(float(roc_auc_score(labels[:, k], scores[a][:, k])), 4) for k in range(len(PARTS))]
            for a in ANSWERS
        },
        "seen as a whole": whole,
        "box as a share of the image": None if size is None else asdict(size),
        "outline inside the box": None if inside is None else asdict(inside),
        "reasons": {} if looks is None else {r: looks.reasons.count(r) for r in sorted(set(looks.reasons)) if r},
    }


def labels_of(truth: Sequence[Record]) -> NDArray[np.bool_]:
    """Whether each image shows a melanoma and a keratosis, `[N, 2]`."""
    return np.array([[record.diagnosis == code for code in PARTS.values()] for record in truth])


def mean_auc(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> Callable[[Weights], float]:
    """From weights of the images to the mean of both AUCs.

    Args:
        labels: As `labels_of` has them, `[N, 2]`.
        scores: Of melanoma and keratosis, `[N, 2]`.
    """
    ranked = [RankedScores(labels[:, k], scores[:, k]) for k in range(len(PARTS))]
    return lambda weights: float(np.mean([one.areas(weights).auc for one in ranked]))


@dataclass(frozen=True)
class Spread:
    """How a share spreads over n images.

    Attributes:
        n: Images.
        median: 0 to 1.
        quartiles: The first and the third, 0 to 1.
    """

    n: int
    median: float
    quartiles: tuple[float, float]

    @classmethod
    def of(cls, shares: Sequence[float]) -> Spread | None:
        """Nothing of no images."""
        if not shares:
            return None
        first, median, third = (round(float(np.quantile(shares, end)), 4) for end in (0.25, 0.5, 0.75))
        return cls(len(shares), median, (first, third))

    def __str__(self) -> str:
        """As tables print it."""
        return f"{self.median:.2f} ({self.quartiles[0]:.2f} to {self.quartiles[1]:.2f}), n = {self.n}"


def held(looks: Looks, truth: list[Record]) -> list[float]:
    """Share of the true outline inside the box, of the images that were cut and have an outline."""
    masks = {record.image_id: record.mask_path for record in truth}
    shares = []
    for name, (left, top, right, bottom), reason in zip(looks.image_ids, looks.boxes, looks.reasons, strict=True):
        path = masks[name]
        if path is not None and not reason and (mask := read_mask(path)).any():
            shares.append(float(mask[top:bottom, left:right].sum() / mask.sum()))
    return shares


def taken(looks: Looks, truth: list[Record]) -> list[float]:
    """Share of the image that the box takes, of the images that were cut."""
    paths = {record.image_id: record.path for record in truth}
    shares = []
    for name, (left, top, right, bottom), reason in zip(looks.image_ids, looks.boxes, looks.reasons, strict=True):
        if not reason:
            with Image.open(paths[name]) as image:
                shares.append((right - left) * (bottom - top) / (image.width * image.height))
    return shares


def bounds(estimate: Estimate | Difference) -> list[float]:
    """Value, lower and upper end."""
    return [round(value, 4) for value in (estimate.value, estimate.low, estimate.high)]


def shown(estimate: Estimate | Difference, form: str = ".3f") -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


if __name__ == "__main__":
    main()
