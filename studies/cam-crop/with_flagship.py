"""What trainings on ISIC 2017 alone and a mode of a bundle are worth together: the mean of their log-odds.

    python studies/cam-crop/with_flagship.py --run runs/cam-crop --training without-doubles/augmented-last-44 \
        --split test --out runs/cam-crop/with-flagship --json studies/cam-crop/with_flagship.json

The bundle goes over the images as a user would (it resumes); melanoma is its `p_melanoma`, keratosis its odds of that
diagnosis, were all equally frequent. Nothing is fitted: all log-odds weigh the same. Most of the validation images are
among those that the mode of the shipped bundle was fitted on, and some trainings chose their epoch by them: numbers
there choose, they do not measure. Where a training has learnt images that show what a test image shows, by its leak
check, the numbers are told once more without these test images. Mean AUC over melanoma and seborrheic keratosis, each
against the rest, with 95 % intervals over images; differences are paired.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from tables import ANSWERS, PARTS, all_answers, bounds, labels_of, mean_auc, shown

from dermoscope.analyzer import load_analyzer
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.intervals import Bootstrap
from dermoscope.evaluation.looks import AVERAGE, FIRST_LOOK, read_looks
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.training.leaks import LEAK_CHECK_NAME

sys.path.insert(0, str(Path(__file__).parents[1] / "flagship"))
from answers import ask

LEAST = 1e-7
"""No probability counts as surer than this."""
BUNDLE = "the bundle"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/cam-crop"))
    parser.add_argument("--training", nargs="+", default=["looks/augmented-last-43"], help="folders in the run folder")
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", help="by default its first")
    parser.add_argument("--split", choices=("val", "test"), default="val")
    parser.add_argument("--out", type=Path, required=True, help="where the bundle's answers go")
    parser.add_argument("--json", type=Path, help="a file that the numbers are added to")
    arguments = parser.parse_args()
    records = [one for one in read_manifest(arguments.run / "isic2017.csv") if one.split == arguments.split]
    for training in arguments.training:
        if read_looks(arguments.run / training, [record.image_id for record in records]) is None:
            parser.error(f"--training: {arguments.run / training} has no looks.csv; train it with ablation.py")
    analyzer = load_analyzer(arguments.bundle, mode=arguments.mode, streams=2)
    pairs = ask(records, arguments.out / f"{arguments.split}-{analyzer.mode}", analyzer)
    truth = [record for record, _ in pairs]
    said = {BUNDLE: np.array([[one.p_melanoma or 0.0, one.diagnosis["BKL"]] for _, one in pairs])}
    doubles: set[str] = set()
    for training in arguments.training:
        looks = read_looks(arguments.run / training, [record.image_id for record in truth])
        assert looks is not None
        chosen = [looks.classes.index(code) for code in PARTS.values()]
        answers = all_answers(looks)
        said |= {f"{training}, {answer}": answers[answer][:, chosen] for answer in ANSWERS[:3]}
        doubles |= with_a_double(arguments.run / training / LEAK_CHECK_NAME, arguments.split)
    for answer in (FIRST_LOOK, AVERAGE):
        members = [BUNDLE, *(f"{training}, {answer}" for training in arguments.training)]
        said[f"{BUNDLE} and {answer}"] = np.mean(
            [logit(said[member].clip(LEAST, 1 - LEAST)) for member in members], axis=0
        )
    what = f"{arguments.split}, mode {analyzer.mode}, {', '.join(arguments.training)}"
    numbers = {f"{what}, {len(truth)} images": table(truth, said)}
    if alone := [k for k, record in enumerate(truth) if doubles and record.image_id not in doubles]:
        numbers[f"{what}, {len(alone)} without a double in training"] = table(
            [truth[k] for k in alone], {name: of[alone] for name, of in said.items()}
        )
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        arguments.json.write_text(f"{json.dumps({**kept, **numbers}, indent=1)}\n")


def with_a_double(report: Path, split: str) -> set[str]:
    """Images of a split that show what a training image shows, as the leak check of a training found."""
    found: set[str] = set()
    for leak in json.loads(report.read_text())["leaks"]:
        if "train" in {image["split"] for image in leak["images"]}:
            found |= {image["image_id"] for image in leak["images"] if image["split"] == split}
    return found


def table(truth: Sequence[Record], said: dict[str, NDArray[np.float64]]) -> dict[str, dict[str, list[float]]]:
    """Every answer: printed, and as numbers."""
    labels = labels_of(truth)
    drawn = Bootstrap([record.group_id for record in truth])
    print(
        f"\n{len(truth)} images\n\n| who answers | mean AUC | melanoma, keratosis | beside the bundle |\n|{'---|' * 4}"
    )
    numbers: dict[str, dict[str, list[float]]] = {}
    for name, of in said.items():
        area = mean_auc(labels, of)
        value = drawn.estimate(area)
        gain = drawn.paired(area, mean_auc(labels, said[BUNDLE]))
        parts = [RankedScores(labels[:, k], of[:, k]).areas(np.ones(len(truth))).auc for k in range(len(PARTS))]
        print(
            f"| {name} | {shown(value)} | {', '.join(f'{p:.3f}' for p in parts)} | {shown(gain, '+.3f')} |", flush=True
        )
        numbers[name] = {
            "mean AUC": bounds(value),
            "AUC of melanoma and keratosis": [round(float(part), 4) for part in parts],
            "beside the bundle": bounds(gain),
        }
    return numbers


if __name__ == "__main__":
    main()
