"""What a large evaluation costs: 100,000 predictions, 1,000 bootstrap rounds, time and peak memory.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --rows 10000 --resamples 200 --json out.json
    python benchmarks/evaluation.py --only report --keep folder

The report is all that `dermoscope evaluate` writes, run in a process of its own on files: a manifest with age, sex,
site, skin tone and three sources, and a results table as `dermoscope analyze` writes it, with diagnosis, lesion group,
malignancy, melanoma, the gate's answer and answers withheld, and a fifth as many rows for validation. So it has every
section but that of the masks, which would measure the reading of mask files.

The numbers alone: each of the classes gets area under the ROC curve and average precision, all together balanced
accuracy, kappa, macro and weighted F1, accuracy and every cell of the confusion matrix, all with intervals drawn by
lesion, class by class. Then two runs are compared: by paired bootstrap, DeLong and McNemar. Predictions are synthetic.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.comparison import delong, mcnemar
from dermoscope.evaluation.decision_table import (
    accuracy_of,
    balanced_accuracy_of,
    cohen_kappa_of,
    decision_table,
    f1_of,
)
from dermoscope.evaluation.intervals import Bootstrap, Weights
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.taxonomy import GROUP_COLUMNS, GROUP_OF, ISIC2019_CODES, NOT_SKIN, malignancy_definition

# Of the ISIC 2019 training images, UNK as in its test set.
SHARES = np.array([4522, 12875, 3323, 867, 2624, 239, 253, 628, 2047])
IMAGES_A_LESION = 1.34
VALIDATION_SHARE = 5
THRESHOLD = 0.3
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="predictions")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap rounds")
    parser.add_argument("--only", choices=("report", "numbers"), help="one of the two parts")
    parser.add_argument("--keep", type=Path, help="an empty folder in which to leave the report and its inputs")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, object] = {"rows": arguments.rows, "resamples": arguments.resamples}
    if arguments.only != "numbers":
        with tempfile.TemporaryDirectory() as temporary:
            result["report"] = report(arguments.keep or Path(temporary), arguments.rows, arguments.resamples)
    if arguments.only != "report":
        result["numbers"] = numbers_alone(arguments.rows, arguments.resamples)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def report(folder: Path, rows: int, resamples: int) -> dict[str, float]:
    """The real command on real files, in a process of its own."""
    manifest, results, validation = write_files(folder, rows)
    command = [sys.executable, "-m", "dermoscope", "evaluate", str(results), "--manifest", str(manifest)]
    command += ["--validation", str(validation), "--out", str(folder / "evaluation"), "--quiet"]
    start = time.perf_counter()
    subprocess.run([*command, "--resamples", str(resamples)], check=True)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {"seconds": seconds, "processor_seconds": used.ru_utime + used.ru_stime, "peak_mb": megabytes(used)}
    print(
        f"the whole report {seconds:27.1f} s, {found['processor_seconds']:.1f} s of them on a processor; peak memory "
        f"{found['peak_mb']:,.0f} MB; {rows:,} rows, {resamples:,} rounds",
        flush=True,
    )
    return found


def write_files(folder: Path, rows: int) -> tuple[Path, Path, Path]:
    """A manifest, results for its test split and results for its validation split."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    header = "image_id path diagnosis source lesion_id split age sex site skin_tone".split()  # noqa: SIM905
    with manifest.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for seed, (split, count) in enumerate((("test", rows), ("val", rows // VALIDATION_SHARE))):
            labels, lesions, probabilities, _ = synthetic(count, seed)
            random = np.random.default_rng(seed)
            skin = random.random(count) > 0.02
            codes = [ISIC2019_CODES[k] if is_skin else NOT_SKIN for k, is_skin in zip(labels, skin, strict=True)]
            people = {name: random.integers(1000) for name in dict.fromkeys(lesions)}
            ids = [f"ISIC_{1_000_000 * (seed + 1) + number:07d}" for number in range(count)]
            for image_id, code, lesion in zip(ids, codes, lesions, strict=True):
                person = people[lesion]
                sex, tone = ("male", "female", "")[person % 7 % 3], ("light", "tan", "brown", "")[person % 11 % 4]
                about = (
                    code,
                    "ABC"[person % 3],
                    f"{split} {lesion}",
                    split,
                    person % 18 * 5,
                    sex,
                    f"site {person % 9}",
                )
                writer.writerow([image_id, f"images/{image_id}.jpg", *about, tone])
            write_results(folder / split / "results.csv", ids, skin, probabilities, random)
    return manifest, folder / "test", folder / "val"


def write_results(
    path: Path,
    ids: list[str],
    skin: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
    random: np.random.Generator,
) -> None:
    """As `dermoscope analyze` writes them, with the columns that are read."""
    path.parent.mkdir(exist_ok=True)
    groups = [[k for k, code in enumerate(ISIC2019_CODES) if GROUP_OF.get(code) == group] for group in GROUP_COLUMNS]
    malignant = [k for k, code in enumerate(ISIC2019_CODES) if code in malignancy_definition("graz").malignant]
    known = probabilities[:, :-1].sum(axis=1)
    p_skin = 1 / (1 + np.exp(-random.normal(loc=np.where(skin, 3, -3), scale=1.5)))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["image_id", "path", "status", "is_skin", "p_skin", *(f"p_{name}" for name in GROUP_COLUMNS.values())]
            + [f"p_{code}" for code in ISIC2019_CODES]
            + ["p_malignant", "malignancy_definition", "malignancy_threshold", "p_melanoma", "abstained", "bundle"]
        )
        for number, image_id in enumerate(ids):
            row = probabilities[number]
            writer.writerow(
                [image_id, "", "done", p_skin[number] >= 0.5, repr(float(p_skin[number]))]
                + [repr(float(row[group].sum() / known[number])) for group in groups]
                + [repr(float(each)) for each in row]
                + [repr(float(row[malignant].sum())), "graz", THRESHOLD, repr(float(row[0]))]
                + [bool(p_skin[number] < 0.5 or row.max() < 0.4), "0123456789abcdef"]
            )


def numbers_alone(rows: int, resamples: int) -> dict[str, float]:
    """The metrics with their intervals, in this process, and two runs compared."""
    labels, groups, run_a, run_b = synthetic(rows, 0)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - start
        print(f"{name:40s} {seconds[name]:7.1f} s", flush=True)
        return result

    bootstrap = Bootstrap(groups, labels, resamples=resamples)
    estimates = timed("all numbers with intervals", lambda: bootstrap.estimates(numbers(labels, run_a)))
    print(f"    {len(estimates)} numbers; AUC of {ISIC2019_CODES[0]}: {estimates[0]}")
    melanoma = labels == 0
    a, b = (RankedScores(melanoma, run[:, 0]) for run in (run_a, run_b))
    paired = timed(
        "paired difference of one AUC", lambda: bootstrap.paired(lambda w: a.areas(w).auc, lambda w: b.areas(w).auc)
    )
    print(f"    {paired}")
    print(f"    {timed('DeLong', lambda: delong(melanoma, run_a[:, 0], run_b[:, 0]))}")
    right_a, right_b = (decided_class(run) == labels for run in (run_a, run_b))
    print(f"    {timed('McNemar', lambda: mcnemar(right_a, right_b))}")
    peak = megabytes(resource.getrusage(resource.RUSAGE_SELF))
    print(f"peak memory of the process {peak:,.0f} MB; {rows:,} rows, {resamples:,} rounds")
    return seconds | {"peak_mb": peak}


def numbers(labels: NDArray[np.intp], probabilities: NDArray[np.float64]) -> Callable[[Weights], NDArray[np.float64]]:
    """Everything from one weighting: what was sorted and decided is not done again."""
    classes = probabilities.shape[1]
    ranked = [RankedScores(labels == k, probabilities[:, k]) for k in range(classes)]
    decided = decided_class(probabilities)

    def of(weights: Weights) -> NDArray[np.float64]:
        areas = [scores.areas(weights) for scores in ranked]
        table = decision_table(labels, decided, classes, weights)
        totals = (accuracy_of(table), balanced_accuracy_of(table), cohen_kappa_of(table), f1_of(table))
        return np.concatenate(
            [
                [area.auc for area in areas],
                [area.average_precision for area in areas],
                totals,
                [f1_of(table, "weighted")],
                table.ravel(),
            ]
        )

    return of


def synthetic(rows: int, seed: int) -> tuple[NDArray[np.intp], list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Labels, lesions, and the probabilities of two runs that are right on most images and agree on many."""
    random = np.random.default_rng(seed)
    lesion = np.sort(random.integers(int(rows / IMAGES_A_LESION), size=rows))
    classes = len(ISIC2019_CODES)
    labels = random.choice(classes, size=rows, p=SHARES / SHARES.sum())[lesion].astype(np.intp)
    shared = random.normal(size=(rows, classes)) + 2.5 * np.eye(classes)[labels]
    runs = [shared + random.normal(scale=scale, size=(rows, classes)) for scale in (0.5, 0.55)]
    run_a, run_b = (np.exp(run) / np.exp(run).sum(axis=1, keepdims=True) for run in runs)
    return labels, [f"lesion {number}" for number in lesion], run_a, run_b


def megabytes(used: resource.struct_rusage) -> float:
    """Peak memory; the kernel counts it in bytes on macOS and in KiB elsewhere."""
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
