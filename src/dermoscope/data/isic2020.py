"""ISIC 2020 (SIIM-ISIC) in its official layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from dermoscope import taxonomy
from dermoscope.data.layout import (
    Layout,
    age_of,
    code_of,
    folder_of,
    listed_image,
    nothing_found,
    sex_of,
    table_of,
)
from dermoscope.data.manifest import Record
from dermoscope.data.tables import official_rows

_TRAIN_FOLDERS = ("train", "ISIC_2020_Training_JPEG/train", "ISIC_2020_Training_Input", "jpeg/train")
_TEST_FOLDERS = ("ISIC_2020_Test_Input", "ISIC_2020_Test_JPEG/ISIC_2020_Test_Input", "test", "jpeg/test")


@dataclass(frozen=True)
class ISIC2020(Layout):
    """ISIC 2020: 33,126 training images of 2,056 patients, 10,982 test images without public diagnoses.

    Format: JPEG images in `train/` (of `ISIC_2020_Training_JPEG.zip`) and `ISIC_2020_Test_Input/`;
    `ISIC_2020_Training_GroundTruth_v2.csv`, or the first version without lesion_id (image_name, patient_id, lesion_id,
    sex, age_approx, anatom_site_general_challenge, diagnosis, benign_malignant, target); `ISIC_2020_Test_Metadata.csv`
    (image, patient, age_approx, anatom_site_general, sex). Either part may be absent.

    Classes: the column `diagnosis`, cleaned up as Ha, Liu and Liu did (`taxonomy.ISIC2020_DIAGNOSES`); 27,124 lesions
    are of unknown diagnosis and benign (`UNK`). Score it with the definition `melanoma`.

    Split: official. Split the training set further by `patient_id`. It holds 425 pairs of duplicates, which the leak
    check finds.

    Licence: CC BY-NC 4.0. Citation: Rotemberg et al., A patient-centric dataset, Scientific Data 8:34, 2021.

    Official counts: 33,126 training images with 584 melanomas, 10,982 test images.

    Attributes:
        root: The folder that holds these folders and tables.
    """

    TITLE: ClassVar[str] = "ISIC 2020: 44,108 images, melanoma or not, patients"
    LICENCE: ClassVar[str] = "CC BY-NC 4.0"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "train images": 33_126,
            "train patients": 2_056,
            "train MEL": 584,
            "train NV": 5_193,
            "train BKL": 223,
            "train UNK": 27_126,
            "test images": 10_982,
        }
    )

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, training images first. See `Layout.records`."""
        truth = table_of(self.root, "ISIC_2020_Training_GroundTruth_v2.csv", "ISIC_2020_Training_GroundTruth.csv")
        people = table_of(self.root, "ISIC_2020_Test_Metadata.csv")
        if not truth.is_file() and not people.is_file():
            raise nothing_found(self.root, truth.name, "ISIC_2020_Training_GroundTruth.csv", people.name)
        if truth.is_file():
            yield from self._train(truth, need_files=need_files)
        if people.is_file():
            yield from self._test(people, need_files=need_files)

    def _train(self, table: Path, *, need_files: bool) -> Iterator[Record]:
        images = folder_of(self.root, *_TRAIN_FOLDERS)
        for row in official_rows(table, ("image_name", "patient_id", "sex", "age_approx", "diagnosis")):
            name = row.cells["image_name"]
            yield Record(
                image_id=taxonomy.base_image_id(name),
                path=listed_image(table, row.number, [images], name, need_files=need_files),
                diagnosis=code_of(table, row, "diagnosis", taxonomy.ISIC2020_DIAGNOSES),
                source="ISIC2020",
                lesion_id=row.cells.get("lesion_id", ""),
                patient_id=row.cells["patient_id"],
                split="train",
                age=age_of(table, row, "age_approx"),
                sex=sex_of(row.cells["sex"]),
                site=row.cells.get("anatom_site_general_challenge", ""),
            )

    def _test(self, table: Path, *, need_files: bool) -> Iterator[Record]:
        images = folder_of(self.root, *_TEST_FOLDERS)
        for row in official_rows(table, ("image", "patient", "sex")):
            name = row.cells["image"]
            yield Record(
                image_id=taxonomy.base_image_id(name),
                path=listed_image(table, row.number, [images], name, need_files=need_files),
                source="ISIC2020",
                patient_id=row.cells["patient"],
                split="test",
                age=age_of(table, row, "age_approx"),
                sex=sex_of(row.cells["sex"]),
                site=row.cells.get("anatom_site_general", ""),
            )
