"""`predictions.csv` of a run: what each image was and what was said of it, for paired comparisons.

Columns: `source, image_id, group, diagnosis`; for every binary question `<key>:truth, :score, :called`; for every
question with several classes `<key>:truth, :decided` and one `<key>:<class>` a class; for masks `masks:<metric>`. A
cell is empty where an image has no answer to the question. Names that a spreadsheet would run as a formula are guarded.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.mask_files import MaskTask
from dermoscope.evaluation.masks import MASK_METRICS
from dermoscope.evaluation.tasks import BinaryTask, ClassTask
from dermoscope.evaluation.truth import Truth
from dermoscope.files import guard_formula

FILE_NAME = "predictions.csv"
"""Name of the file in a run folder."""

KEYS = ("source", "image_id", "group", "diagnosis")
"""The columns that say which image a row is about."""

UNDECIDED = "undecided"
"""What stands for a decided class where several share the highest probability."""


def write_saved(
    path: Path, truth: Truth, binary: Sequence[BinaryTask], classes: Sequence[ClassTask], masks: MaskTask | None
) -> None:
    """Write the per-image values of a run.

    Args:
        path: The file.
        truth: The images, N.
        binary: Binary questions.
        classes: Questions with several classes.
        masks: Scored masks.
    """
    count = len(truth.image_ids)
    columns: dict[str, list[object]] = {
        "source": [guard_formula(source) for source in truth.sources],
        "image_id": [guard_formula(image_id) for image_id in truth.image_ids],
        "group": [guard_formula(group) for group in truth.groups],
        "diagnosis": list(truth.diagnoses),
    }

    def put(name: str, images: NDArray[np.intp], values: Sequence[object]) -> None:
        cells: list[object] = [""] * count
        for image, value in zip(images.tolist(), values, strict=True):
            cells[image] = value
        columns[name] = cells

    for task in binary:
        put(f"{task.key}:truth", task.images, task.positive.astype(int).tolist())
        put(f"{task.key}:score", task.images, task.score.tolist())
        put(f"{task.key}:called", task.images, task.called.astype(int).tolist())
    for each in classes:
        names = (*each.classes, UNDECIDED)
        put(f"{each.key}:truth", each.images, [names[label] for label in each.labels])
        put(f"{each.key}:decided", each.images, [names[label] for label in decided_class(each.probabilities)])
        for number, name in enumerate(each.classes):
            put(f"{each.key}:{name}", each.images, each.probabilities[:, number].tolist())
    if masks is not None:
        for metric in MASK_METRICS:
            put(f"masks:{metric}", masks.images, [getattr(score, metric) for score in masks.scores])
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
