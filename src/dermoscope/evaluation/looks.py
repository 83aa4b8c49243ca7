"""What a run of a network that looks twice writes about its looks: names of files, of columns and of answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.evaluation.problems import InputError, Problem
from dermoscope.evaluation.truth import class_of
from dermoscope.images.lesion_crops import Box

DESCRIPTION_NAME, TABLE_NAME, MAPS_NAME = "looks.json", "looks.csv", "look-maps.npy"
FIRST_LOOK, SECOND_LOOK, THIRD_LOOK, AVERAGE = "first look", "second look", "third look", "average"
_OTHER = "other"
LOOKS = (FIRST_LOOK, SECOND_LOOK, THIRD_LOOK)
"""Looks whose answers stand in the table; the average is of the first two."""


def with_average(
    first: NDArray[np.float64], second: NDArray[np.float64], third: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Every answer to some images by its name, `[N, K]` each; the average is of the first look and the second."""
    return {FIRST_LOOK: first, SECOND_LOOK: second, AVERAGE: (first + second) / 2, THIRD_LOOK: third}


def probability_column(look: str, name: str) -> str:
    """The column of a look's probability of a class, such as `second_MEL`."""
    return f"{look.removesuffix(' look')}_{name}"


@dataclass(frozen=True, eq=False)
class Looks:
    """What is known of N images, in the order of `image_ids`.

    Attributes:
        image_ids: Which.
        classes: K, in order.
        ranked: Those of them that the mean AUC is over.
        definition: Name of the malignancy definition, where that is the question; else empty.
        boxes: What was cut out of each for the second look, in pixels of the image.
        reasons: Why that is the whole view; empty where it is not.
        answers: Look to its probabilities `[N, K]`.
        maps: `[N, h, w]`, the class activation map that decided about the box; none where the run kept none.
    """

    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    ranked: tuple[str, ...]
    definition: str
    boxes: tuple[Box, ...]
    reasons: tuple[str, ...]
    answers: Mapping[str, NDArray[np.float64]]
    maps: NDArray[np.float32] | None

    def label(self, diagnosis: str) -> int:
        """The class of a diagnosis; -1 where the question has no answer."""
        if self.definition:
            meaning = taxonomy.malignancy_definition(self.definition)
            return int(diagnosis in meaning.malignant) if diagnosis in meaning.decided else -1
        found = class_of(diagnosis, self.classes)
        return self.classes.index(_OTHER) if found < 0 and _OTHER in self.classes else found


def read_looks(folder: Path, image_ids: Sequence[str]) -> Looks | None:
    """What a run folder says of some images.

    Args:
        folder: Of a training run.
        image_ids: Which images; those that it has no answers to are left out.

    Returns:
        None if it is no run of a network that looks twice, or knows none of the images.

    Raises:
        InputError: If its table or its maps are broken.
    """
    path = folder / TABLE_NAME
    if not path.is_file():
        return None
    try:
        about = json.loads((folder / DESCRIPTION_NAME).read_text(encoding="utf-8"))
        definition, ranked = str(about["definition"]), tuple(map(str, about["ranked"]))
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        head = probability_column(FIRST_LOOK, "")
        classes = tuple(name.removeprefix(head) for name in (rows[0] if rows else ()) if name.startswith(head))
        answered = probability_column(FIRST_LOOK, classes[0])
        numbers = {row["image_id"]: number for number, row in enumerate(rows) if row[answered]}
        known = [name for name in image_ids if name in numbers]
        chosen = [numbers[name] for name in known]
        answers = {
            look: np.array([[float(rows[row][probability_column(look, name)]) for name in classes] for row in chosen])
            for look in LOOKS
        }
        boxes = tuple(_box(rows[row]) for row in chosen)
        reasons = tuple(rows[row]["whole_because"] for row in chosen)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise _broken(path) from None
    if not known:
        return None
    ranked = tuple(name for name in classes if not ranked or name in ranked)
    maps = _maps(folder / MAPS_NAME, len(rows), chosen)
    return Looks(tuple(known), classes, ranked, definition, boxes, reasons, answers, maps)


def _box(row: Mapping[str, str]) -> Box:
    return int(row["left"]), int(row["top"]), int(row["right"]), int(row["bottom"])


def _maps(path: Path, rows: int, chosen: Sequence[int]) -> NDArray[np.float32] | None:
    if not path.is_file():
        return None
    try:
        maps = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise _broken(path) from None
    if maps.ndim != 3 or len(maps) != rows:
        raise _broken(path)
    return np.asarray(maps[list(chosen)], np.float32)


def _broken(path: Path) -> InputError:
    return InputError((Problem(path, "is not as dermoscope train writes it; train again"),), 1)
