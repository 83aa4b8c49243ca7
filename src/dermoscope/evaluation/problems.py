"""Everything that is wrong with an input, listed at once, each with file, row and column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dermoscope.images import printable

MOST_PROBLEMS = 20
"""How many problems a message lists; the rest is counted."""


@dataclass(frozen=True)
class Problem:
    """One thing to mend.

    Attributes:
        file: Where it is.
        reason: What is wrong and the way out, without a full stop.
        row: Line of the file, counted from 1, the header included; none if the whole file is meant.
        column: Name of the column; empty if the whole row is meant.
    """

    file: Path
    reason: str
    row: int | None = None
    column: str = ""

    def __str__(self) -> str:
        """On one line, in the order a person looks: file, row, column, reason."""
        place = [printable(self.file)]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column:
            place.append(f"column {printable(self.column)}")
        return f"{', '.join(place)}: {printable(self.reason)}"


class InputError(ValueError):
    """Inputs that cannot be scored; the message lists the problems, one a line.

    Attributes:
        problems: The first of them.
        count: How many there are in all.
    """

    def __init__(self, problems: tuple[Problem, ...], count: int) -> None:
        lines = [str(problem) for problem in problems]
        if count > len(problems):
            lines.append(f"and {count - len(problems):,} more problems")
        head = "1 problem" if count == 1 else f"{count:,} problems"
        super().__init__("\n  ".join([f"{head} in the input; nothing was written", *lines]))
        self.problems = problems
        self.count = count


class Problems:
    """Collects problems; keeps the first ones and counts the rest, so a file full of them needs no memory."""

    def __init__(self, limit: int = MOST_PROBLEMS) -> None:
        self._limit = limit
        self._first: list[Problem] = []
        self.count = 0

    def add(self, file: Path, reason: str, row: int | None = None, column: str = "") -> None:
        """Note one problem, see `Problem`."""
        self.count += 1
        if len(self._first) < self._limit:
            self._first.append(Problem(file, reason, row, column))

    def check(self) -> None:
        """Stop here if there are any.

        Raises:
            InputError: If problems were noted.
        """
        if self.count:
            raise InputError(tuple(self._first), self.count)
