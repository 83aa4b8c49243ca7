"""What hair, rulers, ink, frames, blur and compression do to automatic masks, and what the size of a lesion does.

    python studies/skinsam/robustness.py --manifest runs/skinsam/manifest.csv --bundle bundle \
        --scores runs/skinsam/test-new --out runs/skinsam/robust

Each disturbance is drawn on the same test images with the overlays of the augmentation, stronger than training draws
them on average (the same seed for every bundle); the change of Dice is paired, image by image. With `--scores`, what
`evaluate.py` wrote, also Dice by the size of the true mask, of all its images. Writes `robustness.csv` and
`robustness.json`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from compare import automatic, mean_of
from evaluate import HEALTHY, thinned
from numpy.typing import NDArray

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.intervals import Estimate
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, read_mask
from dermoscope.segmenter import load_segmenter
from dermoscope.training.augmentation import overlays, photometry
from dermoscope.training.recipes.augmentation import BlurPart, ColourPart, FramePart, HairPart, InkPart, JPEGPart

RGB, Mask = NDArray[np.uint8], NDArray[np.bool_]
Disturb = Callable[[RGB, Mask, np.random.Generator], tuple[RGB, Mask]]

DISTURBANCES: dict[str, Disturb] = {
    "as it is": lambda rgb, mask, _: (rgb, mask),
    "hair": lambda rgb, mask, random: (overlays.hair(rgb, HairPart(most=40), random), mask),
    "ruler": lambda rgb, mask, random: (overlays.ink(rgb, InkPart(ruler=1.0), random), mask),
    "ink": lambda rgb, mask, random: (overlays.ink(rgb, InkPart(ruler=0.0), random), mask),
    "dark frame": lambda rgb, mask, random: overlays.frame(rgb, mask, FramePart(radius=(0.65, 0.75)), random),
    "out of focus": lambda rgb, mask, random: (photometry.blur(rgb, BlurPart(sigma=(8.0, 12.0)), random), mask),
    "JPEG quality 15 to 25": lambda rgb, mask, random: (photometry.jpeg(rgb, JPEGPart(quality=(15, 25)), random), mask),
    "other light": lambda rgb, mask, random: (
        photometry.colour(rgb, ColourPart(brightness=0.3, contrast=0.3, hue=12.0, white_balance=0.15), random),
        mask,
    ),
}
SIZES = (("below 3 % of the image", 0.0, 0.03), ("3 to 60 %", 0.03, 0.6), ("above 60 %", 0.6, 1.01))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, help="by default the one that ships")
    parser.add_argument("--split", default="test")
    parser.add_argument("--most", type=int, default=200, help="at most this many images of a source for a disturbance")
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    records = [r for r in read_manifest(arguments.manifest) if r.split == arguments.split and r.mask_path]
    few = [r for source in sorted({r.source for r in records}) for r in thinned(records, source, arguments.most)]
    segmenter = load_segmenter(arguments.bundle)

    def dice(record: Record, disturb: Disturb) -> float:
        """Of the automatic mask."""
        assert record.mask_path is not None
        rgb, truth = decode(record.path).rgb, read_mask(record.mask_path)
        random = np.random.default_rng(list(record.image_id.encode()))
        rgb, truth = disturb(rgb, truth, random)
        found = segmenter.segment(rgb).mask
        return mask_scores(np.zeros_like(truth) if found is None else found, truth).dice

    scores = {name: [dice(record, disturb) for record in few] for name, disturb in DISTURBANCES.items()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "robustness.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_id", "source", *scores])
        for row, record in enumerate(few):
            writer.writerow([record.image_id, record.source, *(f"{values[row]:.4f}" for values in scores.values())])
    table: list[dict[str, object]] = []

    def note(source: str, what: str, estimate: Estimate) -> None:
        print(f"| {source} | {what} | {estimate.n} | {estimate} |", flush=True)
        table.append({"source": source, "what": what, **asdict(estimate)})

    plain = np.array(scores["as it is"])
    for source in sorted({record.source for record in few}):
        rows = np.array([row for row, record in enumerate(few) if record.source == source])
        groups = [few[row].group_id for row in rows]
        for name, values in scores.items():
            change = np.array(values)[rows] - (0.0 if name == "as it is" else plain[rows])
            note(source, name if name == "as it is" else f"{name}, change", mean_of(change, groups))
    if arguments.scores:
        scored = automatic(arguments.scores)
        lesions = [(r, read_mask(r.mask_path).mean()) for r in records if r.source != HEALTHY and r.mask_path]
        for source in sorted({record.source for record, _ in lesions}):
            for name, least, most in SIZES:
                sized = [r for r, share in lesions if r.source == source and least <= share < most]
                values = np.array([float(scored[record.image_id]["dice"]) for record in sized])
                if len(values):
                    note(source, f"lesions {name}", mean_of(values, [record.group_id for record in sized]))
    (arguments.out / "robustness.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
