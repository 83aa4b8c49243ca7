"""How many clicks a mask takes until it is good: Dice and Jaccard after each click on the largest mistake.

    python studies/skinsam/clicks.py --manifest runs/skinsam/manifest.csv --bundle bundle --out runs/skinsam/clicks

A made-up person looks at the mask, clicks where the largest connected mistake is deepest, and looks again
(`segment.simulated.next_click`), up to ten times. Once from the automatic mask on, once from nothing, with the first
click inside the lesion. An image that never gets to a Jaccard index of 0.90 counts as ten clicks ("NoC@90", as in the
literature on interactive segmentation) and stands beside it as a share. Writes `clicks.csv` and `clicks.json`.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from evaluate import HEALTHY, thinned
from numpy.typing import NDArray

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.intervals import grouped_bootstrap
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, read_mask
from dermoscope.segment.simulated import next_click
from dermoscope.segmenter import Segmenter, load_segmenter

MOST_CLICKS = 10
GOOD = 0.90
STARTS = ("automatic mask", "nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, help="by default the one that ships")
    parser.add_argument("--split", default="test")
    parser.add_argument("--most", type=int, default=150, help="at most this many images of a source")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    records = [
        r
        for r in read_manifest(arguments.manifest)
        if r.split == arguments.split and r.mask_path and r.source != HEALTHY
    ]
    segmenter = load_segmenter(arguments.bundle)
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = []
    with (arguments.out / "clicks.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_id", "source", "start", *(f"jaccard after {n}" for n in range(MOST_CLICKS + 1))])
        for source in sorted({record.source for record in records}):
            chosen = thinned(records, source, arguments.most)
            for start in STARTS:
                curves = []
                for record in chosen:
                    curves.append(clicked(segmenter, record, start))
                    cells = [f"{value:.4f}" for value in curves[-1]]
                    writer.writerow([record.image_id, record.source, start, *cells])
                table.append(summary(np.array(curves), chosen, source, start))
    (arguments.out / "clicks.json").write_text(json.dumps(table, indent=1) + "\n")


def clicked(segmenter: Segmenter, record: Record, start: str) -> list[float]:
    """The Jaccard index after 0 to `MOST_CLICKS` clicks; a perfect mask stays as it is."""
    assert record.mask_path is not None
    rgb, truth = decode(record.path).rgb, read_mask(record.mask_path)
    image = segmenter.open(rgb)
    mask = image.segment().mask if start == "automatic mask" else None
    curve = []
    for _ in range(MOST_CLICKS + 1):
        mask = np.zeros_like(truth) if mask is None else mask
        curve.append(mask_scores(mask, truth).jaccard)
        click = next_click(mask, truth)
        if len(curve) > MOST_CLICKS or click is None:
            break
        where, label = click
        mask = image.refine([where], [label]).mask
    return curve + [curve[-1]] * (MOST_CLICKS + 1 - len(curve))


def summary(curves: NDArray[np.float64], records: list[Record], source: str, start: str) -> dict[str, object]:
    """Means over images with intervals that draw whole lesions."""
    groups = [record.group_id for record in records]
    good = curves >= GOOD
    # From nothing, the first click makes the first mask, so no click is never enough.
    needed = np.where(good.any(axis=1), good.argmax(axis=1), MOST_CLICKS).astype(float)
    number = grouped_bootstrap(lambda rows: float(needed[rows].mean()), groups)
    never = grouped_bootstrap(lambda rows: float((~good[rows].any(axis=1)).mean()), groups)
    after = [round(float(value), 4) for value in curves.mean(axis=0)]
    shown = " | ".join(f"{after[n]:.3f}" for n in (0, 1, 2, 3, 5, 10))
    print(f"| {source} | {start} | {len(records)} | {number} | {never} | {shown} |", flush=True)
    return {
        "source": source,
        "start": start,
        "clicks to a Jaccard index of 0.90": asdict(number),
        "share that never gets there": asdict(never),
        "mean Jaccard index after 0 to 10 clicks": after,
    }


if __name__ == "__main__":
    main()
