"""What a split by image is worth: test images whose lesion was learnt, beside the others.

    python studies/girona/ablation.py --by-image --seeds 42 --crops three-crops --variants lesion-focus --weights ...
    python studies/girona/seen_lesions.py --run runs/girona

Prints the accuracy on nevi and on the rest of the test images, by whether training showed their lesion, with intervals
that draw whole lesions. Lesions with several images are other lesions than those with one, so the two rows compare two
kinds of lesions, too; the same network trained by lesion says how much of the difference that is.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.intervals import grouped_bootstrap

RUNS = {
    "by-image.csv": "by-image/binary/lesion-focus-three-crops-42",
    "by-lesion.csv": "ablation/binary/lesion-focus-three-crops-42",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"))
    arguments = parser.parse_args()
    print("| split | lesions with | nevi | others | all |")
    for manifest, folder in RUNS.items():
        records = {record.image_id: record for record in read_manifest(arguments.run / manifest)}
        of_lesion: dict[str, list[str]] = {}
        for record in records.values():
            of_lesion.setdefault(record.group_id, []).append(record.split)
        rows = []
        with (arguments.run / folder / "predictions.csv").open(newline="") as stream:
            for row in csv.DictReader(stream):
                if row["split"] == "test":
                    record = records[row["image_id"]]
                    nevus = record.diagnosis == "NV"
                    learnt = "train" in of_lesion[record.group_id]
                    kind = "an image in train" if learnt else kind_of(len(of_lesion[record.group_id]))
                    rows.append((kind, nevus, (float(row["p_malignant"]) < 0.5) == nevus, record.group_id))
        for kind in sorted({row[0] for row in rows}):
            own = [row for row in rows if row[0] == kind]
            parts = ([r for r in own if r[1]], [r for r in own if not r[1]], own)
            print(f"| {manifest.removesuffix('.csv')} | {kind} | {' | '.join(map(accuracy, parts))} |")


def kind_of(images: int) -> str:
    return "one image" if images == 1 else "several images, none in train"


def accuracy(rows: list[tuple[str, bool, bool, str]]) -> str:
    """Share of right answers, with its interval and the number of images."""
    if not rows:
        return "-"
    right = np.array([row[2] for row in rows], np.float64)
    found = grouped_bootstrap(lambda chosen: float(right[chosen].mean()), [row[3] for row in rows])
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}), {len(rows)}"


if __name__ == "__main__":
    main()
