"""ISIC 2018, Tasks 1 (lesion boundaries) and 3 (seven diagnoses), in their official layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from dermoscope import taxonomy
from dermoscope.data.layout import Layout, folder_of, listed_image, marked_code, mask_in, nothing_found, table_of
from dermoscope.data.manifest import Record
from dermoscope.data.tables import official_rows

_PARTS = {"Training": "train", "Validation": "val", "Test": "test"}


@dataclass(frozen=True)
class ISIC2018Task1(Layout):
    """ISIC 2018 Task 1: 2,594 / 100 / 1,000 dermoscopic images with lesion masks.

    Format, for each of `Training`, `Validation` and `Test`: JPEG images in `ISIC2018_Task1-2_<part>_Input/`, masks in
    `ISIC2018_Task1_<part>_GroundTruth/` as `<image_id>_segmentation.png`. Validation and test may be absent, or without
    masks.

    Classes: none; the task has no diagnoses.

    Split: official. 2,450 of the training images are also in ISIC 2017, none in HAM10000; where only the training part
    is at hand, the ISIC 2017 split is the usual one.

    Licence: CC0 or CC BY-NC 4.0, image by image; take the stricter. Citation: Codella et al., arXiv 1902.03368,
    2019; Tschandl et al., Scientific Data 5:180161, 2018.

    Official counts: 2,594 training, 100 validation and 1,000 test images, each with a mask.

    Attributes:
        root: The folder that holds these folders.
        diagnoses: Diagnosis by image id, where known from other years.
        splits: Split by image id, in place of the official one.
    """

    TITLE: ClassVar[str] = "ISIC 2018 Task 1: 3,694 images with lesion masks"
    LICENCE: ClassVar[str] = "CC0 or CC BY-NC 4.0, image by image"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            f"{split} {what}": count
            for split, count in (("train", 2_594), ("val", 100), ("test", 1_000))
            for what in ("images", "masks")
        }
    )

    diagnoses: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] | None = None

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, ordered by part and image id. See `Layout.records`."""
        if not folder_of(self.root, "ISIC2018_Task1-2_Training_Input").is_dir():
            images = self.root / "ISIC2018_Task1-2_Training_Input"
            raise FileNotFoundError(f"{images} is missing; point to the folder that holds it")
        for part, split in _PARTS.items():
            images = folder_of(self.root, f"ISIC2018_Task1-2_{part}_Input")
            masks = folder_of(self.root, f"ISIC2018_Task1_{part}_GroundTruth")
            for path in sorted(images.glob("*.jpg")):
                mask = mask_in(masks, path.stem, "_segmentation.png")
                if mask is None and need_files and (split == "train" or masks.is_dir()):
                    raise FileNotFoundError(f"{masks / path.stem}_segmentation.png is missing for {path.name}")
                yield Record(
                    image_id=path.stem,
                    path=path,
                    mask_path=mask,
                    diagnosis=self.diagnoses.get(path.stem, ""),
                    source="ISIC2018",
                    split=split if self.splits is None else self.splits.get(path.stem, ""),
                )


@dataclass(frozen=True)
class ISIC2018Task3(Layout):
    """ISIC 2018 Task 3: seven diagnoses; the 10,015 training images are HAM10000.

    Format, for each of `Training`, `Validation` and `Test`: JPEG images in `ISIC2018_Task3_<part>_Input/`, diagnoses in
    `ISIC2018_Task3_<part>_GroundTruth/ISIC2018_Task3_<part>_GroundTruth.csv` (image and one column a class), or beside
    that folder; lesions of the training images in `ISIC2018_Task3_Training_LesionGroupings.csv` (image, lesion_id).
    Parts may be absent.

    Classes: MEL, NV, BCC, AKIEC (actinic keratosis or squamous cell carcinoma), BKL, DF, VASC.

    Split: official. The training part is split no further; split it by `lesion_id`.

    Licence: CC BY-NC 4.0. Citation: Codella et al., arXiv 1902.03368, 2019; Tschandl et al., Scientific Data 5:180161,
    2018.

    Official counts: 10,015 training images of 7,470 lesions (classes as in HAM10000), 193 validation, 1,512 test.

    Attributes:
        root: The folder that holds these folders and tables.
    """

    TITLE: ClassVar[str] = "ISIC 2018 Task 3: 11,720 images, seven diagnoses"
    LICENCE: ClassVar[str] = "CC BY-NC 4.0"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "train images": 10_015,
            "train lesions": 7_470,
            "train MEL": 1_113,
            "train NV": 6_705,
            "train BCC": 514,
            "train AKIEC": 327,
            "train BKL": 1_099,
            "train DF": 115,
            "train VASC": 142,
            "val images": 193,
            "test images": 1_512,
        }
    )

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, in the order of the tables. See `Layout.records`."""
        tables = {part: table_of(self.root, f"ISIC2018_Task3_{part}_GroundTruth.csv") for part in _PARTS}
        if not any(table.is_file() for table in tables.values()):
            raise nothing_found(self.root, *(table.name for table in tables.values()))
        groupings = table_of(self.root, "ISIC2018_Task3_Training_LesionGroupings.csv")
        lesions = column_by_image(groupings, "image", "lesion_id") if groupings.is_file() else {}
        for part, table in tables.items():
            if not table.is_file():
                continue
            images = folder_of(self.root, f"ISIC2018_Task3_{part}_Input")
            for row in official_rows(table, ("image", *taxonomy.HAM10000_CODES)):
                image_id = row.cells["image"]
                yield Record(
                    image_id=image_id,
                    path=listed_image(table, row.number, [images], image_id, need_files=need_files),
                    diagnosis=marked_code(table, row, taxonomy.HAM10000_CODES),
                    source="ISIC2018",
                    lesion_id=lesions.get(image_id, ""),
                    split=_PARTS[part],
                )


def column_by_image(table: Path, image_column: str, value_column: str) -> dict[str, str]:
    """One column of a table by image id.

    Raises:
        ManifestError: If a column is missing; the message names file and column.
    """
    return {
        row.cells[image_column]: row.cells[value_column] for row in official_rows(table, (image_column, value_column))
    }
