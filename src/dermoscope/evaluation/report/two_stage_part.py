"""The part about both stages together: a gate says whether it is skin, and a second head answers only if it is.

Errors of the gate are carried on: skin that it refuses is lost to the second head, and what else it lets through gets
an answer that cannot be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.decision_table import (
    UNDECIDED,
    accuracy_of,
    balanced_accuracy_of,
    decision_cells,
    f1_of,
    table_of,
)
from dermoscope.evaluation.gate import GateThreshold
from dermoscope.evaluation.intervals import Bootstrap, Difference, Weights
from dermoscope.evaluation.report.document import Cell, Figure, Section, Table, Tile
from dermoscope.evaluation.report.parts import Part, Settings, left_out_note
from dermoscope.evaluation.report.scores import METRIC_NAMES, ClassScores, class_scores
from dermoscope.evaluation.tasks import OWN_DECISION, BinaryTask, ClassTask
from dermoscope.evaluation.truth import Matched

REFUSED = taxonomy.CODE_NAMES[taxonomy.NOT_SKIN]
"""The class that stands before those of the second head."""

_METRICS: Mapping[str, Callable[[NDArray[np.float64]], float]] = {
    "balanced_accuracy": balanced_accuracy_of,
    "accuracy": accuracy_of,
    "macro_f1": f1_of,
}
_PER_CLASS = ("recall", "precision", "f1")


@dataclass(frozen=True)
class _Question:
    """What the second head is asked, for the n images that are not skin or have an answer.

    Attributes:
        key: As in the second head's own section.
        title: For a person.
        classes: `not skin`, then those of the second head.
        labels: `[n]` true class.
        answers: `[n]` the second head's class, behind a gate that lets everything through; -1 where undecided.
        let_through: `[n]` whether the gate does.
        groups: `[n]` what belongs together.
        left_out: Diagnosis to the number of images of skin without an answer.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    labels: NDArray[np.intp]
    answers: NDArray[np.intp]
    let_through: NDArray[np.bool_]
    groups: tuple[str, ...]
    left_out: Mapping[str, int]

    def decided(self, let_through: NDArray[np.bool_]) -> NDArray[np.intp]:
        """What both stages say, `[n]`, with a gate that lets these images through."""
        return np.where(let_through, self.answers, 0)


def two_stage_part(
    matched: Matched,
    classes: Sequence[ClassTask],
    binary: Sequence[BinaryTask],
    where: str,
    settings: Settings,
    threshold: GateThreshold | None = None,
) -> Part | None:
    """Score gate and second head as one classifier.

    Args:
        matched: Predictions that say what the gate took for skin.
        classes: Questions with several classes.
        binary: Binary questions, the main one first; the others are not scored.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.
        threshold: That of the gate; none if it decided by itself.

    Returns:
        None if the predictions say nothing of a gate, no image shows anything but skin, or nothing else is asked.
    """
    is_skin = matched.predictions.is_skin
    skin = np.array([code != taxonomy.NOT_SKIN for code in matched.truth.diagnoses], np.bool_)
    if is_skin is None or skin.all():
        return None
    questions = list(_questions(matched, classes, binary, is_skin, skin))
    if not questions:
        return None
    refused, passed = int((skin & ~is_skin).sum()), int((~skin & is_skin).sum())
    lead = (
        f"The gate refused {refused:,} of {int(skin.sum()):,} images of skin and let {passed:,} of "
        f"{int((~skin).sum()):,} others through, {_line(threshold)}. What it refuses counts as “{REFUSED}”; to what it "
        "lets through the second head gives one of its classes, which is wrong where there is no skin."
    )
    tables: list[Table] = []
    figures: list[Figure] = []
    tiles: list[Tile] = []
    numbers: dict[str, object] = {
        "gate": {
            "skin": int(skin.sum()),
            "skin_refused": refused,
            "not_skin": int((~skin).sum()),
            "not_skin_let_through": passed,
            "threshold": threshold.value if threshold else None,
            "threshold_source": threshold.source if threshold else OWN_DECISION,
        }
    }
    notes: list[str] = []
    for question in questions:
        found = _scored(question, settings)
        on = f"{where}, n = {len(question.labels):,} in {len(set(question.groups)):,} groups"
        tables += [_overall(question, found, on), _report(question, found, on)]
        figures.append(_figure(question, found, settings))
        notes += [f"{question.title}. {note}" for note in left_out_note(question.left_out)]
        numbers[question.key] = _numbers(question, found)
        detail = f"balanced accuracy, {len(question.labels):,} images, {len(question.classes)} classes"
        tiles.append(Tile(f"{question.title}, both stages", found.both.overall["balanced_accuracy"], detail))
    section = Section("two-stage", "Gate and second head", lead, tuple(tables), tuple(figures), tuple(notes))
    return Part("two_stage", section, numbers, tuple(tiles))


