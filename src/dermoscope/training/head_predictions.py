"""Tables of a run: its splits, and the predictions of its head for `dermoscope evaluate`. Torch-free."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.data.manifest import Record
from dermoscope.training.tasks import ISIC2017_PARTS, MALIGNANT, SKIN, Task

_OFFICIAL = {"MEL": "p_melanoma", "BKL": "seborrheic_keratosis"}


def predictions_table(
    task: Task, images: Mapping[str, Sequence[Record]], probabilities: Mapping[str, NDArray[np.float64]]
) -> bytes:
    """CSV: `image_id`, `split`, and a column for each probability, named as in the results of `dermoscope analyze`.

    Args:
        task: The question.
        images: By split.
        probabilities: `[N, K]` by split.
    """
    columns = probability_columns(task)
    fixed = {"malignancy_definition": task.definition} if task.definition else {}
    rows = [["image_id", "split", *columns, *fixed]]
    for split, records in images.items():
        for record, row in zip(records, probabilities[split], strict=True):
            shown = [f"{row[index]:.7g}" for index in columns.values()]
            rows.append([record.image_id, split, *shown, *fixed.values()])
    return csv_table(rows)


def split_table(records: Iterable[Record]) -> bytes:
    """CSV: `source`, `image_id` and `split` of every image of a manifest."""
    return csv_table([["source", "image_id", "split"], *([r.source, r.image_id, r.split] for r in records)])


def probability_columns(task: Task) -> dict[str, int]:
    """Name of each column of probabilities to the class it holds."""
    if task.name == "gate":
        return {"p_skin": task.classes.index(SKIN)}
    if task.name in ISIC2017_PARTS:
        return {_OFFICIAL[task.classes[1]]: 1}
    if task.name == "malignancy":
        return {"p_malignant": task.classes.index(MALIGNANT)}
    if task.name == "group":
        return {f"p_{taxonomy.GROUP_COLUMNS[name]}": index for index, name in enumerate(task.classes)}
    return {f"p_{name}": index for index, name in enumerate(task.classes)}


def csv_table(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows, the first of them the header, as the contents of a CSV file."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()
