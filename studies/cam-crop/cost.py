"""What the second look costs: milliseconds an image of one look and of both, as exported.

    python studies/cam-crop/cost.py --run runs/cam-crop --training looks/map-0.2-0.1-42 --json cost.json

Both classifiers are exported from one training and take turns on the same decoded test images, on one thread, warm.
Decoding is not counted; cleaning, cutting from the full-resolution image, scaling and the maps are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from dermoscope.data.manifest import read_manifest
from dermoscope.images import decode
from dermoscope.lesion_classifier import LesionClassifier
from dermoscope.training.cam_export import export_classifier
from dermoscope.training.two_looks_description import FIRST

WARM = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/cam-crop"))
    parser.add_argument("--training", type=Path, required=True, help="folder of a training, in the run folder")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    images = [record.path for record in read_manifest(arguments.run / "isic2017.csv") if record.split == "test"]
    training = arguments.run / arguments.training
    with tempfile.TemporaryDirectory() as name:
        sides = {}
        for side, run in (("first look", training / FIRST), ("both looks", training)):
            export_classifier(run, Path(name) / side.replace(" ", "-"))
            sides[side] = LesionClassifier(Path(name) / side.replace(" ", "-"), threads=1)
        taken: dict[str, list[float]] = {side: [] for side in sides}
        for number, path in enumerate(images[: arguments.count + WARM]):
            rgb = decode(path).rgb
            order = list(sides) if number % 2 else list(sides)[::-1]  # whoever comes second finds a warm cache
            for side in order:
                start = time.perf_counter()
                sides[side].look(rgb, None)
                if number >= WARM:
                    taken[side].append((time.perf_counter() - start) * 1e3)
    added = np.subtract(taken["both looks"], taken["first look"])
    found = {side: spread(np.asarray(ms)) for side, ms in {**taken, "added": added}.items()}
    for side, (median, low, high) in found.items():
        print(f"| {side} | {median:.1f} ms | {low:.1f} to {high:.1f} |")
    if arguments.json:
        arguments.json.write_text(f"{json.dumps({'images': arguments.count, **found}, indent=1)}\n")


def spread(ms: np.ndarray) -> list[float]:  # type: ignore[type-arg]
    """Median, 10th and 90th percentile."""
    return [round(float(np.quantile(ms, share)), 2) for share in (0.5, 0.1, 0.9)]


if __name__ == "__main__":
    main()