@dataclass(frozen=True)
class _Scored:
    """The numbers of a question.

    Attributes:
        both: Of both stages.
        perfect: Of the second head behind a gate without errors, on the same images.
        alone: Of the second head on images of skin alone, as in its own section.
        cost: `_METRICS` to both stages minus the perfect gate.
    """

    both: ClassScores
    perfect: ClassScores
    alone: ClassScores
    cost: Mapping[str, Difference]


def _questions(
    matched: Matched,
    classes: Sequence[ClassTask],
    binary: Sequence[BinaryTask],
    is_skin: NDArray[np.bool_],
    skin: NDArray[np.bool_],
) -> Iterator[_Question]:
    predictions = matched.predictions
    of_all = {"diagnosis": predictions.probabilities, "group": predictions.group_probabilities}

    def question(
        task: ClassTask | BinaryTask, names: Sequence[str], labels: NDArray[np.intp], answers: NDArray[np.intp]
    ) -> _Question:
        everyone = np.full(len(skin), UNDECIDED, np.intp)
        everyone[task.images] = labels + 1
        everyone[~skin] = 0
        asked = np.flatnonzero(everyone != UNDECIDED)
        return _Question(
            key=task.key,
            title=task.title,
            classes=(REFUSED, *names),
            labels=everyone[asked],
            answers=np.where(answers == UNDECIDED, UNDECIDED, answers + 1)[asked],
            let_through=is_skin[asked],
            groups=tuple(matched.truth.groups[image] for image in asked),
            left_out={code: count for code, count in task.left_out.items() if code != taxonomy.NOT_SKIN},
        )

    for each in classes:
        yield question(each, each.classes, each.labels, decided_class(of_all[each.key]))
    main = binary[0] if binary else None
    if main is not None and main.threshold is not None:
        names = ("benign", "malignant") if main.key == "malignancy" else ("negative", "positive")
        called = main.everywhere >= main.threshold
        yield question(main, names, main.positive.astype(np.intp), called.astype(np.intp))


def _scored(question: _Question, settings: Settings) -> _Scored:
    skin = question.labels > 0
    both, perfect = question.decided(question.let_through), question.decided(skin)
    whole = np.arange(len(question.labels))
    alone = np.where(question.answers == UNDECIDED, UNDECIDED, question.answers - 1)
    # Without the first class, images of skin alone: what the second head's own section scores.
    tasks = (
        _task(question, question.classes, question.labels, both, whole),
        _task(question, question.classes, question.labels, perfect, whole),
        _task(question, question.classes[1:], question.labels - 1, alone, np.flatnonzero(skin)),
    )
    tick = settings.tick(f"{question.title} behind the gate")
    found = [class_scores(task, resamples=settings.resamples, seed=settings.seed, tick=tick) for task in tasks]
    bootstrap = Bootstrap(question.groups, question.labels, resamples=settings.resamples, seed=settings.seed)
    count = len(question.classes)
    cells = [decision_cells(question.labels, decided, count) for decided in (both, perfect)]

    def cost(metric: Callable[[NDArray[np.float64]], float]) -> Difference:
        def of(stage: int) -> Callable[[Weights], float]:
            return lambda weights: metric(table_of(cells[stage], count, weights))

        return bootstrap.paired(of(0), of(1))

    return _Scored(found[0], found[1], found[2], {name: cost(metric) for name, metric in _METRICS.items()})


