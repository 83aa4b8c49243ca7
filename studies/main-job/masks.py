"""Scores the automatic masks on ISIC 2018 training or validation images, and fits the mask confidence.

    python studies/main-job/masks.py --run runs/main-job --bundle bundle --split val
    python studies/main-job/masks.py --run runs/main-job --bundle bundle --split val --fit runs/main-job/confidence.json

The prompt source is `auto`: nobody draws a box. The gate is left aside here, so that every image gets its mask.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np

from dermoscope.bundle import Bundle
from dermoscope.data.manifest import read_manifest
from dermoscope.encoders.inputs import prepare
from dermoscope.engine import compile_graph
from dermoscope.evaluation.intervals import grouped_bootstrap
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, read_mask
from dermoscope.segment.automatic import segment_automatically
from dermoscope.segment.confidence import expected_overlap, fit_expected_overlap
from dermoscope.segment.postprocess import finish_mask
from dermoscope.segment.prompted_decoder import PromptedDecoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/main-job"))
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--split", choices=("train", "val"), default="val")
    parser.add_argument("--most", type=int, default=400, help="at most this many images")
    parser.add_argument("--fit", type=Path, help="write slope and intercept of the mask confidence here")
    arguments = parser.parse_args()
    bundle = Bundle.load(arguments.bundle) if arguments.bundle else Bundle.default()
    parts = bundle.description
    assert parts.mask_network is None, "fit the bundle that train.py wrote, before a run for masks goes into it"
    encoder, decoder = (compile_graph(bundle.graph_path(part)) for part in (parts.encoder, parts.decoder))
    records = [
        r
        for r in read_manifest(arguments.run / "manifest.csv")
        if r.source == "ISIC2018" and r.split == arguments.split and r.mask_path
    ]
    records = records[:: max(1, len(records) // arguments.most)]
    scores, selection_scores = [], []
    fates: Counter[str] = Counter()
    for record in records:
        assert record.mask_path is not None
        image, truth = decode(record.path), read_mask(record.mask_path)
        prepared = prepare(image.rgb, parts.encoder.input)
        embedding = encoder({"image": prepared.image, "pool_weights": prepared.pool_weights})["embedding"]
        prompted = PromptedDecoder(decoder, parts.encoder.input, embedding, prepared, image.rgb.shape[:2])
        found = segment_automatically(image.rgb, prompted, parts.decoder.rules)
        finished = None if found.logits is None else finish_mask(found.logits, image.width, image.height)
        scores.append(mask_scores(finished.mask if finished else np.zeros_like(truth), truth))
        selection_scores.append(found.score)
        fates.update(_kind(candidate.reason) or "second best" for candidate in found.candidates)
    for name in ("dice", "jaccard", "thresholded_jaccard", "pixel_accuracy"):
        values = np.array([getattr(score, name) for score in scores])
        estimate = grouped_bootstrap(lambda rows, v=values: float(v[rows].mean()), [r.image_id for r in records])
        print(f"| {name}, prompt: auto | {estimate} | {estimate.n} | ISIC2018 {arguments.split} |")
    for fate, count in fates.most_common():
        print(f"{count:6d} candidates: {fate}")
    if arguments.fit:
        dice = [score.dice for score in scores]
        slope, intercept = fit_expected_overlap(selection_scores, dice)
        expected = [expected_overlap(score, slope, intercept) for score in selection_scores]
        print(f"confidence: mean absolute error {np.mean(np.abs(np.array(expected) - dice)):.3f}")
        arguments.fit.write_text(json.dumps({"slope": slope, "intercept": intercept}) + "\n")


def _kind(reason: str) -> str:
    return re.sub(r"[\d.]+ ?%?", "…", reason)


if __name__ == "__main__":
    main()
