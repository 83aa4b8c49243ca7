"""The manifest: the one table between data and everything else."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """One image of a manifest. Only `image_id` and `path` are always known.

    Attributes:
        image_id: Name within its source, without `_downsampled`.
        path: The image file.
        mask_path: The lesion mask, 0 outside and 255 inside.
        diagnosis: An ISIC-2019 code, `AKIEC` where AK and SCC cannot be told apart, or `NOT_SKIN`.
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


COLUMNS = tuple(Record.model_fields)


def write_manifest(records: Iterable[Record], path: Path) -> None:
    """Write a CSV manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for record in records:
            writer.writerow({name: "" if value is None else value for name, value in record.model_dump().items()})


def read_manifest(path: Path) -> Iterator[Record]:
    """Read a CSV manifest row by row.

    Raises:
        ValueError: If a column is unknown or a row does not fit; the message names file and line.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        unknown = set(reader.fieldnames or ()) - set(COLUMNS)
        if unknown or "path" not in (reader.fieldnames or ()):
            raise ValueError(f"{path}: needs the column path and knows {', '.join(COLUMNS)}; found {unknown or 'none'}")
        for row in reader:
            given = {name: value for name, value in row.items() if value}
            given.setdefault("image_id", Path(given.get("path", "")).stem)
            try:
                yield Record.model_validate(given)
            except ValueError as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
