"""Draws what the scores say, and pages of images to look at, which stay out of the repository.

    python studies/skinsam/figures.py --run runs/skinsam --out studies/skinsam/figures

From `decoder` and `unet-longer` the learning curves; from `test-new` Dice by lesion type; from `test-zero-shot` beside
it Dice by prompt. Into the run folder: `side-by-side.png`, image | truth | zero-shot | as shipped, and `failures.svg`:
worst, median and best.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from evaluate import Model, prompted
from numpy.typing import NDArray
from PIL import Image

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.figures import Case, dice_by_type, gallery, training_curves, worst_median_best
from dermoscope.evaluation.figures.style import page
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, read_mask
from dermoscope.segment.postprocess import finish_mask

TYPES = ("NV", "MEL", "BKL", "BCC", "AK", "SCC", "AKIEC", "VASC", "DF")
SIDE = 256
ROWS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/skinsam"))
    parser.add_argument("--out", type=Path, default=Path("studies/skinsam/figures"))
    arguments = parser.parse_args()
    run: Path = arguments.run
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in ("decoder", "unet-longer"):
        learning_curves(run / name / "metrics.jsonl", arguments.out / f"learning-curves-{name}.svg")
    prompt_comparison(run, arguments.out / "prompts.svg")
    with (run / "test-new" / "scores.csv").open(newline="") as stream:
        scores = [row for row in csv.DictReader(stream) if row["prompt"] == "auto"]
    for source in ("HAM10000", "ISIC2018"):
        own = [row for row in scores if row["source"] == source]
        dice = np.array([float(row["dice"]) for row in own])
        path = arguments.out / f"dice-by-type-{source}.svg"
        dice_by_type(dice, [row["diagnosis"] for row in own], path, prompt="auto", order=TYPES, title=source)
    records = {record.image_id: record for record in read_manifest(run / "manifest.csv")}
    lesions = [row for row in scores if row["source"] == "ISIC2018"]
    zero_shot, shipped = (prompted(run / name) for name in ("bundle-zero", "bundle-new"))
    dice = np.array([float(row["dice"]) for row in lesions])
    choice = worst_median_best(dice, 8)
    chosen = (choice.worst, choice.median, choice.best)
    groups = [[records[lesions[index]["image_id"]] for index in each] for each in chosen]
    worst, median, best = ([case(record, shipped) for record in group] for group in groups)
    gallery(
        worst,
        median,
        best,
        run / "failures.svg",
        n=len(lesions),
        prompt="auto",
        title="ISIC 2018 test, automatic masks",
    )
    Image.fromarray(np.vstack(list(rows(groups[0][: ROWS // 2] + groups[1][: ROWS // 2], zero_shot, shipped)))).save(
        run / "side-by-side.png"
    )


def learning_curves(metrics: Path, path: Path) -> None:
    """Training loss and validation Dice by epoch."""
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    epochs = np.array([line["epoch"] for line in lines])
    values = {name: np.array([line["metrics"][name] for line in lines]) for name in lines[0]["metrics"]}
    panels = {
        "Training loss": {"training": values.pop("training loss")},
        "Validation Dice": {name.removeprefix("Dice "): line for name, line in values.items()},
    }
    training_curves(epochs, panels, path, title=lines[0]["head"])


def prompt_comparison(run: Path, path: Path) -> None:
    """Dice by prompt source, LiteMedSAM as published beside what ships, with intervals."""
    prompts = ("auto", "jittered box", "ground-truth box")
    with page(path, 6.4, 3.2, note="Mean Dice of test images; 95 % intervals by lesion. auto: nobody draws.") as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (source, title) in zip(panels, (("HAM10000",) * 2, ("ISIC2018", "ISIC 2018")), strict=True):
            for shift, (name, label) in (
                (-0.12, ("test-zero-shot", "as published")),
                (0.12, ("test-new", "as shipped")),
            ):
                summary = json.loads((run / name / "summary.json").read_text())[source]
                dice = [
                    next(o["estimate"] for o in summary[p] if (o["metric"], o["averaging"]) == ("dice", "per image"))
                    for p in prompts
                ]
                ends = [[one["value"] - one["low"] for one in dice], [one["high"] - one["value"] for one in dice]]
                places = np.arange(len(prompts)) + shift
                axes.errorbar(places, [one["value"] for one in dice], yerr=ends, fmt="o", capsize=3, label=label)
            axes.set_xticks(range(len(prompts)), [prompt.replace(" ", "\n") for prompt in prompts])
            axes.set_title(title)
        panels[0].set_ylabel("Dice")
        panels[0].legend(loc="lower right")


def predicted(record: Record, model: Model) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Image, true mask, and automatic mask."""
    assert record.mask_path is not None
    rgb, truth = decode(record.path).rgb, read_mask(record.mask_path)
    _, logits, _ = next(model(rgb, truth, np.random.default_rng(0)))
    found = None if logits is None else finish_mask(logits, truth.shape[1], truth.shape[0])
    return rgb, truth, np.zeros_like(truth) if found is None else found.mask


def case(record: Record, model: Model) -> Case:
    """One tile of the gallery."""
    rgb, truth, mask = predicted(record, model)
    return Case(record.image_id, rgb, truth, mask, mask_scores(mask, truth).dice, record.diagnosis)


def rows(records: list[Record], zero_shot: Model, shipped: Model) -> Iterator[NDArray[np.uint8]]:
    """Image | truth | zero-shot | as shipped, one image a row."""
    for record in records:
        rgb, truth, before = predicted(record, zero_shot)
        *_, after = predicted(record, shipped)
        tiles = [rgb, *(outlined(rgb, mask) for mask in (truth, before, after))]
        yield np.hstack([cv2.resize(tile, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for tile in tiles]).astype(
            np.uint8
        )


def outlined(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image with the outline of a mask."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(rgb.copy(), contours, -1, (0, 255, 255), 2), np.uint8)


if __name__ == "__main__":
    main()
