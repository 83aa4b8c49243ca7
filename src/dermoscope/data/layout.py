"""What every reader of an official layout has in common, and the helpers they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dermoscope.data.manifest import Record
from dermoscope.data.problems import ManifestError, Problem
from dermoscope.data.tables import Row

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
"""Endings, in lower case, that are taken for images."""

_LOOKED_FOR = (".jpg", ".png", ".jpeg", ".bmp", ".JPG", ".PNG")


@dataclass(frozen=True)
class CountDifference:
    """A count that is not what the data set's authors published.

    Attributes:
        name: What was counted, such as `train MEL`.
        expected: The official count.
        found: The count in this copy.
    """

    name: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.name}: {self.found:,} instead of {self.expected:,}"


@dataclass(frozen=True)
class Layout(ABC):
    """A data set as it comes out of its official download.

    Attributes:
        root: The folder that holds what was downloaded.
        TITLE: The data set in one line, for lists.
        LICENCE: The licence of the images.
        OFFICIAL_COUNTS: What the authors published, by the names that `count_records` uses.
    """

    TITLE: ClassVar[str]
    LICENCE: ClassVar[str]
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]]

    root: Path

    @abstractmethod
    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image.

        Args:
            need_files: Whether a missing image is an error. If not, tables are read without their images, and a path
                is where the image would lie.

        Raises:
            FileNotFoundError: If a table, a folder or an image is missing; the message names it.
            ManifestError: If a table does not have the official columns and values.
        """

    def counts(self) -> dict[str, int]:
        """What is here, counted in the tables; images need not be there."""
        return count_records(self.records(need_files=False))

    def verify(self) -> tuple[CountDifference, ...]:
        """Where this copy differs from the official counts; empty if it is complete."""
        found = self.counts()
        return tuple(
            CountDifference(name, expected, found.get(name, 0))
            for name, expected in self.OFFICIAL_COUNTS.items()
            if found.get(name, 0) != expected
        )


def count_records(records: Iterable[Record]) -> dict[str, int]:
    """Images, masks, lesions, patients and diagnoses; of every split on its own where there are splits.

    Returns:
        Count by name: `images`, `masks`, `lesions`, `patients`, and every code; with splits also `train images`,
        `train MEL` and so on.
    """
    counts: Counter[str] = Counter()
    groups: dict[str, set[str]] = {}
    for record in records:
        for prefix in {"", f"{record.split} " if record.split else ""}:
            counts[f"{prefix}images"] += 1
            counts[f"{prefix}masks"] += record.mask_path is not None
            if record.diagnosis:
                counts[f"{prefix}{record.diagnosis}"] += 1
            for name, group in (("lesions", record.lesion_id), ("patients", record.patient_id)):
                if group:
                    groups.setdefault(f"{prefix}{name}", set()).add(group)
    return {**counts, **{name: len(members) for name, members in groups.items()}}


def folder_of(root: Path, *names: str) -> Path:
    """The first of some folders that exists below a root, else where the first would be.

    Archives hold a folder of their own name or do not, so that `X` may have become `X/X`: the inner one is taken.
    """
    for name in names:
        for folder in (root / name / Path(name).name, root / name):
            if folder.is_dir():
                return folder
    return root / names[0]


def table_of(root: Path, *names: str) -> Path:
    """The first of some tables that exists, in the root or in a folder of the table's own name."""
    for name in names:
        for table in (root / name, root / Path(name).stem / name):
            if table.is_file():
                return table
    return root / names[0]


def image_in(folders: Sequence[Path], image_id: str) -> Path | None:
    """An image by its id, with any usual ending; found without listing the folders, so that they may be huge."""
    for suffix in _LOOKED_FOR:
        for folder in folders:
            if (path := folder / f"{image_id}{suffix}").is_file():
                return path
    return None


def listed_image(table: Path, row: int, folders: Sequence[Path], image_id: str, *, need_files: bool) -> Path:
    """The image that a row of a table names, or where it would lie.

    Raises:
        FileNotFoundError: If it is needed and missing.
    """
    found = image_in(folders, image_id)
    if found is None and need_files:
        places = " or ".join(str(folder) for folder in folders)
        raise FileNotFoundError(f"{table} lists {image_id} in row {row}, but no image of that name lies in {places}")
    return found or folders[0] / f"{image_id}.jpg"


def images_below(folder: Path) -> Iterator[Path]:
    """Every image at any depth, sorted by path."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            yield path


def mask_in(folder: Path, image_id: str, *suffixes: str) -> Path | None:
    """The first mask `<image_id><suffix>` that exists."""
    return next((path for suffix in suffixes if (path := folder / f"{image_id}{suffix}").is_file()), None)


def age_of(table: Path, row: Row, column: str) -> float | None:
    """An age in years; nothing where the source has none or says unknown.

    Raises:
        ManifestError: If it is no number.
    """
    cell = row.cells.get(column, "").strip()
    if cell.lower() in ("", "unknown", "na", "nan"):
        return None
    try:
        return float(cell)
    except ValueError:
        raise ManifestError(table, [Problem(row.number, column, cell, "is no age in years")]) from None


def sex_of(cell: str) -> str:
    """`male`, `female`, or empty for anything else."""
    return cell if cell in ("male", "female") else ""


def code_of(table: Path, row: Row, column: str, codes: Mapping[str, str]) -> str:
    """A code by the source's own word.

    Raises:
        ManifestError: If the word is none of the source's.
    """
    word = row.cells[column]
    if word not in codes:
        raise ManifestError(table, [Problem(row.number, column, word, f"is none of {', '.join(codes)}")])
    return codes[word]


def marked_code(table: Path, row: Row, codes: Sequence[str]) -> str:
    """The one code of a row whose column holds 1.

    Raises:
        ManifestError: If none or several are marked, or a cell is no number.
    """
    marked = []
    for code in codes:
        try:
            value = float(row.cells[code])
        except ValueError:
            raise ManifestError(table, [Problem(row.number, code, row.cells[code], "is neither 0 nor 1")]) from None
        if value == 1:
            marked.append(code)
    if len(marked) != 1:
        what = ", ".join(marked) or "none"
        raise ManifestError(table, [Problem(row.number, "", "", f"marks {what} of {', '.join(codes)} instead of one")])
    return marked[0]


def nothing_found(root: Path, *wanted: str) -> FileNotFoundError:
    """The error for a root in which none of a layout's files lie."""
    return FileNotFoundError(f"{root} holds none of {', '.join(wanted)}; point to the folder that does")
