"""Measures of the validation images that have an answer to a question, with intervals by lesion. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.evaluation.intervals import Estimate
from dermoscope.evaluation.report.scores import class_scores
from dermoscope.evaluation.tasks import ClassTask
from dermoscope.training.tasks import Task


def validation_scores(
    task: Task,
    records: Sequence[Record],
    labels: NDArray[np.integer],
    probabilities: NDArray[np.float64],
    resamples: int,
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Measures over all classes, and the recall of each class that occurs.

    Args:
        task: The question.
        records: The N validation images.
        labels: `[N]`; -1 where an image has no answer, and then it is left out.
        probabilities: `[N, K]`.
        resamples: Of the bootstrap, which draws whole lesions.
    """
    images = np.flatnonzero(labels >= 0)
    question = ClassTask(
        key=task.name,
        title=task.name,
        classes=task.classes,
        labels=labels[images].astype(np.intp),
        probabilities=probabilities[images],
        images=images,
        groups=tuple(f"{records[image].source}/{records[image].group_id}" for image in images.tolist()),
        left_out={},
    )
    found = class_scores(question, resamples=resamples, seed=0)
    recalls = {name: row["recall"] for name, row in found.classes.items() if found.support[name]}
    return dict(found.overall), recalls
