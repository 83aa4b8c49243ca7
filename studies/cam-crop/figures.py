"""Draws the study: training curves, ROC of both looks, what each kind of second look gains, and when it pays.

    python studies/cam-crop/figures.py --run runs/cam-crop --results studies/cam-crop/results.json

Writes `curves.svg`, `roc-melanoma.svg`, `roc-keratosis.svg`, `gains.svg` and `shares.svg`. Where the network looked and
what it cut out shows `dermoscope evaluate` of a training, in `looks-gallery.png`: photographs stay out of here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from tables import PARTS

from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.figures import roc_curve
from dermoscope.evaluation.figures.style import page
from dermoscope.evaluation.looks import FIRST_LOOK, SECOND_LOOK, read_looks
from dermoscope.training.two_looks_description import FIRST, SECOND

MEASURE = "mean AUC"
SPLITS = {"val": "validation, 150", "test": "test, 600"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/cam-crop"))
    parser.add_argument("--training", default="map-0.2-0.1-42")
    parser.add_argument("--results", type=Path, required=True, help="JSON that tables.py wrote")
    parser.add_argument("--out", type=Path, default=Path("studies/cam-crop/figures"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    training = arguments.run / "looks" / arguments.training
    curves(training, arguments.out / "curves.svg")
    roc(training, arguments.run / "isic2017.csv", arguments.out)
    gains(json.loads(arguments.results.read_text()), arguments.out / "gains.svg")
    shares(training, arguments.run / "isic2017.csv", arguments.out / "shares.svg")


def curves(training: Path, path: Path) -> None:
    """Loss and mean AUC of the validation images by epoch, one panel a look."""
    with page(path, 7, 2.8, note="Official validation images; the epoch with the highest mean AUC is kept") as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name in zip(panels, (FIRST, SECOND), strict=True):
            lines = map(json.loads, (training / name / "metrics.jsonl").read_text().splitlines())
            epochs = [line for line in lines if line.get("epoch")]
            numbers = [line["epoch"] for line in epochs]
            for measure in ("training loss", "loss", MEASURE):
                axes.plot(numbers, [line["metrics"][measure] for line in epochs], marker=".", label=measure)
            axes.set(title=f"{name} look", xlabel="epoch")
            axes.legend(frameon=False)


def roc(training: Path, manifest: Path, out: Path) -> None:
    """Both looks on the test images."""
    truth = [record for record in read_manifest(manifest) if record.split == "test"]
    looks = read_looks(training, [record.image_id for record in truth])
    assert looks
    for name, code in PARTS.items():
        column = looks.classes.index(code)
        roc_curve(
            np.array([record.diagnosis == code for record in truth]),
            {look: looks.answers[look][:, column] for look in (FIRST_LOOK, SECOND_LOOK)},
            out / f"roc-{name}.svg",
            groups=[record.group_id for record in truth],
            positive_name=name,
            note="ISIC 2017, official test images",
        )


def gains(results: dict[str, dict[str, dict[str, dict[str, list[float]]]]], path: Path) -> None:
    """Difference of the second look to the first, with its interval, one row a training."""
    names = sorted(results["looks, test"], reverse=True)
    with page(path, 6.5, 0.6 + 0.28 * len(names), note="95 % intervals over images, paired") as figure:
        axes = figure.subplots()
        for offset, (split, label) in zip((0.12, -0.12), SPLITS.items(), strict=True):
            found = [results[f"looks, {split}"][name]["gain"][SECOND_LOOK] for name in names]
            value, low, high = (np.array(column) for column in zip(*found, strict=True))
            places = np.arange(len(names)) + offset
            axes.errorbar(value, places, xerr=[value - low, high - value], fmt="o", markersize=4, label=label)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(names)), [name.rpartition("-")[0] for name in names])
        axes.set_xlabel("mean AUC of the second look minus that of the first")
        axes.legend(frameon=False, loc="lower left")


def shares(training: Path, manifest: Path, path: Path) -> None:
    """Mean AUC where only the images that the first look is least sure of are looked at again."""
    with page(path, 5, 3) as figure:
        axes = figure.subplots()
        for split, label in SPLITS.items():
            truth = [record for record in read_manifest(manifest) if record.split == split]
            looks = read_looks(training, [record.image_id for record in truth])
            assert looks
            first, second = (looks.answers[look] for look in (FIRST_LOOK, SECOND_LOOK))
            least_sure = np.argsort(first.max(axis=1), kind="stable")
            points = np.linspace(0, 1, 21)
            found = []
            for share in points.tolist():
                answer = first.copy()
                again = least_sure[: round(share * len(answer))]
                answer[again] = second[again]
                areas = [
                    roc_auc_score([r.diagnosis == code for r in truth], answer[:, looks.classes.index(code)])
                    for code in PARTS.values()
                ]
                found.append(float(np.mean(areas)))
            axes.plot(points, found, label=label)
        axes.set(xlabel="share of images looked at twice, the least certain first", ylabel=MEASURE)
        axes.legend(frameon=False)


if __name__ == "__main__":
    main()
