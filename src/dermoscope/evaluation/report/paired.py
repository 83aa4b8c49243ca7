"""Paired numbers of runs on the same images, each run against the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.calibration import weighted_mean
from dermoscope.evaluation.comparison import delong, mcnemar
from dermoscope.evaluation.decision_table import balanced_accuracy_of, decision_table
from dermoscope.evaluation.intervals import Bootstrap, Difference, Estimate, Weights
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.evaluation.report.parts import Settings
from dermoscope.evaluation.report.saved import UNDECIDED
from dermoscope.evaluation.report.scores import METRIC_NAMES
from dermoscope.evaluation.runs import SavedRun, answered, common_questions

_MASKS = {
    "dice": "Dice, per image",
    "jaccard": "Jaccard, per image",
    "thresholded_jaccard": "Thresholded Jaccard, per image",
    "hausdorff95": "95 % Hausdorff in % of the diagonal, per image (lower is better)",
}
Statistic = Callable[[Weights], float]


@dataclass(frozen=True)
class Row:
    """One run on one number.

    Attributes:
        run: Its name.
        value: The number with its interval.
        difference: This run minus the first, paired bootstrap over groups; none for the first run itself.
        test: The same by DeLong or McNemar, where there is such a test.
        holm: The p-value of the bootstrap, corrected for the number of runs compared with the first.
    """

    run: str
    value: Estimate
    difference: Difference | None = None
    test: Difference | None = None
    holm: float | None = None


@dataclass(frozen=True)
class Compared:
    """One number of all runs.

    Attributes:
        key: Such as `malignancy.auc`.
        title: For a person.
        n: Images.
        groups: Independent groups.
        test: Name of the test beside the bootstrap; empty if there is none.
        rows: One a run.
    """

    key: str
    title: str
    n: int
    groups: int
    test: str
    rows: tuple[Row, ...]


def paired_numbers(runs: Sequence[SavedRun], settings: Settings) -> list[Compared]:
    """Every number that all runs have.

    Args:
        runs: On the same images in the same order, the first being the one that others are compared with.
        settings: How numbers are made.
    """
    found = []
    for key in common_questions(runs, "score"):
        settings.on_progress(f"Comparing {key}", 0, 1)
        found += _binary(runs, key, settings)
    for key in common_questions(runs, "decided"):
        settings.on_progress(f"Comparing {key}", 0, 1)
        found += _classes(runs, key, settings)
    for metric, title in _MASKS.items():
        if all(f"masks:{metric}" in run.columns for run in runs):
            settings.on_progress("Comparing masks", 0, 1)
            found += _mean(runs, metric, title, settings)
    return found


def _binary(runs: Sequence[SavedRun], key: str, settings: Settings) -> list[Compared]:
    rows = answered(runs, f"{key}:score")
    positive = runs[0].numbers(f"{key}:truth")[rows] == 1
    if positive.all() or not positive.any():
        return []
    scores = [run.numbers(f"{key}:score")[rows] for run in runs]
    ranked = [RankedScores(positive, score) for score in scores]
    tests = None
    if min(positive.sum(), (~positive).sum()) > 1:
        tests = [delong(positive, score, scores[0]) for score in scores]
    found = [
        _compared(
            runs,
            rows,
            positive.astype(np.intp),
            f"{key}.auc",
            f"{runs[0].title(key)}, {METRIC_NAMES['auc']}",
            [lambda weights, each=each: each.areas(weights).auc for each in ranked],  # type: ignore[misc]
            settings,
            "DeLong",
            tests,
        )
    ]
    for name, part in (("sensitivity", positive), ("specificity", ~positive)):
        right = [(run.numbers(f"{key}:called")[rows] == 1) == positive for run in runs]
        found.append(
            _compared(
                runs,
                rows[part],
                np.zeros(int(part.sum()), np.intp),
                f"{key}.{name}",
                f"{runs[0].title(key)}, {name} at each run's own threshold",
                [_share(each[part]) for each in right],
                settings,
                "McNemar",
                [mcnemar(each[part], right[0][part]) for each in right],
            )
        )
    return found


def _classes(runs: Sequence[SavedRun], key: str, settings: Settings) -> list[Compared]:
    rows = answered(runs, f"{key}:decided")
    truth = [runs[0].columns[f"{key}:truth"][row] for row in rows]
    names = sorted({*truth, *(run.columns[f"{key}:decided"][row] for run in runs for row in rows)} - {UNDECIDED})
    place = {name: number for number, name in enumerate(names)} | {UNDECIDED: -1}
    labels = np.array([place[name] for name in truth], np.intp)
    decided = [np.array([place[run.columns[f"{key}:decided"][row]] for row in rows], np.intp) for run in runs]
    right = [each == labels for each in decided]

    def balanced(predicted: NDArray[np.intp]) -> Statistic:
        return lambda weights: balanced_accuracy_of(decision_table(labels, predicted, len(names), weights))

    return [
        _compared(
            runs, rows, labels, f"{key}.balanced_accuracy", f"{runs[0].title(key)}, balanced accuracy",
            [balanced(each) for each in decided], settings,
        ),
        _compared(
            runs, rows, labels, f"{key}.accuracy", f"{runs[0].title(key)}, accuracy", [_share(each) for each in right],
            settings, "McNemar", [mcnemar(each, right[0]) for each in right],
        ),
    ]  # fmt: skip


def _mean(runs: Sequence[SavedRun], metric: str, title: str, settings: Settings) -> list[Compared]:
    rows = answered(runs, f"masks:{metric}")
    if not len(rows):
        return []
    strata = np.zeros(len(rows), np.intp)
    statistics = [_share(run.numbers(f"masks:{metric}")[rows]) for run in runs]
    return [_compared(runs, rows, strata, f"masks.{metric}", title, statistics, settings)]


def _share(values: NDArray[np.bool_] | NDArray[np.float64]) -> Statistic:
    exact = values.astype(np.float64)
    return lambda weights: weighted_mean(exact, weights)


def _compared(
    runs: Sequence[SavedRun],
    rows: NDArray[np.intp],
    strata: NDArray[np.intp],
    key: str,
    title: str,
    statistics: Sequence[Statistic],
    settings: Settings,
    test: str = "",
    tests: Sequence[Difference] | None = None,
) -> Compared:
    groups = [runs[0].groups[row] for row in rows]
    bootstrap = Bootstrap(groups, strata, resamples=settings.resamples, seed=settings.seed)
    values = bootstrap.estimates(lambda weights: np.array([statistic(weights) for statistic in statistics]))
    differences = [bootstrap.paired(statistic, statistics[0]) for statistic in statistics[1:]]
    corrected = holm([difference.p_value for difference in differences])
    found = [Row(runs[0].name, values[0])]
    for place, difference in enumerate(differences, 1):
        other = tests[place] if tests is not None else None
        found.append(Row(runs[place].name, values[place], difference, other, corrected[place - 1]))
    return Compared(key, title, len(rows), len(set(groups)), test, tuple(found))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction for several comparisons.

    Args:
        p_values: Of each comparison.

    References:
        Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected
