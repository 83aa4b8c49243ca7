"""The part about one thing against the rest: ranking, operating points, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.calibration import (
    BinnedPromises,
    brier_decomposition,
    fit_temperature,
    log_probabilities,
    reliability,
    with_temperature,
)
from dermoscope.evaluation.intervals import Bootstrap, Estimate
from dermoscope.evaluation.operating_points import OperatingPoint, at_sensitivity, at_threshold
from dermoscope.evaluation.report.document import Cell, Figure, Section, Table, Tile
from dermoscope.evaluation.report.parts import Part, Settings, left_out_note
from dermoscope.evaluation.report.scores import BINARY_METRICS, METRIC_NAMES, RATES, binary_scores, rates_at
from dermoscope.evaluation.tasks import BinaryTask

_POINT_COLUMNS = ("Operating point", "Threshold", "Sensitivity", "Specificity", "PPV", "NPV", "Flagged")


def binary_part(
    task: BinaryTask, where: str, settings: Settings, validation: BinaryTask | None = None, *, brief: bool = False
) -> Part:
    """Score one binary question.

    Args:
        task: The question.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.
        validation: The same question on validation images, for thresholds and temperature.
        brief: Leave out calibration and operating points.
    """
    found = binary_scores(
        task, resamples=settings.resamples, seed=settings.seed, tick=settings.tick(f"{task.title}: intervals")
    )
    n, positives = len(task.positive), int(task.positive.sum())
    on = f"{where}, n = {n:,} in {len(set(task.groups)):,} groups, {positives:,} positive"
    tables = [_metric_table(task, found, on)]
    numbers: dict[str, object] = {
        "title": task.title,
        "meaning": task.meaning,
        "n": n,
        "positives": positives,
        "threshold": task.threshold,
        "threshold_source": task.threshold_source,
        "left_out": task.left_out,
        "metrics": found,
    }
    if positives and task.key != "gate":
        points, optimistic = _points(task, settings, validation)
        tables.append(_point_table(task, points, on, optimistic))
        numbers["operating_points"] = [{"name": name, "point": point, "rates": rates} for name, point, rates in points]
        numbers["thresholds_chosen_on"] = "these images" if optimistic else "validation images"
    if positives and not brief:
        numbers["calibration"], table = _calibration(task, settings, validation, on)
        tables.append(table)
    lead = f"{task.meaning} {_decision(task)}"
    return Part(
        key=task.key,
        section=Section(
            task.key,
            task.title,
            lead,
            tuple(tables),
            () if _one_sided(task) else _figures(task, settings, brief),
            left_out_note(task.left_out),
        ),
        numbers=numbers,
        tiles=_tiles(task, found, n, positives),
    )


def _decision(task: BinaryTask) -> str:
    if task.threshold is None:
        return f"What counts as called positive: {task.threshold_source}."
    return f"Called positive at {task.threshold:.4g} or above ({task.threshold_source})."


def _metric_table(task: BinaryTask, found: Mapping[str, Estimate], on: str) -> Table:
    rows = tuple((METRIC_NAMES[name], found[name]) for name in BINARY_METRICS)
    note = (
        "With 95 % intervals: bootstrap over groups (patient, else lesion) at a fixed share of positives. Predictive "
        "values hold for the prevalence among these images only; the AUC above 80 % sensitivity is the raw area. "
        "↓: lower is better."
    )
    return Table(
        f"{task.key}-metrics", f"{task.title}: {on}", ("Metric", "Value"), rows, note, figure=f"{task.key}-roc"
    )


def _points(
    task: BinaryTask, settings: Settings, validation: BinaryTask | None
) -> tuple[list[tuple[str, OperatingPoint, Mapping[str, Estimate]]], bool]:
    chosen_on = validation if validation is not None and validation.positive.any() else task
    named = [] if task.threshold is None else [("as given", task.threshold)]
    for target in settings.sensitivities:
        threshold = at_sensitivity(chosen_on.positive, chosen_on.score, target).threshold
        named.append((f"target {100 * target:.0f} % sensitivity", threshold))
    found = rates_at(
        task, [task.score >= threshold for _, threshold in named], resamples=settings.resamples, seed=settings.seed
    )
    points = [
        (name, at_threshold(task.positive, task.score, threshold), rates)
        for (name, threshold), rates in zip(named, found, strict=True)
    ]
    return points, chosen_on is task


def _point_table(
    task: BinaryTask,
    points: Sequence[tuple[str, OperatingPoint, Mapping[str, Estimate]]],
    on: str,
    optimistic: bool,
) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, point.threshold, *(rates[rate] for rate in RATES), f"{point.flagged:,} of {point.n:,}")
        for name, point, rates in points
    ]
    note = (
        "Target thresholds were read off these very images, which flatters them: choose them on validation images "
        "with --validation."
        if optimistic
        else "Target thresholds were chosen on validation images and are scored here on others."
    )
    return Table(
        f"{task.key}-points",
        f"{task.title}, operating points: {on}",
        _POINT_COLUMNS,
        tuple(rows),
        note,
        {"Threshold": 4},
    )


def _calibration(
    task: BinaryTask, settings: Settings, validation: BinaryTask | None, on: str
) -> tuple[dict[str, object], Table]:
    versions: list[tuple[str, NDArray[np.float64]]] = [("as predicted", task.score)]
    temperature = None
    if validation is not None and 0 < validation.positive.sum() < len(validation.positive):
        temperature = fit_temperature(_logits(validation.score), validation.positive.astype(np.intp))
        scaled = with_temperature(_logits(task.score), temperature)[:, 1]
        versions.append((f"temperature {temperature:.3f}, fitted on validation images", scaled))
    rows: list[tuple[Cell, ...]] = []
    found = _calibration_errors(task, [score for _, score in versions], settings)
    for (name, score), errors in zip(versions, found, strict=True):
        parts = brier_decomposition(task.positive, score)
        rows.append((name, *errors, parts.reliability, parts.resolution))
    numbers: dict[str, object] = {
        "temperature": temperature,
        "versions": {str(row[0]): {"ece": row[1], "ece_equal_mass": row[2], "brier": row[3]} for row in rows},
        "brier_decomposition": brier_decomposition(task.positive, task.score),
        "bins": reliability(task.positive, task.score),
    }
    columns = ("Probabilities", "ECE, equal width", "ECE, equal mass", "Brier score", "Reliability", "Resolution")
    note = "ECE: expected calibration error, 15 bins. The last two are Murphy's parts of the Brier score; lower "
    note += "reliability and higher resolution are better. Resampling adds noise, which raises the ECE: its interval "
    note += "lies a little too high and may not hold the value."
    table = Table(f"{task.key}-calibration", f"{task.title}, calibration: {on}", columns, tuple(rows), note)
    return numbers, table


def _calibration_errors(
    task: BinaryTask, scores: Sequence[NDArray[np.float64]], settings: Settings
) -> list[tuple[Estimate, ...]]:
    """Of each version of the scores: both calibration errors and the Brier score."""
    bootstrap = Bootstrap(task.groups, task.positive, resamples=settings.resamples, seed=settings.seed)
    blocks: list[list[NDArray[np.float64]]] = [[np.ones(len(task.positive))]]
    for score in scores:
        blocks += [BinnedPromises(task.positive, score).gaps]
        blocks += [BinnedPromises(task.positive, score, binning="equal-mass").gaps]
        blocks += [[np.square(score - task.positive)]]
    ends = np.cumsum([len(block) for block in blocks])

    def statistics(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        _, *found = np.split(sums, ends[:-1])
        # Squares have no sign to lose.
        return np.array([float(np.abs(part).sum() / sums[0]) for part in found])

    settings.on_progress(f"{task.title}: calibration", 0, 1)
    found = bootstrap.estimates_of_sums([column for block in blocks for column in block], statistics)
    return [found[3 * place : 3 * place + 3] for place in range(len(scores))]


def _logits(score: NDArray[np.float64]) -> NDArray[np.float64]:
    return log_probabilities(np.stack([1 - score, score], axis=1))


def _one_sided(task: BinaryTask) -> bool:
    return bool(task.positive.all() or not task.positive.any())


def _figures(task: BinaryTask, settings: Settings, brief: bool) -> tuple[Figure, ...]:
    point = None if task.threshold is None else at_threshold(task.positive, task.score, task.threshold)

    def roc(path: Path) -> None:
        from dermoscope.evaluation.figures import roc_curve

        settings.on_progress(f"{task.title}: figures", 0, 3)
        roc_curve(
            task.positive, task.score, path, groups=task.groups, point=point, resamples=settings.resamples,
            seed=settings.seed,
        )  # fmt: skip

    def precision(path: Path) -> None:
        from dermoscope.evaluation.figures import precision_recall

        settings.on_progress(f"{task.title}: figures", 1, 3)
        precision_recall(
            task.positive, task.score, path, groups=task.groups, resamples=settings.resamples, seed=settings.seed
        )

    def trust(path: Path) -> None:
        from dermoscope.evaluation.figures import reliability_diagram

        settings.on_progress(f"{task.title}: figures", 2, 3)
        reliability_diagram(task.positive, task.score, path)

    curve = Figure(f"{task.key}-roc", f"{task.title}: sensitivity against 1 − specificity.", roc)
    if brief:
        return (curve,)
    recall = Figure(f"{task.key}-precision-recall", f"{task.title}: precision against sensitivity.", precision)
    return (
        curve,
        recall,
        Figure(f"{task.key}-reliability", f"{task.title}: what was observed against predicted.", trust),
    )


def _tiles(task: BinaryTask, found: Mapping[str, Estimate], n: int, positives: int) -> tuple[Tile, ...]:
    detail = f"{positives:,} of {n:,} images positive"
    if task.key == "gate":
        return (Tile("Skin gate, balanced accuracy", found["balanced_accuracy"], detail),)
    tiles = [Tile(f"{task.title}, AUC", found["auc"], detail)]
    if task.key == "malignancy" and task.threshold is not None:
        at = f"at {task.threshold:.3g} or above"
        tiles += [
            Tile("Sensitivity", found["sensitivity"], f"{task.title}, {at}"),
            Tile("Specificity", found["specificity"], f"{task.title}, {at}"),
        ]
    return tuple(tiles)