def _task(
    question: _Question,
    classes: tuple[str, ...],
    labels: NDArray[np.intp],
    decided: NDArray[np.intp],
    rows: NDArray[np.intp],
) -> ClassTask:
    """Decisions as certain answers: the whole weight on one class, on none where undecided."""
    answers = (decided[rows, None] == np.arange(len(classes))).astype(np.float64)
    groups = tuple(question.groups[row] for row in rows)
    return ClassTask(question.key, question.title, classes, labels[rows], answers, rows, groups, {}, sums_to_one=False)


def _line(threshold: GateThreshold | None) -> str:
    if threshold is None:
        return f"by {OWN_DECISION}"
    return f"at a p_skin of {threshold.value:.4g} or above ({threshold.source})"


def _overall(question: _Question, found: _Scored, on: str) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            METRIC_NAMES[name],
            *(each.overall[name] for each in (found.both, found.perfect)),
            cost,
            found.alone.overall[name],
        )
        for name, cost in found.cost.items()
    ]
    note = (
        "With 95 % intervals: bootstrap over groups (patient, else lesion), stratified by class. The first two columns "
        f"count “{REFUSED}” as a class; their difference, on the same resamples, is what the errors of the gate cost. "
        "The last one is the second head by itself, on images of skin, none of them refused."
    )
    columns = ("Metric", "With this gate", "With a perfect gate", "Difference", "Second head, skin only")
    return Table(
        f"two-stage-{question.key}-metrics", f"{question.title}, both stages: {on}", columns, tuple(rows), note
    )


def _report(question: _Question, found: _Scored, on: str) -> Table:
    names = [METRIC_NAMES[name].split(" (")[0] for name in _PER_CLASS]
    columns = ("Class", "Images", *names, *(f"{name}, perfect gate" for name in names))
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            found.both.support[name],
            *(each.classes[name][metric] for each in (found.both, found.perfect) for metric in _PER_CLASS),
        )
        for name in question.classes
    ]
    caption = f"{question.title}, classification report of both stages: {on}"
    key = f"two-stage-{question.key}"
    return Table(f"{key}-classes", caption, columns, tuple(rows), figure=f"{key}-confusion")


def _figure(question: _Question, found: _Scored, settings: Settings) -> Figure:
    def matrix(path: Path) -> None:
        from dermoscope.evaluation.figures import confusion_matrix

        settings.on_progress(f"{question.title} behind the gate: figure", 0, 1)
        confusion_matrix(found.both.table, question.classes, path)

    caption = f"{question.title}, both stages: confusion matrix, counts and rates."
    return Figure(f"two-stage-{question.key}-confusion", caption, matrix, wide=True)


def _numbers(question: _Question, found: _Scored) -> dict[str, object]:
    def of(scores: ClassScores) -> dict[str, object]:
        return {
            "metrics": {name: scores.overall[name] for name in _METRICS},
            "per_class": {name: {metric: row[metric] for metric in _PER_CLASS} for name, row in scores.classes.items()},
        }

    return {
        "title": question.title,
        "classes": question.classes,
        "n": len(question.labels),
        "left_out": question.left_out,
        **of(found.both),
        "support": found.both.support,
        "confusion": found.both.table.astype(np.int64),
        "confusion_layout": "rows: true class; columns: decided class, the last one undecided",
        "perfect_gate": of(found.perfect),
        "difference": found.cost,
        "second_head_alone": of(found.alone),
    }
