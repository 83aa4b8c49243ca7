"""The part about several classes: decisions, each class against the rest, calibration, abstention, prediction sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation import conformal
from dermoscope.evaluation.abstention import RankedAnswers
from dermoscope.evaluation.calibration import (
    BinnedPromises,
    fit_temperature,
    log_probabilities,
    multiclass_squares,
    top_label,
    with_temperature,
)
from dermoscope.evaluation.intervals import Bootstrap, Weights
from dermoscope.evaluation.report.document import Cell, Figure, Section, Table, Tile
from dermoscope.evaluation.report.parts import Part, Settings, left_out_note
from dermoscope.evaluation.report.scores import METRIC_NAMES, PER_CLASS, ClassScores, class_scores
from dermoscope.evaluation.tasks import ClassTask

_COVERAGES = np.array([0.5, 0.8, 0.9, 1.0])

_SETS: Mapping[str, tuple[Literal["lac", "aps"], bool]] = {
    "LAC, on average": ("lac", False),
    "LAC, for each class": ("lac", True),
    "APS, on average": ("aps", False),
}
"""Name of the prediction sets to their method, and whether they keep their promise for each class."""


def class_part(task: ClassTask, where: str, settings: Settings, validation: ClassTask | None = None) -> Part:
    """Score one question with several classes.

    Args:
        task: The question.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.
        validation: The same question on validation images, for temperature and prediction sets.
    """
    found = class_scores(
        task, resamples=settings.resamples, seed=settings.seed, tick=settings.tick(f"{task.title}: intervals")
    )
    on = f"{where}, n = {len(task.labels):,} in {len(set(task.groups)):,} groups"
    tables = [_overall(task, found, on), _report(task, found, on)]
    selective, table = _selective(task, settings, on)
    tables.append(table)
    numbers: dict[str, object] = {
        "title": task.title,
        "classes": task.classes,
        "n": len(task.labels),
        "left_out": task.left_out,
        "metrics": found.overall,
        "per_class": found.classes,
        "support": found.support,
        "confusion": found.table.astype(np.int64),
        "confusion_layout": "rows: true class; columns: decided class, the last one undecided",
        "coverage_risk": selective,
    }
    if validation is not None and task.sums_to_one and len(validation.labels):
        numbers["calibration"], table = _temperature(task, validation, settings, on)
        tables.append(table)
        numbers["prediction_sets"], table = _sets(task, validation, settings, on)
        tables.append(table)
    lead = (
        f"One of {len(task.classes)} classes, decided by the highest probability; a tie is undecided and counts as "
        "wrong, as in the official ISIC scorer."
    )
    section = Section(
        task.key, task.title, lead, tuple(tables), _figures(task, found, settings), left_out_note(task.left_out)
    )
    detail = f"{len(task.labels):,} images, {len(task.classes)} classes"
    tile = Tile(f"{task.title}, balanced accuracy", found.overall["balanced_accuracy"], detail)
    return Part(task.key, section, numbers, (tile,))


def _overall(task: ClassTask, found: ClassScores, on: str) -> Table:
    rows = tuple((METRIC_NAMES[name], value) for name, value in found.overall.items())
    note = (
        "With 95 % intervals: bootstrap over groups (patient, else lesion), stratified by class. Balanced accuracy is "
        "the mean recall over the classes that occur. ↓: lower is better."
    )
    beside = f"{task.key}-reliability"
    return Table(f"{task.key}-metrics", f"{task.title}: {on}", ("Metric", "Value"), rows, note, figure=beside)


def _report(task: ClassTask, found: ClassScores, on: str) -> Table:
    columns = ("Class", "Images", *(METRIC_NAMES[name].split(" (")[0] for name in PER_CLASS))
    rows: list[tuple[Cell, ...]] = [
        (name, found.support[name], *(found.classes[name][metric] for metric in PER_CLASS)) for name in task.classes
    ]
    note = "Each class against the rest, decided by the highest probability."
    caption = f"{task.title}, classification report: {on}"
    return Table(f"{task.key}-classes", caption, columns, tuple(rows), note, figure=f"{task.key}-confusion")


def _selective(task: ClassTask, settings: Settings, on: str) -> tuple[dict[str, object], Table]:
    ranked = RankedAnswers(*top_label(task.labels, task.probabilities))
    bootstrap = Bootstrap(task.groups, resamples=settings.resamples, seed=settings.seed)
    tick, done = settings.tick(f"{task.title}: coverage and risk"), -1

    def statistics(weights: Weights) -> NDArray[np.float64]:
        nonlocal done
        done += 1
        if done % 20 == 0:
            tick(done, settings.resamples)
        return ranked.summary(_COVERAGES, weights)

    area, excess, *risks = bootstrap.estimates(statistics)
    rows: list[tuple[Cell, ...]] = [
        (f"Wrong among the surest {100 * coverage:.0f} %", risk)
        for coverage, risk in zip(_COVERAGES, risks, strict=True)
    ]
    rows += [("Area under the curve (AURC)", area), ("Excess over the best possible", excess)]
    numbers: dict[str, object] = {
        "area": area,
        "excess_area": excess,
        "risk": {f"{coverage:g}": risk for coverage, risk in zip(_COVERAGES, risks, strict=True)},
    }
    note = "What it is worth to answer only where the model is sure; lower is better."
    caption, beside = f"{task.title}, coverage and risk: {on}", f"{task.key}-coverage-risk"
    return numbers, Table(f"{task.key}-coverage", caption, ("", "Value"), tuple(rows), note, figure=beside)


def _temperature(
    task: ClassTask, validation: ClassTask, settings: Settings, on: str
) -> tuple[dict[str, object], Table]:
    temperature = fit_temperature(log_probabilities(validation.probabilities), validation.labels)
    scaled = with_temperature(log_probabilities(task.probabilities), temperature)
    bootstrap = Bootstrap(task.groups, task.labels, resamples=settings.resamples, seed=settings.seed)
    names = ("as predicted", "with the temperature")
    columns, bins = [np.ones(len(task.labels))], []
    for probabilities in (task.probabilities, scaled):
        gaps = BinnedPromises(*top_label(task.labels, probabilities)).gaps
        columns += [multiclass_squares(task.labels, probabilities), *gaps]
        bins.append(len(gaps))

    def statistics(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        found = []
        for version in np.split(sums[1:], [1 + bins[0]]):
            found += [np.abs(version[1:]).sum() / sums[0], version[0] / sums[0]]
        return np.array(found)

    settings.on_progress(f"{task.title}: calibration", 0, 1)
    found = bootstrap.estimates_of_sums(columns, statistics)
    rows: list[tuple[Cell, ...]] = [(name, *found[2 * n : 2 * n + 2]) for n, name in enumerate(names)]
    numbers: dict[str, object] = {
        "temperature": temperature,
        "versions": {str(row[0]): {"ece": row[1], "brier": row[2]} for row in rows},
    }
    note = (
        f"Temperature {temperature:.3f}, fitted on {len(validation.labels):,} validation images. It moves no arg-max."
    )
    heads = ("Probabilities", "Expected calibration error", "Brier score (0 to 2)")
    return numbers, Table(f"{task.key}-calibration", f"{task.title}, calibration: {on}", heads, tuple(rows), note)


def _sets(task: ClassTask, validation: ClassTask, settings: Settings, on: str) -> tuple[list[dict[str, object]], Table]:
    one_each = np.sort(np.unique(np.asarray(validation.groups), return_index=True)[1])  # groups are not independent
    labels, probabilities = validation.labels[one_each], validation.probabilities[one_each]
    all_sets = []
    for method, by_class in _SETS.values():
        fitted = conformal.fit(labels, probabilities, settings.coverage, method=method, class_conditional=by_class)
        all_sets.append(fitted.sets(task.probabilities))
    covered = [sets[np.arange(len(task.labels)), task.labels] for sets in all_sets]
    bootstrap = Bootstrap(task.groups, task.labels, resamples=settings.resamples, seed=settings.seed)
    settings.on_progress(f"{task.title}: prediction sets", 0, 1)
    coverages = bootstrap.shares(covered, [np.ones(len(task.labels), np.bool_)] * len(covered))
    rows: list[tuple[Cell, ...]] = []
    numbers: list[dict[str, object]] = []
    for (name, (method, by_class)), sets, reached in zip(_SETS.items(), all_sets, coverages, strict=True):
        found = conformal.summarise_sets(task.labels, sets)
        worst = float(np.nanmin(found.class_coverage))
        rows.append((name, settings.coverage, reached, worst, found.mean_size, found.single, found.empty))
        numbers.append(
            {"method": method, "class_conditional": by_class, "promised": settings.coverage, "coverage": reached}
            | {"summary": found, "calibration_images": len(labels)}
        )
    columns = ("Sets", "Promised", "Reached", "Least covered class", "Mean size", "One class", "Empty")
    note = f"Conformal prediction sets, calibrated on {len(labels):,} validation images, one a lesion."
    return numbers, Table(f"{task.key}-sets", f"{task.title}, prediction sets: {on}", columns, tuple(rows), note)


def _figures(task: ClassTask, found: ClassScores, settings: Settings) -> tuple[Figure, ...]:
    right, confidence = top_label(task.labels, task.probabilities)

    def matrix(path: Path) -> None:
        from dermoscope.evaluation.figures import confusion_matrix

        settings.on_progress(f"{task.title}: figures", 0, 3)
        confusion_matrix(found.table, task.classes, path)

    def trust(path: Path) -> None:
        from dermoscope.evaluation.figures import reliability_diagram

        settings.on_progress(f"{task.title}: figures", 1, 3)
        reliability_diagram(right, confidence, path, event="of answers right")

    def risk(path: Path) -> None:
        from dermoscope.evaluation.figures import coverage_risk_curve

        settings.on_progress(f"{task.title}: figures", 2, 3)
        coverage_risk_curve(
            right, confidence, path, groups=task.groups, resamples=settings.resamples, seed=settings.seed
        )

    figures = [Figure(f"{task.key}-confusion", f"{task.title}: confusion matrix, counts and rates.", matrix, wide=True)]
    if task.sums_to_one:
        figures.append(Figure(f"{task.key}-reliability", f"{task.title}: reliability of the surest class.", trust))
    figures.append(Figure(f"{task.key}-coverage-risk", f"{task.title}: wrong answers against images answered.", risk))
    return tuple(figures)
