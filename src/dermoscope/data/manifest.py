"""The manifest: the one table between data and everything else."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict

from dermoscope import taxonomy
from dermoscope.data.file_checks import file_problems
from dermoscope.data.problems import COLUMNS, ManifestError, Problem, cell_problems, header_problems
from dermoscope.data.tables import SUFFIXES, Row, arrow_module, open_table

__all__ = [
    "COLUMNS",
    "TASK_COLUMNS",
    "ManifestError",
    "Problem",
    "Record",
    "check_manifest",
    "manifest_problems",
    "read_manifest",
    "write_manifest",
]

TASK_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"analyze": (), "classify": ("diagnosis",), "segment": ("mask_path",), "evaluate": ("diagnosis", "split")}
)
"""Task to the columns that it needs beside `path`."""

_PATHS = ("path", "mask_path")
_BATCH_ROWS = 4096


class Record(BaseModel):
    """One image of a manifest. Only `image_id` and `path` are always known.

    Attributes:
        image_id: Name within its source, without `_downsampled`.
        path: The image file.
        mask_path: The lesion mask, 0 outside and 255 inside.
        diagnosis: An ISIC-2019 code, `AKIEC` where AK and SCC cannot be told apart, or `NOT_SKIN`; empty where the
            source gives none.
        source: Where the image comes from, such as `HAM10000`.
        lesion_id: Images of one lesion share it.
        patient_id: Images of one patient share it.
        split: `train`, `val`, `test`, or empty.
        age: In years.
        sex: `male`, `female`, or empty.
        site: Anatomical site in the source's words.
        skin_tone: In the source's words.
        sha256: Of the file's bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_id: str
    path: Path
    mask_path: Path | None = None
    diagnosis: str = ""
    source: str = ""
    lesion_id: str = ""
    patient_id: str = ""
    split: str = ""
    age: float | None = None
    sex: str = ""
    site: str = ""
    skin_tone: str = ""
    sha256: str = ""

    @property
    def group_id(self) -> str:
        """What must stay on one side of a split: the patient, else the lesion, else the image itself."""
        return self.patient_id or self.lesion_id or self.image_id


def read_manifest(path: Path) -> Iterator[Record]:
    """Read a CSV or Parquet manifest row by row.

    Paths that are relative in the file start from its folder. Where `image_id` is missing, the file's name without
    its ending takes its place.

    Raises:
        FileNotFoundError: If there is no such manifest.
        ManifestError: If a column is unknown or a row does not fit; the message names file, row and column. Reading
            stops at the first such row; `manifest_problems` lists all of them, and looks at the files too.
    """
    with open_table(path) as (header, rows):
        if problems := list(header_problems(header)):
            raise ManifestError(path, problems)
        for row in rows:
            if problems := list(_row_problems(row, ())):
                raise ManifestError(path, problems)
            yield _record(path.parent, row.cells)


def manifest_problems(path: Path, *, needs: Sequence[str] = (), files: bool = True) -> Iterator[Problem]:
    """Everything that is wrong with a manifest, as it is found: columns, cells, ids that come twice, missing files.

    Of a manifest of any length only the ids are kept in memory, some 150 bytes a row.

    Args:
        path: The manifest.
        needs: Columns the task needs beside `path`, see `TASK_COLUMNS`.
        files: Whether to look for images and masks, and compare the sizes of the two.

    Raises:
        FileNotFoundError: If there is no such manifest.
    """
    try:
        with open_table(path) as (header, rows):
            yield from header_problems(header, needs)
            present = [name for name in needs if name in header]
            first_rows: dict[str, int] = {}
            for row in rows:
                wrong = list(_row_problems(row, present))
                yield from wrong
                if not row.cells.get("path"):
                    continue
                image_id = taxonomy.base_image_id(row.cells.get("image_id") or Path(row.cells["path"]).stem)
                first = first_rows.setdefault(image_id, row.number)
                if first != row.number:
                    yield Problem(row.number, "image_id", image_id, f"comes twice; row {first} has it too")
                if files:
                    yield from file_problems(row.number, _files(path.parent, row.cells, wrong))
            if not first_rows:
                yield Problem(None, "", "", "has no image")
    except ManifestError as error:  # the table itself breaks off
        yield from error.problems


