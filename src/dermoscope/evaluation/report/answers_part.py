"""The part about what a user gets: answers withheld count as answers not given, errors of the gate included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.calibration import top_label
from dermoscope.evaluation.proportions import estimate_share
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
    rows: list[tuple[Cell, ...]] = []
    numbers: dict[str, object] = {}

    def add(key: str, name: str, hit: NDArray[np.bool_], images: NDArray[np.intp], groups: Sequence[str]) -> None:
        given = ~withheld[images]
        group = np.asarray(groups)
        found = [
            estimate_share(values, names.tolist(), resamples=settings.resamples, seed=settings.seed)
            for values, names in ((given, group), (hit[given], group[given]), (hit & given, group))
        ]
        rows.append((name, len(images), *found))
        numbers[key] = {"answered": found[0], "among_answered": found[1], "end_to_end": found[2]}

    if binary and binary[0].key != "gate":
        task = binary[0]
        for key, part, hit in (
            ("sensitivity", task.positive, task.called),
            ("specificity", ~task.positive, ~task.called),
        ):
            groups = [group for group, is_in in zip(task.groups, part, strict=True) if is_in]
            add(f"{task.key}_{key}", f"{task.title}, {key}", hit[part], task.images[part], groups)
    for each in classes:
        right, _ = top_label(each.labels, each.probabilities)
        add(f"{each.key}_accuracy", f"{each.title}, accuracy", right, each.images, each.groups)
    columns = ("Question", "Images", "Answered", "Among the answered", "Of all images")
    note = "Of all images: an answer withheld counts as wrong, also where a negative was withheld."
    table = Table("answers", f"Answers: {where}", columns, tuple(rows), note)
    lead = (
        "The sections above score every image, also where the gate or an abstention withholds the answer. This one "
        "scores what a user is told, errors of the gate included."
    )
    return Part("answers", Section("answers", "Answers given", lead, (table,)), numbers)
