"""What the numbers of a large evaluation cost: 100,000 predictions, 1,000 bootstrap rounds, time and peak memory.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --rows 10000 --resamples 200 --json out.json

Each of the classes gets area under the ROC curve and average precision, all together balanced accuracy, kappa, macro
and weighted F1, accuracy and every cell of the confusion matrix, all with intervals drawn by lesion, class by class.
Then two runs are compared: by paired bootstrap, DeLong and McNemar. Predictions are synthetic.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
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
from dermoscope.taxonomy import ISIC2019_CODES

# Of the ISIC 2019 training images, UNK as in its test set.
SHARES = np.array([4522, 12875, 3323, 867, 2624, 239, 253, 628, 2047])
IMAGES_A_LESION = 1.34
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="predictions")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap rounds")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    labels, groups, run_a, run_b = synthetic(arguments.rows)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - start
        print(f"{name:40s} {seconds[name]:7.1f} s", flush=True)
        return result

    bootstrap = Bootstrap(groups, labels, resamples=arguments.resamples)
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"peak memory of the process {peak:,.0f} MB; {arguments.rows:,} rows, {arguments.resamples:,} rounds")
    if arguments.json:
        result = {"rows": arguments.rows, "resamples": arguments.resamples, "seconds": seconds, "peak_mb": peak}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


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


def synthetic(rows: int) -> tuple[NDArray[np.intp], list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Labels, lesions, and the probabilities of two runs that are right on most images and agree on many."""
    random = np.random.default_rng(0)
    lesion = np.sort(random.integers(int(rows / IMAGES_A_LESION), size=rows))
    classes = len(ISIC2019_CODES)
    labels = random.choice(classes, size=rows, p=SHARES / SHARES.sum())[lesion].astype(np.intp)
    shared = random.normal(size=(rows, classes)) + 2.5 * np.eye(classes)[labels]
    runs = [shared + random.normal(scale=scale, size=(rows, classes)) for scale in (0.5, 0.55)]
    run_a, run_b = (np.exp(run) / np.exp(run).sum(axis=1, keepdims=True) for run in runs)
    return labels, [f"lesion {number}" for number in lesion], run_a, run_b


if __name__ == "__main__":
    main()
