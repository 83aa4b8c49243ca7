"""Two runs of `evaluate.py` on the same images: the paired difference, and one as the other's fallback.

    python studies/skinsam/compare.py --a runs/skinsam/test-unet --b runs/skinsam/test-decoder
    python studies/skinsam/compare.py --a runs/skinsam/val-tuned --b runs/skinsam/val-boxes --unsure 0.5

Prints B minus A of the automatic masks by data set, and with `--unsure` what comes of asking B wherever A answers with
less confidence than that, "no lesion" included (its confidence is 0).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap

METRICS = ("dice", "jaccard", "thresholded_jaccard")
Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a", type=Path, required=True)
    parser.add_argument("--b", type=Path, required=True)
    parser.add_argument("--unsure", type=float)
    arguments = parser.parse_args()
    a, b = automatic(arguments.a), automatic(arguments.b)
    for source in sorted({row["source"] for row in a.values()}):
        pairs = [(row, b[image]) for image, row in a.items() if row["source"] == source and image in b]
        if not pairs:
            continue
        show(f"{source}, B minus A", pairs)
        if arguments.unsure is not None:
            asked = [(x, y if float(x["confidence"]) < arguments.unsure else x) for x, y in pairs]
            show(f"{source}, A with B as its fallback minus A", asked)


def automatic(folder: Path) -> dict[str, Row]:
    """The rows of automatic masks by image."""
    with (folder / "scores.csv").open(newline="") as stream:
        return {row["image_id"]: row for row in csv.DictReader(stream) if row["prompt"] == "auto"}


def show(what: str, pairs: list[tuple[Row, Row]]) -> None:
    """Means of the second rows, and their difference to the first with intervals that draw whole lesions."""
    groups = [first["lesion_id"] for first, _ in pairs]
    cells = []
    for metric in METRICS:
        before, after = (np.array([float(pair[side][metric]) for pair in pairs]) for side in (0, 1))
        estimate = mean_of(after - before, groups)
        cells.append(f"{after.mean():.4f}, {estimate.value:+.4f} ({estimate.low:+.4f} to {estimate.high:+.4f})")
    print(f"| {what} | {len(pairs)} | {' | '.join(cells)} |")


def mean_of(values: NDArray[np.float64], groups: list[str]) -> Estimate:
    """The mean with an interval that draws whole lesions."""
    return grouped_bootstrap(lambda rows: float(values[rows].mean()), groups)


if __name__ == "__main__":
    main()
