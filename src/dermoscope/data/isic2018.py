"""ISIC 2018 Task 1 (lesion boundary segmentation) in its official layout."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dermoscope.data.manifest import Record


@dataclass(frozen=True)
class ISIC2018Task1:
    """The training set of ISIC 2018 Task 1: 2,594 dermoscopic images with lesion masks.

    Layout: images in `ISIC2018_Task1-2_Training_Input/`, masks in `ISIC2018_Task1_Training_GroundTruth/` as
    `<image_id>_segmentation.png`. The task has no diagnoses; 2,450 of its images are also in ISIC 2017, whose official
    split is the usual one.

    Licence: CC BY-NC 4.0 (per image CC-0 or CC BY-NC). Citation: Codella et al., arXiv 1902.03368, 2019.

    Attributes:
        root: The folder that holds both folders.
        diagnoses: Diagnosis by image id, where known from other years.
        splits: Split by image id.
    """

    root: Path
    diagnoses: Mapping[str, str]
    splits: Mapping[str, str]

    def records(self) -> Iterator[Record]:
        """One record an image, ordered by image id.

        Raises:
            FileNotFoundError: If the image folder or a mask is missing.
        """
        images = self.root / "ISIC2018_Task1-2_Training_Input"
        if not images.is_dir():
            raise FileNotFoundError(f"{images} is missing; point to the folder that holds it")
        for path in sorted(images.glob("*.jpg")):
            mask = self.root / "ISIC2018_Task1_Training_GroundTruth" / f"{path.stem}_segmentation.png"
            if not mask.is_file():
                raise FileNotFoundError(f"{mask} is missing for {path.name}")
            yield Record(
                image_id=path.stem,
                path=path,
                mask_path=mask,
                diagnosis=self.diagnoses.get(path.stem, ""),
                source="ISIC2018",
                split=self.splits.get(path.stem, ""),
            )


def column_by_image(table: Path, image_column: str, value_column: str) -> dict[str, str]:
    """One column of a CSV file by image id.

    Raises:
        KeyError: If a column is missing; the message names file and column.
    """
    with table.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        for column in (image_column, value_column):
            if column not in (reader.fieldnames or ()):
                raise KeyError(f"{table} has no column {column!r}; it has {', '.join(reader.fieldnames or ())}")
        return {row[image_column]: row[value_column] for row in reader}
