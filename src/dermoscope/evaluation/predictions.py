"""Reading predictions: what `dermoscope analyze` wrote, an official ISIC submission, or a researcher's own table.

A researcher's table has `image_id` and one column of probabilities a class, named by its diagnosis code, with or
without `p_` in front. Numbers go straight into arrays, so 100,000 rows need no more memory than they must.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.columns import Columns, headerless, read_header
from dermoscope.evaluation.problems import Problems
from dermoscope.files import undo_formula_guard
from dermoscope.taxonomy import MALIGNANCY_DEFINITIONS

SUM_TOLERANCE = 2e-3
"""How far a row of probabilities may be from one: ten columns written with three or more decimals still pass."""

FloatTable = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """The predictions of N images, checked.

    Attributes:
        path: The table they were read from.
        is_ours: Whether `dermoscope analyze` wrote it.
        image_ids: As they stand in the file.
        rows: `[N]` row of each image in the file, the header being row 1.
        image_paths: Path of each image as the file has it; empty where it has none.
        classes: Diagnosis codes, in the order of `probabilities`; empty if the file has no classes.
        probabilities: `[N, K]`.
        groups: Lesion groups, in the order of `group_probabilities`; empty if the file has none.
        group_probabilities: `[N, G]`.
        scores: Single probabilities by name, each `[N]`, such as `p_malignant`.
        definition: The malignancy definition of `p_malignant`; empty if the file names none.
        threshold: Operating point of `p_malignant`; none if the file names none.
        abstained: `[N]` whether the answer was withheld; none if the file does not say.
        is_skin: `[N]` what the gate said; none if the file does not say.
        masks: Mask file of each image relative to the table; empty for no mask. None if the file has no such column.
        bundle: Fingerprint of the model; empty if the file names none.
        failed: Ids and paths of images without predictions, because they could not be analysed.
        sums_to_one: Whether each row of `probabilities` does.
    """

    path: Path
    is_ours: bool
    image_ids: tuple[str, ...]
    rows: NDArray[np.intp]
    image_paths: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: FloatTable
    groups: tuple[str, ...]
    group_probabilities: FloatTable
    scores: Mapping[str, NDArray[np.float64]]
    definition: str = ""
    threshold: float | None = None
    abstained: NDArray[np.bool_] | None = None
    is_skin: NDArray[np.bool_] | None = None
    masks: tuple[str, ...] | None = None
    bundle: str = ""
    failed: frozenset[str] = frozenset()
    sums_to_one: bool = True

    def take(self, rows: NDArray[np.intp]) -> Predictions:
        """The predictions of some rows, in that order."""
        return Predictions(
            path=self.path,
            is_ours=self.is_ours,
            image_ids=tuple(self.image_ids[row] for row in rows),
            rows=self.rows[rows],
            image_paths=tuple(self.image_paths[row] for row in rows),
            classes=self.classes,
            probabilities=self.probabilities[rows],
            groups=self.groups,
            group_probabilities=self.group_probabilities[rows],
            scores={name: values[rows] for name, values in self.scores.items()},
            definition=self.definition,
            threshold=self.threshold,
            abstained=None if self.abstained is None else self.abstained[rows],
            is_skin=None if self.is_skin is None else self.is_skin[rows],
            masks=None if self.masks is None else tuple(self.masks[row] for row in rows),
            bundle=self.bundle,
            failed=self.failed,
            sums_to_one=self.sums_to_one,
        )


def read_predictions(path: Path, *, independent_scores: bool = False) -> Predictions:
    """Read and check a table of predictions.

    Args:
        path: A CSV file, a results folder of `dermoscope analyze`, or a folder of nothing but masks, named
            `<image_id>.png` or `<image_id>_segmentation.png`.
        independent_scores: Whether the scores of an image need not sum to one.

    Raises:
        InputError: If anything is wrong with it; all problems are listed.
    """
    if path.is_dir() and not (path / "results.csv").exists() and (masks := sorted(path.glob("*.png"))):
        return _only_masks(path, masks)
    table = path / "results.csv" if path.is_dir() else path
    problems = Problems()
    builder: _Builder | None = None
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            first = next(reader, None)
            if first is None:
                problems.add(table, "the file is empty")
            else:
                columns = headerless(first) or read_header(table, first, problems)
                problems.check()  # without its columns a file has no rows to speak of
                builder = _Builder(table, columns, problems, independent_scores=independent_scores)
                builder.read(
                    enumerate(reader if columns.has_header else chain([first], reader), columns.has_header + 1)
                )
    except FileNotFoundError:
        hint = "; give a results folder of dermoscope analyze or a CSV file" if path.is_dir() else ""
        problems.add(table, f"does not exist{hint}")
    except UnicodeDecodeError:
        problems.add(table, "is not text in UTF-8; save it as CSV in UTF-8")
    except csv.Error as error:
        problems.add(table, f"is not CSV: {error}", reader.line_num)
    except OSError as error:
        problems.add(table, f"cannot be read: {error.strerror or error}")
    if builder is not None and not builder.ids and not problems.count:
        problems.add(table, "holds no predictions" + (", only failed images" if builder.failed else ""))
    problems.check()
    assert builder is not None  # without a builder there was a problem
    return builder.predictions()


def _only_masks(folder: Path, masks: Sequence[Path]) -> Predictions:
    """Masks without any probabilities, as for the segmentation tasks."""
    return Predictions(
        path=folder / "masks",
        is_ours=False,
        image_ids=tuple(mask.stem.removesuffix("_segmentation") for mask in masks),
        rows=np.arange(1, len(masks) + 1),
        image_paths=("",) * len(masks),
        classes=(),
        probabilities=np.zeros((len(masks), 0)),
        groups=(),
        group_probabilities=np.zeros((len(masks), 0)),
        scores={},
        masks=tuple(mask.name for mask in masks),
    )


def _wrong_definition(value: str) -> str:
    if not value or value in MALIGNANCY_DEFINITIONS:
        return ""
    return f"{value!r} is no malignancy definition; known: {', '.join(MALIGNANCY_DEFINITIONS)}"


def _wrong_threshold(value: str) -> str:
    try:
        return "" if not value or 0 <= float(value) <= 1 else f"{value} is not from 0 to 1"
    except ValueError:
        return f"{value!r} is not a number; give a threshold from 0 to 1"


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "malignancy_definition": _wrong_definition,
    "malignancy_threshold": _wrong_threshold,
    "bundle": lambda _: "",
}


class _Builder:
    def __init__(self, path: Path, columns: Columns, problems: Problems, *, independent_scores: bool) -> None:
        self.path, self.columns, self.problems = path, columns, problems
        self.ids: list[str] = []
        self.failed: set[str] = set()
        classes, end = len(columns.classes), len(columns.classes) + len(columns.groups)
        # Where, among the numbers of a row, those lie that must sum to one.
        self._sums = [slice(classes, end)] if columns.groups else []
        if columns.classes and not independent_scores:
            self._sums.append(slice(0, classes))
        self._independent = independent_scores
        self._numeric = columns.numeric
        self._lines = array("q")
        self._values = array("d")
        self._text: dict[str, list[str]] = {
            name: [] for name in ("path", "mask", "abstained", "is_skin") if name in columns.text
        }
        self._first: dict[str, str] = {}
        self._seen: dict[str, int] = {}

    def read(self, rows: Iterator[tuple[int, Sequence[str]]]) -> None:
        columns = self.columns
        for line, row in rows:
            if not row:
                continue
            if len(row) != len(columns.names):
                self.problems.add(self.path, f"has {len(row)} cells; the header has {len(columns.names)}", line)
                continue
            if "status" in columns.text and row[columns.text["status"]] == "failed":
                names = (row[columns.identity], row[columns.text["path"]] if "path" in columns.text else "")
                self.failed.update(self._as_named(name) for name in names if name)
                continue
            self._identify(line, self._as_named(row[columns.identity].strip()))
            values = self._numbers(line, row)
            self._values.extend(values)
            self._lines.append(line)
            self._check_sums(line, values)
            for name, cells in self._text.items():
                cells.append(self._as_named(row[columns.text[name]]))
            self._same_everywhere(line, row)

    def predictions(self) -> Predictions:
        columns = self.columns
        table = np.frombuffer(self._values, np.float64).reshape(len(self.ids), len(columns.numeric))
        classes, groups = len(columns.classes), len(columns.groups)
        threshold = self._first.get("malignancy_threshold", "")
        return Predictions(
            path=self.path,
            is_ours=columns.is_ours,
            image_ids=tuple(self.ids),
            rows=np.frombuffer(self._lines, np.int64).astype(np.intp),
            image_paths=tuple(self._text.get("path", [""] * len(self.ids))),
            classes=tuple(columns.classes),
            probabilities=table[:, :classes],
            groups=tuple(columns.groups),
            group_probabilities=table[:, classes : classes + groups],
            scores={name: table[:, classes + groups + number] for number, name in enumerate(columns.scores)},
            definition=self._first.get("malignancy_definition", ""),
            threshold=float(threshold) if threshold else None,
            abstained=self._flags("abstained"),
            is_skin=self._flags("is_skin"),
            masks=tuple(self._text["mask"]) if "mask" in self._text else None,
            bundle=self._first.get("bundle", ""),
            failed=frozenset(self.failed),
            sums_to_one=not self._independent,
        )

    def _as_named(self, cell: str) -> str:
        return undo_formula_guard(cell) if self.columns.is_ours else cell

    def _identify(self, line: int, image_id: str) -> None:
        name = self.columns.names[self.columns.identity]
        if not image_id:
            self.problems.add(self.path, "the image id is empty", line, name)
        elif (before := self._seen.setdefault(image_id, line)) != line:
            self.problems.add(self.path, f"{image_id!r} is there twice, first in row {before}", line, name)
        self.ids.append(image_id)

    def _numbers(self, line: int, row: Sequence[str]) -> list[float]:
        """The probabilities of a row; NaN for a cell that is none, which is noted."""
        try:
            values = [float(row[number]) for number in self._numeric]
        except ValueError:
            values = [math.nan]
        if any([not 0.0 <= value <= 1.0 for value in values]):  # noqa: C419 - a list is faster here
            return [self._number(line, number, row[number]) for number in self._numeric]
        return values

    def _number(self, line: int, number: int, cell: str) -> float:
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0.0 <= value <= 1.0:
            if not cell.strip():
                reason = "is empty; give a probability from 0 to 1"
            elif math.isnan(value):
                reason = f"{cell.strip()!r} is not a number; give a probability from 0 to 1"
            else:
                reason = f"{cell.strip()} is not from 0 to 1"
            self.problems.add(self.path, reason, line, self.columns.names[number])
            return math.nan
        return value

    def _check_sums(self, line: int, values: Sequence[float]) -> None:
        for place in self._sums:
            total = math.fsum(values[place])
            if abs(total - 1.0) > SUM_TOLERANCE:  # a NaN among them compares false and was noted before
                numbers = self._numeric[place]
                first, last = self.columns.names[numbers[0]], self.columns.names[numbers[-1]]
                self.problems.add(
                    self.path,
                    f"the {len(numbers)} probabilities sum to {total:.4g} instead of 1 "
                    "(for scores that need not, pass --independent-scores)",
                    line,
                    f"{first} to {last}",
                )

    def _same_everywhere(self, line: int, row: Sequence[str]) -> None:
        for name in _CHECKS:
            if name not in self.columns.text:
                continue
            value = row[self.columns.text[name]]
            if name not in self._first:
                self._first[name] = value
                if reason := _CHECKS[name](value):
                    self.problems.add(self.path, reason, line, name)
            elif (first := self._first[name]) != value:
                self.problems.add(self.path, f"is {value!r}, but {first!r} above: one model at a time", line, name)

    def _flags(self, name: str) -> NDArray[np.bool_] | None:
        if name not in self._text:
            return None
        return np.array([cell.strip().lower() == "true" for cell in self._text[name]], np.bool_)
