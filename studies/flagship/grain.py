"""How noise is best smoothed before an image is analysed: what was tried on validation images.

    python studies/flagship/grain.py --run runs/flagship --mode fast --json studies/flagship/grain.json

First how many of the validation images count as grainy as they are. Then 100 malignant and 100 benign ones with noise
of several kinds, smoothed in several ways at the level that `dermoscope.images.grain` finds: AUC of malignancy,
sensitivity at the operating point, share of benign images flagged, and Dice coefficient with the true outline. *As if
grainy* has no noise and is smoothed all the same, as at a level of 6: what a false alarm costs. No test image is
read.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from other_cameras import RGB, answers, jpeg, noisy
from sklearn.metrics import roc_auc_score

from dermoscope.analyzer import load_analyzer
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.images import decode, grain_level, without_grain
from dermoscope.training.tasks import DEFAULT_TASKS

EACH = 100
FALSE_ALARM = 6.0
Smooth = Callable[[RGB, float], RGB]


def coarse(rgb: RGB) -> RGB:
    """Noise of 8 grey levels that neighbours share, as where a camera has scaled the image up."""
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, rgb.shape), (0, 0), 1)
    return np.uint8(np.clip(rgb + 8 / grain.std() * grain, 0, 255))


KINDS: dict[str, Callable[[RGB], RGB]] = {
    "none": lambda rgb: rgb,
    "6 grey levels": lambda rgb: noisy(rgb, 6),
    "12": lambda rgb: noisy(rgb, 12),
    "20": lambda rgb: noisy(rgb, 20),
    "12, behind JPEG 60": lambda rgb: jpeg(noisy(rgb, 12), 60),
    "8, shared by neighbours": coarse,
    "as if grainy": lambda rgb: rgb,
}


def wiener(rgb: RGB, level: float) -> RGB:
    """Each place drawn towards the mean of 5 × 5 pixels, by the share of the variance there that is noise."""
    plain = rgb.astype(np.float32)
    mean = cv2.blur(plain, (5, 5))
    variance = cv2.blur(plain * plain, (5, 5)) - mean * mean
    kept = np.maximum(variance - level**2, 0) / np.maximum(variance, 1e-3)
    return np.uint8(np.clip(mean + kept * (plain - mean), 0, 255))


WAYS: dict[str, Smooth] = {
    "as it is": lambda rgb, _level: rgb,
    "Gaussian": lambda rgb, level: np.uint8(cv2.GaussianBlur(rgb, (0, 0), 0.8 + 0.06 * level)),
    "Wiener": wiener,
    "non-local means": lambda rgb, level: np.uint8(cv2.fastNlMeansDenoisingColored(rgb, None, level, level, 5, 15)),
    "bilateral": without_grain,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--mode", default="fast")
    parser.add_argument("--json", type=Path, help="a file to write the numbers to")
    arguments = parser.parse_args()
    records = [record for record in read_manifest(arguments.run / "manifest.csv") if record.split == "val"]
    found: dict[str, object] = {"grainy as they are": grainy(records)}
    print(found, flush=True)
    task = DEFAULT_TASKS["malignancy"]
    order = np.random.default_rng(1).permutation(len(records)).tolist()
    chosen = [records[row] for label in (1, 0) for row in [r for r in order if task.label(records[r]) == label][:EACH]]
    malignant = np.array([task.label(record) == 1 for record in chosen])
    analyzer = load_analyzer(mode=arguments.mode, streams=2)
    print("| noise | smoothed | AUC | sensitivity | flagged, of benign | Dice |\n|---|---|---|---|---|---|")
    for kind, change in KINDS.items():
        level = (lambda _rgb: FALSE_ALARM) if kind == "as if grainy" else grain_level
        for way, smooth in WAYS.items():
            with (
                patch("dermoscope.mask_model.grain_level", level),
                patch("dermoscope.mask_model.without_grain", where_needed(smooth)),
            ):
                said = answers(chosen, analyzer, change, f"{kind}, {way}")
            row = {
                "AUC": roc_auc_score(malignant, said.risk),
                "sensitivity": said.flagged[malignant].mean(),
                "flagged, of benign": said.flagged[~malignant].mean(),
                "Dice": said.dice.mean(),
            }
            print(f"| {kind} | {way} | {' | '.join(f'{value:.3f}' for value in row.values())} |", flush=True)
            found[f"{kind}: {way}"] = {what: round(float(value), 4) for what, value in row.items()}
    if arguments.json:
        arguments.json.write_text(f"{json.dumps(found, indent=1)}\n")


def where_needed(smooth: Smooth) -> Smooth:
    return lambda rgb, level: smooth(rgb, level) if level else rgb


def grainy(records: list[Record]) -> dict[str, float]:
    """Share of the images of each source that are smoothed as they are."""
    levels: dict[str, list[float]] = {source: [] for source in Counter(record.source for record in records)}
    for record in records:
        levels[record.source].append(grain_level(np.asarray(decode(record.path).rgb)))
    return {source: round(float((np.array(of) > 0).mean()), 4) for source, of in levels.items()}


if __name__ == "__main__":
    main()
