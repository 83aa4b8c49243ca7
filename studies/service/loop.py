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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

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

T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ISIC2018_256 and splits")
    parser.add_argument("--weights", type=Path, required=True, help="of EfficientNet-Lite0, the mask network's encoder")
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--kept", type=int, default=300, help="how many images come to the clinic, at most a half")
    parser.add_argument("--corrections", type=int, default=200, help="how many cases the doctor corrects")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--scored", type=int, help="how many of the held-out images at most; by default all")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    first, held_out = halves(unseen(arguments.data), out)
    clinic = first[: arguments.kept]
    shipped = dermoscope.load().bundle.folder
    steps = Steps(out / "steps.json")
    steps.once("kept", lambda: keep_and_correct(out / "cases", clinic, arguments.corrections))
    steps.once("exported", lambda: export_and_split(out))
    steps.once(
        "logit", lambda: fresh(out / "start", lambda to: write_start(shipped, clinic[:64], arguments.weights, to))
    )
    steps.once("trained", lambda: fresh(out / "run", lambda to: train(out, arguments.weights, arguments.epochs, to)))
    export = ("export", str(out / "run"), "--bundle", str(shipped), "--out")
    steps.once("bundle", lambda: fresh(out / "bundle", lambda to: run(*export, str(to))))
    scored = held_out[: arguments.scored]
    before = np.array(steps.once("before", lambda: scores(scored, shipped)))
    after = np.array(steps.once("after", lambda: scores(scored, out / "bundle")))
    result = {
        "kept": len(clinic),
        **steps.done["kept"]["result"],
        "exported": steps.done["exported"]["result"],
        "largest difference of a logit after unfolding": steps.done["logit"]["result"],
        "epochs": arguments.epochs,
        "held out": compared(scored, before, after),
        "seconds": {name: step["seconds"] for name, step in steps.done.items()},
    }
    (out / "loop.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


class Steps:
    """What is done already, with its result and seconds: an interrupted loop goes on where it stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def once(self, name: str, step: Callable[[], Any]) -> Any:
        """The result of a step, which is taken only if it is not done yet."""
        if name not in self.done:
            start = time.perf_counter()
            result = step()
            self.done[name] = {"result": result, "seconds": round(time.perf_counter() - start, 1)}
            self._path.write_text(json.dumps(self.done))
            print(f"{name}: {self.done[name]['seconds']} s", flush=True)
        return self.done[name]["result"]


def fresh(folder: Path, make: Callable[[Path], T]) -> T:
    """Make a folder anew; half of one may lie there."""
    shutil.rmtree(folder, ignore_errors=True)
    return make(folder)


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


def keep_and_correct(folder: Path, records: Sequence[Record], count: int) -> dict[str, float]:
    """Keep every image as the service does, then correct those whose mask is worst; says what was corrected."""
    shutil.rmtree(folder, ignore_errors=True)
    analyzer = dermoscope.load()
    encoder = MaskModel(analyzer.bundle, engine=None, precision="auto", threads=0, streams=1)
    kept = []
    with CaseStore(folder) as store:
        for record in records:
            rgb = decode(record.path).rgb
            outcome = analyzer.analyze(rgb)
            case = store.add(rgb, outcome.analysis, encoder.encode(rgb).feature[0], outcome.mask)
            kept.append((dice(outcome.mask, truth_of(record)), case, record))
        worst = sorted(kept, key=lambda one: one[0])[:count]
        for _, case, record in worst:
            store.correct(case.id, mask=truth_of(record), label=record.diagnosis or None, note="by the data set")
    wrong = sum(bool(record.diagnosis) and record.diagnosis != case.analysis.top_diagnosis for _, case, record in worst)
    return {
        "mean Dice of all before": float(np.mean([value for value, _, _ in kept])),
        "mean Dice of the corrected before": float(np.mean([value for value, _, _ in worst])),
        "labels other than the model's": wrong,
    }


def export_and_split(out: Path) -> int:
    shutil.rmtree(out / "export", ignore_errors=True)
    with CaseStore(out / "cases") as store:
        count = store.export(out / "export", corrected=True)
    parts = ("--fractions", "0.85", "0.15", "0", "--manifest-out", str(out / "to-train.csv"))
    run("data", "split", str(out / "export" / "manifest.csv"), "--out", str(out / "splits.csv"), *parts)
    return count


def train(out: Path, weights: Path, epochs: int, to: Path) -> None:
    # The moving average of the recipe is over more steps than there are here.
    settings = (f"epochs={epochs}", "model.size=224", "optimiser.learning_rate=0.0003", "optimiser.average=0.95")
    changes = [word for setting in settings for word in ("--set", setting)]
    given = ("--manifest", str(out / "to-train.csv"), "--weights", str(weights), "--start", str(out / "start"))
    run("train", "unet", *given, *changes, "--out", str(to))


def scores(records: Sequence[Record], folder: Path) -> list[tuple[float, float]]:
    """Dice and Jaccard index of every image, as a user gets its mask."""
    segmenter = dermoscope.load_segmenter(folder)
    found = []
    for record in records:
        truth = truth_of(record)
        mask = segmenter.segment(record.path).mask
        scored = mask_scores(np.zeros_like(truth) if mask is None else mask, truth)
        found.append((float(scored.dice), float(scored.jaccard)))
    return found


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
