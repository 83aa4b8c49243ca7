"""What the gate says of textures and photographs that it has never seen: one texture at a time is left out of training.

    python studies/main-job/textures.py --run runs/main-job

For several shares of refused dermoscopic validation images, prints how much of what is not skin passes, with the
statistics of all maps and with the 256-d feature. This chose what the gate reads and how much it may refuse; `test` is
not touched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from train import RECIPES

from dermoscope import taxonomy
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.heads.fit import FeatureSet, fit_probe, logits_of
from dermoscope.training.default_heads import gate_point
from dermoscope.training.features import FeatureTable
from dermoscope.training.tasks import Reads
from dermoscope.training.views import ORIGINAL

SHARES = (0.0, 0.001, 0.002, 0.003, 0.0035, 0.005)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/main-job"), help="manifest and features")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    records = [r for r in read_manifest(arguments.run / "manifest.csv") if r.split != "test"]
    features = FeatureTable.load(arguments.run / "features.npz")
    print("| reads | dermoscopic refused, at most | textures passed | photographs passed | healthy skin refused |")
    print("| --- | --- | --- | --- | --- |")
    for reads in ("statistics", "feature"):
        passed = [one_fold(records, held, features, reads) for held in track(left_out(records), description=reads)]
        for share in SHARES:
            counts = np.sum([fold[share] for fold in passed], axis=0)
            print(f"| {reads} | {share:.2%} | " + " | ".join(f"{hit / n:.2%}" for hit, n in counts) + " |", flush=True)


def left_out(records: list[Record]) -> list[list[Record]]:
    """Seven parts of what is not skin: one texture each, and some photographs, fifty neighbours together."""
    textures = sorted({r.site for r in records if r.source == "DTD"})
    photographs = [r for r in records if r.source == "photographs"]
    return [
        [r for r in records if r.source == "DTD" and r.site == texture]
        + [r for index, r in enumerate(photographs) if index // 50 % len(textures) == number]
        for number, texture in enumerate(textures)
    ]


def one_fold(
    records: list[Record], held: list[Record], features: FeatureTable, reads: Reads
) -> dict[float, NDArray[np.int64]]:
    """For each share, passed and all of textures and photographs, refused and all of healthy skin: `[3, 2]`."""
    out = {(r.source, r.image_id) for r in held}
    train = [
        r
        for r in records
        if (r.split == "train" or r.diagnosis == taxonomy.NOT_SKIN) and (r.source, r.image_id) not in out
    ]
    val = [r for r in records if r.split == "val" and r.diagnosis != taxonomy.NOT_SKIN]
    views, owners = features.all_views_of(train, reads)
    labels = np.array([int(r.diagnosis != taxonomy.NOT_SKIN) for r in train])[owners]
    skin = features.of(val, ORIGINAL, reads)
    # The epoch is not chosen on what is left out: the development set is a tenth of the training set itself.
    probe = fit_probe(FeatureSet(views, labels), FeatureSet(views[::10], labels[::10]), 2, RECIPES["gate"], 0)

    def p_skin(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        logits = logits_of(probe, rows).astype(np.float64)
        return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))

    p_val, p_held = p_skin(skin), p_skin(features.of(held, ORIGINAL, reads))
    dermoscopic = np.array([r.source in ("HAM10000", "ISIC2018") for r in val])
    texture = np.array([r.source == "DTD" for r in held])
    found = {}
    for share in SHARES:
        threshold = gate_point(p_val[dermoscopic], refused=share).threshold
        parts = (p_held[texture] >= threshold, p_held[~texture] >= threshold, p_val[~dermoscopic] < threshold)
        found[share] = np.array([(part.sum(), len(part)) for part in parts])
    return found


if __name__ == "__main__":
    main()
