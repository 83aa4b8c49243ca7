"""Runs side by side: the per-image values of evaluated runs, aligned, and paired tests between them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.problems import InputError, Problem
from dermoscope.evaluation.report.saved import FILE_NAME, KEYS
from dermoscope.files import undo_formula_guard

RECORD = "metrics.json"
"""The file by which a run folder is known."""


@dataclass(frozen=True)
class SavedRun:
    """An evaluated run, read back.

    Attributes:
        name: How tables call it.
        folder: Where it is.
        header: The head of its `metrics.json`.
        images: Source and image id of each row, N.
        groups: What belongs together, N.
        diagnoses: N.
        columns: The other columns of `predictions.csv`, each `[N]` of text.
    """

    name: str
    folder: Path
    header: Mapping[str, object]
    images: tuple[tuple[str, str], ...]
    groups: tuple[str, ...]
    diagnoses: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]

    def take(self, rows: Sequence[int]) -> SavedRun:
        """Some of its images, in that order."""
        return SavedRun(
            self.name,
            self.folder,
            self.header,
            tuple(self.images[row] for row in rows),
            tuple(self.groups[row] for row in rows),
            tuple(self.diagnoses[row] for row in rows),
            {name: tuple(cells[row] for row in rows) for name, cells in self.columns.items()},
        )

    def numbers(self, column: str) -> NDArray[np.float64]:
        """A column as numbers, `[N]`; NaN where the cell is empty."""
        return np.array([float(cell) if cell else math.nan for cell in self.columns[column]], np.float64)

    def title(self, question: str) -> str:
        """A question for a person, its definition of malignancy included."""
        titles = self.header.get("questions")
        return str(titles.get(question, question)) if isinstance(titles, dict) else question

    def questions(self, ending: str) -> tuple[str, ...]:
        """The questions that have a column of that ending, such as `score` for binary ones."""
        return tuple(name.removesuffix(f":{ending}") for name in self.columns if name.endswith(f":{ending}"))


def read_run(folder: Path, name: str) -> SavedRun:
    """Read a run folder that `dermoscope evaluate` wrote.

    Args:
        folder: The run folder.
        name: How tables shall call it.

    Raises:
        InputError: If it is no run folder, or its files do not hold together.
    """
    record, table = folder / RECORD, folder / FILE_NAME
    try:
        metrics = json.loads(record.read_text(encoding="utf-8"))
        header = metrics["header"] if metrics["kind"] == "dermoscope evaluation" else None
        with table.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream, strict=True))
    except FileNotFoundError as error:
        reason = "does not exist; give folders that dermoscope evaluate wrote"
        raise InputError((Problem(Path(str(error.filename)), reason),), 1) from None
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        reason = f"is not as dermoscope evaluate wrote it ({type(error).__name__}); evaluate again"
        raise InputError((Problem(folder, reason),), 1) from error
    if not isinstance(header, dict) or not rows or tuple(rows[0][: len(KEYS)]) != KEYS:
        raise InputError((Problem(table, "is not as dermoscope evaluate wrote it; evaluate again", 1),), 1)
    ragged = [number for number, row in enumerate(rows, 1) if len(row) != len(rows[0])]
    if ragged:
        raise InputError((Problem(table, f"has {len(rows[ragged[0] - 1])} cells", ragged[0]),), len(ragged))
    columns = list(zip(*rows[1:], strict=True)) or [()] * len(rows[0])
    sources, image_ids, groups = (tuple(map(undo_formula_guard, cells)) for cells in columns[:3])
    return SavedRun(
        name=name,
        folder=folder,
        header=header,
        images=tuple(zip(sources, image_ids, strict=True)),
        groups=groups,
        diagnoses=columns[3],
        columns=dict(zip(rows[0][len(KEYS) :], columns[len(KEYS) :], strict=True)),
    )


def names_of(folders: Sequence[Path]) -> list[str]:
    """Short names for runs: the last parts of the paths that tell them apart, else numbers."""
    resolved = [folder.resolve() for folder in folders]
    for depth in range(1, 4):
        names = ["/".join(folder.parts[-depth:]) for folder in resolved]
        if len(set(names)) == len(names):
            return names
    return [f"run {number}" for number in range(1, len(folders) + 1)]


def align(runs: Sequence[SavedRun], *, shared_only: bool = False) -> list[SavedRun]:
    """The runs on the same images in the same order.

    Args:
        runs: Two or more.
        shared_only: Compare on the shared images where the runs have different ones.

    Raises:
        InputError: If the runs have different images and `shared_only` is not set, share none, or disagree about
            what an image shows.
    """
    rows = [{image: row for row, image in enumerate(run.images)} for run in runs]
    shared = [image for image in runs[0].images if all(image in each for each in rows)]
    if not shared:
        reason = f"shares no image with {' and '.join(str(run.folder) for run in runs[1:])}"
        raise InputError((Problem(runs[0].folder, reason),), 1)
    if not shared_only and any(len(run.images) != len(shared) for run in runs):
        counts = ", ".join(f"{run.name} has {len(run.images):,} images" for run in runs)
        reason = (
            f"the runs are on different images: {counts}, {len(shared):,} are shared; compare those with --shared-only"
        )
        raise InputError((Problem(runs[0].folder, reason),), 1)
    aligned = [run.take([each[image] for image in shared]) for run, each in zip(runs, rows, strict=True)]
    for run in aligned[1:]:
        _check_truth(aligned[0], run)
    return aligned


def common_questions(runs: Sequence[SavedRun], ending: str) -> list[str]:
    """The questions that every run answers, in the order of the first."""
    return [name for name in runs[0].questions(ending) if all(name in run.questions(ending) for run in runs)]


def answered(runs: Sequence[SavedRun], column: str) -> NDArray[np.intp]:
    """Images for which every run has a cell in a column."""
    return np.array(
        [row for row in range(len(runs[0].images)) if all(run.columns[column][row] != "" for run in runs)], np.intp
    )


def _check_truth(first: SavedRun, other: SavedRun) -> None:
    truths = [name for name in first.columns if name.endswith(":truth") and name in other.columns]
    pairs = [("diagnosis", first.diagnoses, other.diagnoses), ("group", first.groups, other.groups)]
    pairs += [(name, first.columns[name], other.columns[name]) for name in truths]
    for name, ours, theirs in pairs:
        wrong = [row for row, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
        if wrong:
            source, image_id = first.images[wrong[0]]
            reason = (
                f"says {theirs[wrong[0]]!r} of {image_id!r} ({source or 'no source'}), {first.folder} says "
                f"{ours[wrong[0]]!r}; evaluate both runs with the same manifest and the same --positive"
            )
            raise InputError((Problem(other.folder / FILE_NAME, reason, None, name),), len(wrong))
