"""Fits the logistic model of the colour saliency on ISIC 2018 training images and says what it brings on `val`.

    python studies/main-job/saliency.py --run runs/main-job

Prints the constants that `dermoscope.segment.saliency` holds, and the Dice of the salient region alone, with those and
with the ones just fitted. `val` is only scored.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from sklearn.linear_model import LogisticRegression

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.intervals import grouped_bootstrap
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, field_of_view, read_mask
from dermoscope.segment.saliency import FEATURE_NAMES, SaliencyModel, lesion_saliency, saliency_features, salient_region

PIXELS = 800
LANDSCAPE, ANY = 700, 500


def read(record: Record) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    assert record.mask_path is not None
    return decode(record.path).rgb, read_mask(record.mask_path)


def training_images(records: list[Record], random: np.random.Generator) -> list[Record]:
    """Some of all images, and more of those in 3:2, where the lesion is smaller and the rim of the view is skin."""
    shuffled = [records[index] for index in random.permutation(len(records))]
    landscape = []
    for record in shuffled:
        with Image.open(record.path) as image:
            if abs(image.width / image.height - 1.5) < 0.01:
                landscape.append(record)
    return list(dict.fromkeys([*landscape[:LANDSCAPE], *shuffled[:ANY]]))


def sample(records: list[Record], random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Features `[N, 10]` and truth `[N]` of some pixels of every image."""
    features, lesion = [], []
    for record in track(records, description="pixels"):
        rgb, truth = read(record)
        values, inside = saliency_features(rgb, field_of_view(rgb))
        rows = np.flatnonzero(inside)
        rows = random.choice(rows, min(PIXELS, len(rows)), replace=False)
        small = cv2.resize(truth.astype(np.float32), inside.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
        features.append(values.reshape(-1, len(FEATURE_NAMES))[rows])
        lesion.append(small.ravel()[rows])
    return np.concatenate(features), np.concatenate(lesion)


def dice_of_region(model: SaliencyModel, records: list[Record]) -> list[float]:
    """Dice of the salient region of each image."""
    found = []
    for record in records:
        rgb, truth = read(record)
        region = salient_region(lesion_saliency(rgb, field_of_view(rgb), model)).astype(np.float32)
        found.append(mask_scores(cv2.resize(region, truth.shape[::-1]) > 0.5, truth).dice)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/main-job"), help="folder with manifest.csv")
    arguments = parser.parse_args()
    records = [r for r in read_manifest(arguments.run / "manifest.csv") if r.source == "ISIC2018" and r.mask_path]
    train, val = ([r for r in records if r.split == split] for split in ("train", "val"))
    random = np.random.default_rng(0)
    chosen = training_images(train, random)
    features, lesion = sample(chosen, random)
    fit = LogisticRegression(max_iter=2000).fit(features, lesion)
    fitted = SaliencyModel(tuple(round(float(w), 3) for w in fit.coef_[0]), round(float(fit.intercept_[0]), 3))
    print(f"{len(chosen)} images, {len(lesion)} pixels: {fitted}")
    for name, model in (("shipped", SaliencyModel()), ("fitted", fitted)):
        values = np.array(dice_of_region(model, val))
        estimate = grouped_bootstrap(lambda rows, v=values: float(v[rows].mean()), [r.image_id for r in val])
        print(f"| Dice of the salient region, {name} | {estimate} | {estimate.n} | ISIC 2018 val |")


if __name__ == "__main__":
    main()
