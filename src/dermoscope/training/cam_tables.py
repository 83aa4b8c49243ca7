"""Tables in the run of a network with class activation maps: what each crop says, and what each map looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.evaluation.class_maps import MapMeasures, map_measures
from dermoscope.evaluation.report.maps_part import MEASURES
from dermoscope.training.cam_looking import Looked
from dermoscope.training.head_predictions import csv_table
from dermoscope.training.tasks import Task


def crops_table(
    task: Task,
    crops: Sequence[str],
    images: Mapping[str, Sequence[Record]],
    probabilities: Mapping[str, NDArray[np.float64]],
) -> bytes:
    """CSV: `image_id`, `split`, `crop`, and the probability of every class, `p_<class>`.

    Args:
        task: The question.
        crops: Names of the C crops.
        images: By split.
        probabilities: `[N, C, K]` by split.
    """
    rows = [["image_id", "split", "crop", *(f"p_{name}" for name in task.classes)]]
    for split, found in probabilities.items():
        for record, of_image in zip(images[split], found, strict=True):
            for crop, row in zip(crops, of_image, strict=True):
                rows.append([record.image_id, split, crop, *(f"{value:.7g}" for value in row)])
    return csv_table(rows)


def maps_table(
    task: Task, crops: Sequence[str], images: Mapping[str, Sequence[Record]], looked: Mapping[str, Looked]
) -> bytes:
    """CSV: one row a class map, `image_id`, `split`, `crop`, `class`, `decided` (1 for the likeliest class), measures.

    Args:
        task: The question.
        crops: Names of the C crops.
        images: By split.
        looked: What the network says of them.
    """
    rows = [["image_id", "split", "crop", "class", "decided", *MEASURES]]
    for split, found in looked.items():
        measures = map_rows(found)
        columns = np.stack([getattr(measures, name) for name in MEASURES], axis=-1)
        columns = columns.reshape(*found.logits.shape, len(MEASURES))
        decided = found.logits.argmax(axis=-1)
        for image, record in enumerate(images[split]):
            for crop, name in enumerate(crops):
                for label, of_class in enumerate(task.classes):
                    first = [record.image_id, split, name, of_class, str(int(decided[image, crop] == label))]
                    values = columns[image, crop, label]
                    rows.append([*first, *("" if np.isnan(value) else f"{value:.5g}" for value in values)])
    return csv_table(rows)


def map_rows(looked: Looked) -> MapMeasures:
    """Measures of every map, N · C · K of them in that order, against the mask of its crop."""
    cams = looked.cams
    masks = np.broadcast_to(looked.masks[:, :, None], cams.shape)
    return map_measures(cams.reshape(-1, *cams.shape[-2:]), masks.reshape(-1, *cams.shape[-2:]))
