"""The loop from correction to better model, walked once: keep, correct, export, split, train, put into a bundle, score.

    python studies/service/loop.py --data $DERMOSCOPE_DATA --weights efficientnet_lite0.safetensors --out runs/loop

The clinic is the 256 px copies of ISIC 2018 that the shipped model never learnt from: 529 that are official test images
of ISIC 2017, and 120 of its validation images, on which earlier choices were made. Half of them (by lesion, where the
leak check finds several pictures of one) come to the clinic and are kept as cases with the analysis of the shipped
model. For those whose mask is worst, the truth of the data set plays the doctor and corrects mask and label. What the
case store exports of them trains the shipped mask network further. The other half is scored before and after, as a user
gets it (prompt: auto), with a paired interval. Nothing is chosen on it.

**These images are the test set of other studies: what is trained here must never be shipped.**
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shipped_unet import write_start

import dermoscope
from dermoscope.cases import CaseStore
from dermoscope.cli import main as command
from dermoscope.data.isic2018 import ISIC2018Task1, column_by_image
from dermoscope.data.leakage import Kind, check_leaks
from dermoscope.data.manifest import Record
from dermoscope.data.splits import groups_of
from dermoscope.evaluation.intervals import Bootstrap
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import decode, read_mask
from dermoscope.mask_model import MaskModel

UNSEEN = ("test", "val")
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ISIC2018_256 and splits")
    parser.add_argument("--weights", type=Path, required=True, help="of EfficientNet-Lite0, the mask network's encoder")
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--corrections", type=int, default=200, help="how many cases the doctor corrects")
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    clinic, held_out = halves(unseen(arguments.data), out)
    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal began
        now = time.perf_counter()
        seconds[name], began = round(now - began, 1), now
        print(f"{name}: {seconds[name]} s", flush=True)

    shutil.rmtree(out / "cases", ignore_errors=True)
    with CaseStore(out / "cases") as store:
        corrected, labels = keep_and_correct(store, clinic, arguments.corrections)
        lap("analysing, keeping and correcting")
        shutil.rmtree(out / "export", ignore_errors=True)
        count = store.export(out / "export", corrected=True)
    assert count == arguments.corrections, "every correction, and nothing else, goes out"
    manifest = out / "to-train.csv"
    split = ["--fractions", "0.85", "0.15", "0", "--manifest-out", str(manifest), "--out", str(out / "splits.csv")]
    run("data", "split", str(out / "export" / "manifest.csv"), *split)
    lap("exporting and splitting")
    shipped = dermoscope.load().bundle
    for name in ("start", "run", "bundle"):
        shutil.rmtree(out / name, ignore_errors=True)
    difference = write_start(shipped, clinic[:64], arguments.weights, out / "start")
    settings = ["model.size=224", f"epochs={arguments.epochs}", "copies=4", "optimiser.learning_rate=0.0003"]
    given = [word for setting in settings for word in ("--set", setting)]
    given += ["--weights", str(arguments.weights), "--start", str(out / "start"), "--manifest", str(manifest)]
    run("train", "unet", *given, "--out", str(out / "run"))
    run("export", str(out / "run"), "--bundle", str(shipped.folder), "--out", str(out / "bundle"))
    lap("training and putting into a bundle")
    before, after = (scores(held_out, bundle) for bundle in (shipped.folder, out / "bundle"))
    lap("scoring before and after")
    result = {
        "kept": len(clinic),
        "corrected": count,
        "mean Dice of the corrected masks before": round(float(np.mean(corrected)), 4),
        "labels that differ from the model's": labels,
        "largest difference of a logit after unfolding": difference,
        "held out": compared(held_out, before, after),
        "seconds": seconds,
    }
    (out / "loop.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def unseen(data: Path) -> list[Record]:
    """Images that the shipped model did not learn from, with masks and diagnoses."""
    splits = column_by_image(data / "splits" / "isic2018_task1_seg.csv", "image", "split")
    diagnoses = column_by_image(data / "ISIC2018_256" / "labels.csv", "image", "dx2019")
    records = ISIC2018Task1(data / "ISIC2018_256", diagnoses, splits).records()
    return [record for record in records if record.split in UNSEEN]


def halves(records: Sequence[Record], out: Path) -> tuple[list[Record], list[Record]]:
    """Two halves; pictures of one lesion stay together, and their group becomes the lesion id."""
    findings = check_leaks(records, cache=out / "prints.sqlite", jobs=1).findings
    same = [[m.image_id for m in f.members] for f in findings if f.kind in (Kind.SAME_FILE, Kind.NEAR_DUPLICATE)]
    groups = groups_of(records, [(first, other) for first, *others in same for other in others])
    order = np.random.default_rng(SEED).permutation(max(groups) + 1)
    joined = [r.model_copy(update={"lesion_id": f"lesion-{g}"}) for r, g in zip(records, groups, strict=True)]
    first = [r for r, g in zip(joined, groups, strict=True) if order[g] % 2 == 0]
    return first, [r for r, g in zip(joined, groups, strict=True) if order[g] % 2]


def keep_and_correct(store: CaseStore, records: Sequence[Record], count: int) -> tuple[list[float], int]:
    """Keep every image as the service does, then correct those whose mask is worst.

    Returns:
        Dice of the masks that were corrected, and how many of their labels differ from the model's guess.
    """
    analyzer = dermoscope.load()
    encoder = MaskModel(analyzer.bundle, engine=None, precision="auto", threads=0, streams=1)
    kept = []
    for record in records:
        rgb = decode(record.path).rgb
        outcome = analyzer.analyze(rgb)
        case = store.add(rgb, outcome.analysis, encoder.encode(rgb).feature[0], outcome.mask)
        kept.append((dice(outcome.mask, truth_of(record)), case, record))
    kept.sort(key=lambda one: one[0])
    worst = kept[:count]
    for _, case, record in worst:
        store.correct(case.id, mask=truth_of(record), label=record.diagnosis or None, note="corrected by the data set")
    labels = sum(
        bool(record.diagnosis) and record.diagnosis != case.analysis.top_diagnosis for _, case, record in worst
    )
    return [value for value, _, _ in worst], labels


def scores(records: Sequence[Record], folder: Path) -> NDArray[np.float64]:
    """Dice and Jaccard index of every image, as a user gets its mask, `[N, 2]`."""
    segmenter = dermoscope.load_segmenter(folder)
    found = []
    for record in records:
        truth = truth_of(record)
        mask = segmenter.segment(record.path).mask
        scored = mask_scores(np.zeros_like(truth) if mask is None else mask, truth)
        found.append((scored.dice, scored.jaccard))
    return np.array(found)


def compared(records: Sequence[Record], before: NDArray[np.float64], after: NDArray[np.float64]) -> dict[str, Any]:
    bootstrap = Bootstrap([record.lesion_id for record in records])
    result: dict[str, Any] = {"n": len(records), "lesions": bootstrap.groups}
    for column, name in enumerate(("Dice", "Jaccard")):
        for when, values in (("before", before), ("after", after), ("after minus before", after - before)):
            mean = bootstrap.estimate(lambda weights, v=values[:, column]: float(np.average(v, weights=weights)))
            result[f"{name}, {when}"] = [round(value, 4) for value in (mean.value, mean.low, mean.high)]
    for when, values in (("before", before), ("after", after)):
        result[f"share with Dice below 0.5, {when}"] = round(float((values[:, 0] < 0.5).mean()), 4)
    return result


def truth_of(record: Record) -> NDArray[np.bool_]:
    assert record.mask_path is not None
    return read_mask(record.mask_path)


def dice(mask: NDArray[np.bool_] | None, truth: NDArray[np.bool_]) -> float:
    return 0.0 if mask is None else mask_scores(mask, truth).dice


def run(*words: str) -> None:
    print("dermoscope", *words, flush=True)
    assert command(words) == 0, "the command above failed"


if __name__ == "__main__":
    main()
