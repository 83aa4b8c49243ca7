"""What a report is made of, before it becomes HTML, Markdown or LaTeX: sections of tables and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dermoscope.evaluation.intervals import Difference, Estimate

Cell = str | int | float | Estimate | Difference | None

MISSING = "–"
"""What stands where a number is not defined."""


class NothingToShowError(Exception):
    """A figure has nothing to show and is left out, such as a gallery whose photographs cannot be decoded."""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: Unique in the report; LaTeX labels use it.
        caption: What it shows, on which images.
        columns: Heads; the first column names the row.
        rows: Cells, one a column.
        note: What a reader must know to read it.
        digits: Decimals of a column's numbers, by its head; three where it is not named.
        figure: Key of the figure that stands beside it, or below it if the figure is wide.
    """

    key: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    digits: Mapping[str, int] = field(default_factory=dict)
    figure: str = ""

    def digits_of(self, column: int) -> int:
        """Decimals of a column."""
        return self.digits.get(self.columns[column], 3)


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        key: Stem of its file, unique in the report.
        caption: What it shows.
        draw: Writes it to the path it is given, or raises `NothingToShowError`.
        wide: Whether it takes the whole width of the page.
        suffix: Kind of file: `.svg`, or `.png` where it holds photographs.
    """

    key: str
    caption: str
    draw: Callable[[Path], None]
    wide: bool = False
    suffix: str = ".svg"

    @property
    def file(self) -> str:
        """Where it lies below the run's folder."""
        return f"figures/{self.key}{self.suffix}"


@dataclass(frozen=True)
class Section:
    """One question and its answers.

    Attributes:
        key: Unique in the report.
        title: Head.
        lead: What was asked, on what, by which rule.
        tables: In order.
        figures: In order.
        notes: What limits the numbers.
    """

    key: str
    title: str
    lead: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()

    def figure_of(self, table: Table) -> Figure | None:
        """The figure that stands beside a table."""
        return next((figure for figure in self.figures if figure.key == table.figure), None)

    @property
    def loose_figures(self) -> tuple[Figure, ...]:
        """The figures that belong to no table."""
        taken = {table.figure for table in self.tables}
        return tuple(figure for figure in self.figures if figure.key not in taken)


@dataclass(frozen=True)
class Tile:
    """A number of the summary.

    Attributes:
        label: What it is.
        value: The number; text for what has no interval.
        detail: On what.
        digits: Decimals.
    """

    label: str
    value: Estimate | str
    detail: str
    digits: int = 3


def number(value: float, digits: int = 3) -> str:
    """A number as reports print it: NaN as a dash, and a minus sign that is one."""
    return MISSING if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def interval(estimate: Estimate | Difference, digits: int = 3) -> str:
    """Both ends of an interval, or nothing where there is none."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    return f"{number(estimate.low, digits)} to {number(estimate.high, digits)}"


def text(cell: Cell, digits: int = 3) -> str:
    """A cell as plain text."""
    if cell is None or cell == "":
        return MISSING if cell is None else ""
    if isinstance(cell, Estimate | Difference):
        ends = interval(cell, digits)
        sign = "+" if isinstance(cell, Difference) and cell.value > 0 else ""
        return f"{sign}{number(cell.value, digits)}" + (f" ({ends})" if ends else "")
    if isinstance(cell, float):
        return number(cell, digits)
    return f"{cell:,}" if isinstance(cell, int) else cell


def plain(value: object) -> object:
    """A value as JSON has it: dataclasses and arrays opened, NaN as null.

    Raises:
        TypeError: If it holds anything else.
    """
    import dataclasses

    import numpy as np

    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in metrics.json")