def check_manifest(path: Path, *, needs: Sequence[str] = (), files: bool = True) -> None:
    """Refuse a manifest with problems.

    Args:
        path: The manifest.
        needs: Columns the task needs beside `path`, see `TASK_COLUMNS`.
        files: Whether to look for images and masks, and compare the sizes of the two.

    Raises:
        FileNotFoundError: If there is no such manifest.
        ManifestError: If anything is wrong; it carries every problem.
    """
    if problems := list(manifest_problems(path, needs=needs, files=files)):
        raise ManifestError(path, problems)


def write_manifest(records: Iterable[Record], path: Path) -> int:
    """Write a CSV or Parquet manifest as records come, whole or not at all.

    Files below the manifest's folder are named relative to it, so that the folder can move; others by their full path.

    Args:
        records: The images; relative paths start from the current folder.
        path: The file to write, `.csv` or `.parquet`.

    Returns:
        How many records were written.

    Raises:
        ManifestError: If the ending is neither, or the name of a file is not text.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ManifestError(path, [Problem(None, "", "", f"is none of {', '.join(SUFFIXES)}")])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    home = path.parent.absolute()
    rows = (_cells(record, home) for record in records)
    rows = (_as_text(cells, path, row) for row, cells in enumerate(rows, 2))
    try:
        count = (_write_parquet if path.suffix.lower() == ".parquet" else _write_csv)(rows, partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return count


def _row_problems(row: Row, needs: Sequence[str]) -> Iterator[Problem]:
    if row.broken:  # the cells may stand in the wrong columns, so that nothing else can be said
        yield Problem(row.number, "", "", row.broken)
    else:
        yield from cell_problems(row.number, row.cells, needs)


def _files(folder: Path, cells: Mapping[str, str], wrong: Sequence[Problem]) -> dict[str, Path]:
    bad = {problem.column for problem in wrong}
    return {name: folder / cells[name] for name in _PATHS if cells.get(name) and not bad & {name, ""}}


def _record(folder: Path, cells: Mapping[str, str]) -> Record:
    given: dict[str, Any] = {name: value for name, value in cells.items() if value}
    for name in _PATHS:
        if name in given:
            given[name] = folder / given[name]
    given.setdefault("image_id", given["path"].stem)
    return Record.model_validate(given)


def _cells(record: Record, home: Path) -> dict[str, Any]:
    cells: dict[str, Any] = {name: getattr(record, name) for name in COLUMNS}
    for name in _PATHS:
        if cells[name] is not None:
            full = cells[name].absolute()
            cells[name] = full.relative_to(home).as_posix() if full.is_relative_to(home) else str(full)
    return cells


def _as_text(cells: dict[str, Any], path: Path, row: int) -> dict[str, Any]:
    """The cells, if they can be written as UTF-8: on Linux, a file's name may be any bytes."""
    for name, cell in cells.items():
        if isinstance(cell, str) and any("\ud800" <= letter <= "\udfff" for letter in cell):
            raise ManifestError(path, [Problem(row, name, cell, "is not UTF-8; rename the file")])
    return cells


def _write_csv(rows: Iterator[dict[str, Any]], path: Path) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for cells in rows:
            writer.writerow("" if value is None else value for value in cells.values())
            count += 1
    return count


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path) -> int:
    arrow, parquet = arrow_module("pyarrow"), arrow_module("pyarrow.parquet")
    schema = arrow.schema([(name, arrow.float64() if name == "age" else arrow.string()) for name in COLUMNS])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            writer.write_table(arrow.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count
