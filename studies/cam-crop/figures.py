"""Draws the study: training curves, ROC of both looks, what each kind of second look gains, and when it pays.

    python studies/cam-crop/figures.py --run runs/cam-crop --results studies/cam-crop/results.json \
        --shares studies/cam-crop/shares.json

Writes `gains.svg` of every training, `shares.svg` of those of `shares.py`, and `curves-NAME.svg`,
`roc-NAME-melanoma.svg` and `roc-NAME-keratosis.svg` of each training that `--trainings` names. Into the run folder,
because they show photographs: `where-NAME.png`, map, box and crop of test images that were right twice, mended, spoilt
and wrong twice, for the trainings of `shares.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from shares import BALANCED, MEAN_AUC
from tables import PARTS

from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.figures import roc_curve, style
from dermoscope.evaluation.figures.style import page
from dermoscope.evaluation.looks import FIRST_LOOK, SECOND_LOOK, read_looks
from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.report.looks_part import looks_part
from dermoscope.evaluation.report.parts import Settings
from dermoscope.evaluation.training_run import PREDICTIONS_NAME, TRAINING_NAME
from dermoscope.evaluation.truth import match, read_truth
from dermoscope.training.two_looks_description import FIRST, SECOND

SPLITS = {"val": "validation, 150", "test": "test, 600"}
WORDS = {
    "map-0.2-0.1-42": "map 0.2, margin 0.1 (base)",
    "map-0.4-0.0-42": "map 0.4, margin 0",
    "mask-0.0-42": "lesion mask, margin 0",
    "augmented-last-43": "augmented, last epoch",
}
"""Trainings as figures name them; others go by the name of their folder."""
Numbers = dict[str, Any]
"""What a script of the study wrote, as JSON has it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/cam-crop"))
    parser.add_argument("--trainings", nargs="+", default=["map-0.2-0.1-42", "augmented-last-43"])
    parser.add_argument("--results", type=Path, required=True, help="JSON that tables.py wrote")
    parser.add_argument("--shares", type=Path, required=True, help="JSON that shares.py wrote")
    parser.add_argument("--out", type=Path, default=Path("studies/cam-crop/figures"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    manifest: Path = arguments.run / "isic2017.csv"
    results, by_share = (json.loads(path.read_text()) for path in (arguments.results, arguments.shares))
    gains(results, arguments.out / "gains.svg")
    shares(by_share, results["looks, test"], arguments.out / "shares.svg")
    for name in arguments.trainings:
        curves(arguments.run / "looks" / name, arguments.out / f"curves-{name}.svg")
        roc(arguments.run / "looks" / name, manifest, arguments.out)
    for name in by_share["test"]:
        where_it_looked(arguments.run / "looks" / name, manifest, arguments.run / f"where-{name}.png")


def words_of(training: str) -> str:
    return WORDS.get(training, training)


def curves(training: Path, path: Path) -> None:
    """Loss and mean AUC by epoch, one column a look; a line marks the epoch whose weights were kept."""
    rule = json.loads((training / FIRST / TRAINING_NAME).read_text())["selected_by"]
    note = (
        f"Validation: the official 150 images. Dotted: the epoch that is kept, by the rule “{rule}”. The loss of "
        "training images is that of the diagnosis alone, while they learn and as they are augmented."
    )
    with page(path, style.DOUBLE, 3.8, title=words_of(training.name), note=note) as figure:
        panels = figure.subplots(2, 2, sharey="row", sharex="col")
        for (above, below), look in zip(panels.T, (FIRST, SECOND), strict=True):
            lines = map(json.loads, (training / look / "metrics.jsonl").read_text().splitlines())
            metrics = {line["epoch"]: line["metrics"] for line in lines if line.get("epoch")}
            epochs = list(metrics)
            learnt, loss, area = (
                [each[measure] for each in metrics.values()]
                for measure in ("training classification", "loss", MEAN_AUC)
            )
            validation: Any = {"color": style.VERMILLION, "linestyle": style.DASHES[1], "marker": "s", "markersize": 3}
            above.plot(epochs, learnt, color=style.BLUE, marker="o", markersize=3, label="training")
            above.plot(epochs, loss, **validation, label="validation")
            below.plot(epochs, area, **validation)
            kept = {MEAN_AUC: int(np.argmax(area)), "loss": int(np.argmin(loss)), "last epoch": -1}[rule]
            for axes in (above, below):
                axes.axvline(epochs[kept], color=style.FAINT, linewidth=0.9, linestyle=style.DASHES[2], zorder=0)
                axes.yaxis.grid(True, color=style.GRID, linewidth=0.6)
                axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            above.set_title(f"{look} look", fontweight="bold")
            below.set_xlabel("epoch")
        panels[0, 0].set_ylabel("class-weighted\ncross-entropy, nats")
        panels[1, 0].set_ylabel("mean AUC,\nvalidation")
        panels[0, 1].legend(loc="upper center")


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
            out / f"roc-{training.name}-{name}.svg",
            groups=[record.group_id for record in truth],
            positive_name=name,
            title=f"{words_of(training.name)}: {name}",
            note="ISIC 2017, official test images",
        )


def gains(results: Numbers, path: Path) -> None:
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


def shares(found: Numbers, results: Numbers, path: Path) -> None:
    """Accuracy where only what the first look is least sure of is looked at again, one column a training."""
    names = list(found["test"])
    rows = (
        (BALANCED, "value", "balanced accuracy"),
        (BALANCED, "gain", "gain in\nbalanced accuracy"),
        (MEAN_AUC, "gain", "gain in\nmean AUC"),
    )
    note = (
        "The images that the first look is least certain of take the answer of the second. Gains are over the first "
        "look alone, paired. Bands: 95 % intervals over images, share by share. Box: median on test."
    )
    with page(path, style.DOUBLE, 5, note=note) as figure:
        panels = figure.subplots(len(rows), len(names), sharex=True, sharey="row", squeeze=False)
        for column, name in zip(panels.T, names, strict=True):
            for axes, (measure, what, _) in zip(column, rows, strict=True):
                for number, (split, label) in enumerate(SPLITS.items()):
                    one = found[split][name]
                    band(axes, np.array(one["share"]), np.array(one[measure][what]), number, label)
                if what == "gain":
                    axes.axhline(0, color=style.INK, linewidth=0.7, zorder=1)
            box = results[name]["box as a share of the image"]["median"]
            column[0].set_title(f"{words_of(name)}\nbox {box:.2f} of the image", fontsize=style.SMALL)
        for axes, (_, _, label) in zip(panels[:, 0], rows, strict=True):
            axes.set_ylabel(label)
        panels[0, 0].xaxis.set_major_formatter(style.percentages())
        for axes in panels[-1]:
            axes.set_xlabel("images looked at twice")
        panels[0, 0].legend(loc="upper right")


def band(axes: Axes, shares: np.ndarray, found: np.ndarray, number: int, label: str) -> None:  # type: ignore[type-arg]
    """A line with its interval; `found` is `[shares, 3]`: value, lower and upper end."""
    value, low, high = found.T
    colour = style.COLOURS[number]
    axes.fill_between(shares, low, high, color=colour, alpha=0.15, linewidth=0, zorder=1)
    axes.plot(shares, value, color=colour, linestyle=style.DASHES[number], label=label, zorder=2)


def where_it_looked(training: Path, manifest: Path, path: Path) -> None:
    """Map, box and crop, right and wrong, as `dermoscope evaluate` draws them."""
    matched = match(read_predictions(training / PREDICTIONS_NAME), read_truth(manifest))
    part = looks_part(training, matched, "test", Settings(resamples=1))
    assert part
    next(figure for figure in part.section.figures if figure.key == "looks-gallery").draw(path)


if __name__ == "__main__":
    main()
