"""What each look says of the validation and test images, what was cut out for it, and what it was worth. Torch-free."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.camnet.second_look import SecondLook
from dermoscope.data.manifest import Record
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.looks import FIRST_LOOK, LOOKS, probability_column
from dermoscope.training.crop_images import Key, key_of
from dermoscope.training.head_metrics import mean_auc
from dermoscope.training.head_predictions import csv_table
from dermoscope.training.tasks import Task

Answers = Mapping[str, NDArray[np.float64]]
"""Look to its probabilities `[N, K]` of the images of a split."""


@dataclass(frozen=True)
class Cut:
    """Where a network looks after it has looked at an image.

    Attributes:
        look: What is cut out.
        cam: `[h, w]`, the class activation map that decided about it.
    """

    look: SecondLook
    cam: NDArray[np.float32]


def compared_looks(
    task: Task, labels: NDArray[np.int64], answers: Answers, groups: Sequence[str], resamples: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Mean AUC of each answer, and of the later ones minus that of the first, paired.

    Args:
        task: Says which classes the mean is over.
        labels: `[N]`.
        answers: `[N, K]` each.
        groups: What belongs together.
        resamples: Of the bootstrap.
    """

    def score(name: str, rows: NDArray[np.intp]) -> float:
        return mean_auc(labels[rows], answers[name][rows], task.ranked_classes).get("mean AUC", float("nan"))

    auc = {
        name: grouped_bootstrap(lambda rows, name=name: score(name, rows), groups, resamples=resamples)  # type: ignore[misc]
        for name in answers
    }
    gain = {
        name: grouped_bootstrap(
            lambda rows, name=name: score(name, rows) - score(FIRST_LOOK, rows),  # type: ignore[misc]
            groups,
            resamples=resamples,
        )
        for name in answers
        if name != FIRST_LOOK
    }
    return auc, gain


def looks_table(
    task: Task,
    chosen: Mapping[str, Sequence[Record]],
    cuts: Mapping[Key, Cut],
    answers: Mapping[str, Answers],
    seen: Sequence[Record],
) -> bytes:
    """CSV: `image_id`, `split`, the box in pixels, why it is the whole, and every look's answer to predicted images.

    Args:
        task: The question.
        chosen: Predicted images by split.
        cuts: What the second look is of each image.
        answers: By split.
        seen: Every image, in order.
    """
    said: dict[Key, list[str]] = {}
    for split, images in chosen.items():
        for number, record in enumerate(images):
            row = np.concatenate([answers[split][look][number] for look in LOOKS])
            said[key_of(record)] = [f"{value:.7g}" for value in row]
    columns = [probability_column(look, name) for look in LOOKS for name in task.classes]
    rows: list[Sequence[str]] = [["image_id", "split", "left", "top", "right", "bottom", "whole_because", *columns]]
    for record in seen:
        found = cuts[key_of(record)].look
        place = [str(value) for value in found.box]
        blank = [""] * len(columns)
        rows.append([record.image_id, record.split, *place, found.reason, *said.get(key_of(record), blank)])
    return csv_table(rows)


def maps_file(cuts: Mapping[Key, Cut], seen: Sequence[Record]) -> bytes:
    """The map that decided about each image's second look, `[N, h, w]` in half precision, in the order of the table."""
    stream = io.BytesIO()
    np.save(stream, np.stack([cuts[key_of(record)].cam for record in seen]).astype(np.float16), allow_pickle=False)
    return stream.getvalue()
