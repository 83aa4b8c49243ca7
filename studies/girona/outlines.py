"""How good the outlines of the classical pipeline are beside those of the default model, on the test images.

    python studies/girona/outlines.py --run runs/girona

The true masks are those of the manifest; neither way is shown them, or any other prompt. The masks of the default
model, which has learnt from those of training images, are the ones that the study's networks see, in `<run>/masks`.
Those of `dermoscope.segment.classical` are made here, from the image as it is and after its hair was painted over.

Prints a markdown table: Dice, Jaccard, and Jaccard counted as zero below 0.65, means over images with 95 % intervals
that draw whole lesions; each way minus the model on the same images; and the median processor time from pixels to a
mask, all ways taking turns, the model on the first 100 images alone. 10 minutes on one core.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

import dermoscope
from dermoscope.batch.inputs import SEGMENTS_NAME
from dermoscope.batch.results import read_segments
from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.masks import MaskScores, mask_scores
from dermoscope.images import decode, read_mask
from dermoscope.images.hair import remove_hair
from dermoscope.segment.classical import classical_mask

MODEL = "default model"
CLASSICAL: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.bool_]]] = {
    "classical": classical_mask,
    "classical, hair painted over": lambda rgb: classical_mask(remove_hair(rgb).rgb),
}
MEASURES = ("dice", "jaccard", "thresholded_jaccard")
TIMED = 100
"""Images that the model draws once more for its time; the first of them warms it up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"), help="folder with by-lesion.csv and masks/")
    parser.add_argument("--limit", type=int, help="so many test images, drawn at random; all by default")
    arguments = parser.parse_args()
    records = [record for record in read_manifest(arguments.run / "by-lesion.csv") if record.split == "test"]
    if arguments.limit:
        records = random.Random(0).sample(records, min(arguments.limit, len(records)))
    drawn = predicted_masks(arguments.run / "masks")
    segmenter = dermoscope.load_segmenter(threads=1)
    scores: dict[str, list[MaskScores]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    for place, record in enumerate(track(records, "outlines")):
        assert record.mask_path is not None
        rgb, truth, path = decode(record.path).rgb, read_mask(record.mask_path), drawn[record.image_id]
        scores[MODEL].append(mask_scores(read_mask(path) if path else np.zeros_like(truth), truth))
        if place < TIMED:
            start = time.process_time()
            segmenter.segment(rgb)
            seconds[MODEL].append(time.process_time() - start)
        for name, find in CLASSICAL.items():
            start = time.process_time()
            found = find(rgb)
            seconds[name].append(time.process_time() - start)
            scores[name].append(mask_scores(found, truth))
    print(table(scores, seconds, [f"{record.source}/{record.group_id}" for record in records]))


def predicted_masks(folder: Path) -> dict[str, Path | None]:
    """Image id to mask file in the results of `dermoscope segment`; none where it found no lesion."""
    return {
        line.image_id: folder / "masks" / f"{line.image_id}.png" if line.box else None
        for line in read_segments(folder / SEGMENTS_NAME)
    }


def table(scores: dict[str, list[MaskScores]], seconds: dict[str, list[float]], lesions: Sequence[str]) -> str:
    """Markdown: means of every way, and its differences to the model."""
    values = {name: np.array([[getattr(one, m) for m in MEASURES] for one in of]) for name, of in scores.items()}
    lines = [
        f"{len(lesions):,} images of {len(set(lesions)):,} lesions; prompt: auto\n",
        "| outlines | Dice | Jaccard | Jaccard, 0 below 0.65 | processor seconds an image |\n|---|---|---|---|---|",
    ]
    for name, found in values.items():
        lines.append(f"| {name} | {' | '.join(means(found, lesions))} | {np.median(seconds[name][1:]):.3f} |")
    for name in CLASSICAL:
        lines.append(f"| {name}, minus {MODEL} | {' | '.join(means(values[name] - values[MODEL], lesions))} | |")
    return "\n".join(lines)


def means(values: NDArray[np.float64], lesions: Sequence[str]) -> list[str]:
    """Mean of each column with its interval."""

    def mean(column: NDArray[np.float64]) -> Estimate:
        return grouped_bootstrap(lambda rows: float(column[rows].mean()), lesions)

    return [str(mean(column)) for column in values.T]


if __name__ == "__main__":
    main()
