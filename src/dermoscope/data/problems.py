"""What can be wrong with a manifest, cell by cell, in words that name the row, the column and the way out."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dermoscope import taxonomy

COLUMNS = (
    "image_id",
    "path",
    "mask_path",
    "diagnosis",
    "source",
    "lesion_id",
    "patient_id",
    "split",
    "age",
    "sex",
    "site",
    "skin_tone",
    "sha256",
)
"""The columns of a manifest, in order. Only `path` must be there."""

SPLITS = ("train", "val", "test")
"""What the column `split` may hold, beside nothing."""

SEXES = ("male", "female")
"""What the column `sex` may hold, beside nothing."""

OLDEST = 120.0
"""The highest age, in years, that is taken for an age."""

_SHOWN_IN_MESSAGE = 20
_LONGEST_VALUE = 160
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a table.

    Attributes:
        row: The row as a spreadsheet numbers it, the header being row 1; None where the whole table is meant.
        column: The column; empty where the whole row is meant.
        value: What stands there.
        reason: What is wrong with it, and what would be right.
    """

    row: int | None
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        place = [f"row {self.row}"] if self.row is not None else []
        place += [f"column {self.column}"] if self.column else []
        what = f"{_shortened(self.value)!r} {self.reason}" if self.value else self.reason
        return f"{', '.join(place)}: {what}" if place else what


class ManifestError(ValueError):
    """A table cannot be used; the message names the file and its first problems.

    Attributes:
        path: The table.
        problems: Everything that is wrong, in the order of the rows.
    """

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:_SHOWN_IN_MESSAGE]]
        if len(self.problems) > _SHOWN_IN_MESSAGE:
            lines.append(f"and {len(self.problems) - _SHOWN_IN_MESSAGE:,} more")
        super().__init__(f"{path}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{path}:", *lines]))

    def __reduce__(self) -> tuple[type[ManifestError], tuple[Path, tuple[Problem, ...]]]:
        """Survive the way back from a worker process."""
        return type(self), (self.path, self.problems)


def header_problems(names: Sequence[str], needs: Sequence[str] = ()) -> Iterator[Problem]:
    """What is wrong with the names of a manifest's columns.

    A column that is not known is refused, not skipped: a misspelt `lesion_id` would otherwise let a lesion leak.

    Args:
        names: The header.
        needs: Columns that the task needs beside `path`.
    """
    for needed in dict.fromkeys(("path", *needs)):
        if needed not in names:
            hint = "; cells seem to be parted by semicolons, save with commas" if _semicolons(names) else ""
            yield Problem(1, needed, "", f"is missing{hint}")
    for name, times in Counter(names).items():
        if name not in COLUMNS:
            near = suggestion(name.strip().lower(), COLUMNS)
            yield Problem(1, "", name, f"is no column of a manifest{near}; it knows {', '.join(COLUMNS)}")
        if times > 1:
            yield Problem(1, name, "", f"stands there {times} times")


def cell_problems(row: int, cells: Mapping[str, str], needs: Sequence[str] = ()) -> Iterator[Problem]:
    """What is wrong with one row, without looking at any file.

    Args:
        row: Its number, for the messages.
        cells: Text by column.
        needs: Columns that may not be empty, beside `path`.
    """
    for needed in dict.fromkeys(("path", *needs)):
        if not cells.get(needed):
            yield Problem(row, needed, "", "is empty")
    for column, value in cells.items():
        if "\0" in value:
            yield Problem(row, column, value, "holds a null character")
    code = cells.get("diagnosis", "")
    if code and code not in taxonomy.CODE_NAMES:
        near = suggestion(code.upper(), taxonomy.CODE_NAMES)
        yield Problem(
            row, "diagnosis", code, f"is no diagnosis code{near}; known: {', '.join(taxonomy.CODE_NAMES)}, or empty"
        )
    if (age := cells.get("age", "")) and not _is_age(age):
        yield Problem(row, "age", age, f"is no age in years (0 to {OLDEST:.0f}); leave unknown ages empty")
    for column, allowed in (("sex", SEXES), ("split", SPLITS)):
        value = cells.get(column, "")
        if value and value not in allowed:
            near = suggestion(value.lower(), allowed)
            yield Problem(row, column, value, f"is none of {', '.join(allowed)}, or empty{near}")
    if (digest := cells.get("sha256", "")) and not _SHA256.fullmatch(digest):
        yield Problem(row, "sha256", digest, "is no SHA-256 of 64 hexadecimal digits in lower case")


def suggestion(word: str, known: Sequence[str] | Mapping[str, str]) -> str:
    """`; did you mean …?` where one of the known words is close, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _shortened(value: str) -> str:
    # Paths are what is long, and their end says most.
    return value if len(value) <= _LONGEST_VALUE else f"{value[:40]}…{value[41 - _LONGEST_VALUE :]}"


def _is_age(text: str) -> bool:
    try:
        return 0 <= float(text) <= OLDEST  # false for NaN
    except ValueError:
        return False


def _semicolons(names: Sequence[str]) -> bool:
    return len(names) == 1 and "path" in names[0].split(";")
