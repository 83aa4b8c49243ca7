"""Tables as streams of rows of text: CSV and Parquet, one row in memory at a time."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from dermoscope.data.problems import ManifestError, Problem, suggestion

SUFFIXES = (".csv", ".parquet")
"""The kinds of table there are."""

_BATCH_ROWS = 4096


class Row(NamedTuple):
    """One row of a table.

    Attributes:
        number: As a spreadsheet shows it: the header is row 1.
        cells: Text by column; empty cells, and nulls of Parquet, are empty.
        broken: Why the cells cannot be trusted, such as too few of them, or empty.
    """

    number: int
    cells: dict[str, str]
    broken: str = ""


@contextmanager
def open_table(path: Path) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    """The header of a table, and its rows while the block lasts. Empty rows are passed over.

    Args:
        path: A file that ends in `.csv` (UTF-8, with commas) or `.parquet`.

    Raises:
        FileNotFoundError: If there is no such file.
        ManifestError: If the file is no such table; also from within the rows.
        ModuleNotFoundError: If a Parquet file is given and pyarrow is missing; the message says what to install.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ManifestError(path, [Problem(None, "", "", f"is none of {', '.join(SUFFIXES)}")])
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file")
    opened = _open_parquet if path.suffix.lower() == ".parquet" else _open_csv
    with opened(path) as table:
        yield table


def official_rows(path: Path, needs: Sequence[str]) -> Iterator[Row]:
    """The rows of an official table that must have some columns; others may be there.

    Args:
        path: The table.
        needs: Columns that the reader uses.

    Raises:
        FileNotFoundError: If the table is missing.
        ManifestError: If a column is missing, each is named; or if a row has too few or too many cells.
    """
    with open_table(path) as (header, rows):
        missing = [column for column in needs if column not in header]
        if missing:
            raise ManifestError(
                path,
                [
                    Problem(1, column, "", f"is missing{suggestion(column, header)}; the table has {', '.join(header)}")
                    for column in missing
                ],
            )
        for row in rows:
            if row.broken:
                raise ManifestError(path, [Problem(row.number, "", "", row.broken)])
            yield row


def arrow_module(name: str) -> Any:
    """`pyarrow` or a part of it, which only Parquet needs.

    Args:
        name: Such as `pyarrow.parquet`.

    Raises:
        ModuleNotFoundError: If it is missing; the message says what to install.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'Parquet needs pyarrow: pip install "dermoscope[store]", or use CSV', name=error.name
        ) from error


@contextmanager
def _open_csv(path: Path) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    # utf-8-sig: spreadsheets put a byte order mark before the first name, which would not be that name any more.
    # surrogateescape: what is no UTF-8 comes through marked, so that its row can be named and the rest still be read.
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        lines = _csv_lines(path, stream)
        header = tuple(next(lines, (1, []))[1])
        if not header or not _is_text(header):
            reason = "is no UTF-8 text" if header else "is empty; the first row must name the columns"
            raise ManifestError(path, [Problem(1 if header else None, "", "", reason)])
        yield header, _csv_rows(header, lines)


def _csv_lines(path: Path, stream: TextIO) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        for number, cells in enumerate(csv.reader(stream, strict=True), start=1):
            yield number, cells
    except csv.Error as error:
        raise ManifestError(path, [Problem(number + 1, "", "", f"is no CSV: {error}")]) from None


def _csv_rows(header: tuple[str, ...], lines: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    for number, cells in lines:
        if not any(cells):
            continue
        broken = "" if len(cells) == len(header) else f"has {len(cells)} cells, the header {len(header)}"
        if not _is_text(cells):
            broken = "is no UTF-8 text; save the table as UTF-8"
        yield Row(number, dict(zip(header, cells, strict=False)), broken)


def _is_text(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _open_parquet(path: Path) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    parquet = arrow_module("pyarrow.parquet")
    try:
        table = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise ManifestError(path, [Problem(None, "", "", f"is no Parquet file: {error}")]) from None
    with table:
        yield tuple(table.schema_arrow.names), _parquet_rows(table)


def _parquet_rows(table: Any) -> Iterator[Row]:
    number = 1
    for batch in table.iter_batches(batch_size=_BATCH_ROWS):
        for cells in batch.to_pylist():
            number += 1
            yield Row(number, {name: "" if value is None else str(value) for name, value in cells.items()})
