"""The part about what a user gets: answers withheld count as answers not given, errors of the gate included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.calibration import top_label
from dermoscope.evaluation.intervals import Bootstrap
from dermoscope.evaluation.proportions import estimate_shares
from dermoscope.evaluation.report.document import Cell, Section, Table
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.tasks import BinaryTask, ClassTask
from dermoscope.evaluation.truth import Matched


def answers_part(
    matched: Matched, classes: Sequence[ClassTask], binary: Sequence[BinaryTask], where: str, settings: Settings
) -> Part | None:
    """Score the way from image to answer as a whole.

    Args:
        matched: Predictions that say which answers were withheld.
        classes: Questions with several classes.
        binary: Binary questions, the main one first.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.

    Returns:
        None if the predictions do not say what was withheld.
    """
    withheld = matched.predictions.abstained
    if withheld is None or not (classes or binary):
        return None
    named: list[tuple[str, str]] = []
    parts: list[NDArray[np.bool_]] = []
    wholes: list[NDArray[np.bool_]] = []

    def add(key: str, name: str, asked: NDArray[np.bool_], hit: NDArray[np.bool_]) -> None:
        named.append((key, name))
        parts.extend((~withheld, hit, hit & ~withheld))
        wholes.extend((asked, asked & ~withheld, asked))

    def of_all(images: NDArray[np.intp], values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        placed = np.zeros(len(withheld), np.bool_)
        placed[images] = values
        return placed

    if binary and binary[0].key != "gate":
        task = binary[0]
        for key, asked, hit in (
            ("sensitivity", task.positive, task.called),
            ("specificity", ~task.positive, ~task.called),
        ):
            name = f"{task.title}, {key}"
            add(f"{task.key}_{key}", name, of_all(task.images, asked), of_all(task.images, hit))
    for each in classes:
        right, _ = top_label(each.labels, each.probabilities)
        asked = of_all(each.images, np.ones(len(each.images), np.bool_))
        add(f"{each.key}_accuracy", f"{each.title}, accuracy", asked, of_all(each.images, right))
    if not named:
        return None
    settings.on_progress("Answers given", 0, 1)
    bootstrap = Bootstrap(matched.truth.groups, resamples=settings.resamples, seed=settings.seed)
    found = estimate_shares(bootstrap, parts, wholes)
    rows: list[tuple[Cell, ...]] = []
    numbers: dict[str, object] = {}
    for place, (key, name) in enumerate(named):
        answered, among_answered, end_to_end = found[3 * place : 3 * place + 3]
        rows.append((name, int(wholes[3 * place].sum()), answered, among_answered, end_to_end))
        numbers[key] = {"answered": answered, "among_answered": among_answered, "end_to_end": end_to_end}
    columns = ("Question", "Images", "Answered", "Among the answered", "Of all images")
    note = "Of all images: an answer withheld counts as wrong, also where a negative was withheld."
    table = Table("answers", f"Answers: {where}", columns, tuple(rows), note)
    lead = (
        "The sections above score every image, also where the gate or an abstention withholds the answer. This one "
        "scores what a user is told, errors of the gate included."
    )
    return Part("answers", Section("answers", "Answers given", lead, (table,)), numbers)
