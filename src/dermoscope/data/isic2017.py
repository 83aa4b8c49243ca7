"""ISIC 2017, Parts 1 and 3, in its official layout."""

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
    folder_of,
    images_below,
    listed_image,
    mask_in,
    nothing_found,
    sex_of,
    table_of,
)
from dermoscope.data.manifest import Record
from dermoscope.data.problems import ManifestError, Problem
from dermoscope.data.tables import Row, official_rows

_PARTS = {"Training": "train", "Validation": "val", "Test_v2": "test"}
_MARKS = {("0", "0"): "N", ("1", "0"): "M", ("0", "1"): "SK"}


@dataclass(frozen=True)
class ISIC2017(Layout):
    """ISIC 2017: 2,000 / 150 / 600 images with lesion masks (Part 1) and three diagnoses (Part 3).

    Format, for each of `Training`, `Validation` and `Test_v2`: JPEG images in `ISIC-2017_<part>_Data/`, where
    superpixels (`…_superpixels.png`) and `ISIC-2017_<part>_Data_metadata.csv` (image_id, age_approximate, sex) lie too;
    masks in `ISIC-2017_<part>_Part1_GroundTruth/` as `<image_id>_segmentation.png`; diagnoses in
    `ISIC-2017_<part>_Part3_GroundTruth.csv` (image_id, melanoma, seborrheic_keratosis). Any of them may be absent.

    Classes: melanoma (`MEL`), seborrheic keratosis (`BKL`), neither, that is nevus (`NV`).

    Split: official. All training and validation images and nearly all test images are in ISIC 2019's training set.

    Licence: CC-0. Citation: Codella et al., Skin lesion analysis toward melanoma detection, arXiv 1710.05006, 2017.

    Official counts: training 374 / 254 / 1,372 (melanoma, keratosis, nevus), validation 30 / 42 / 78,
    test 117 / 90 / 393.

    Attributes:
        root: The folder that holds these folders and tables.
    """

    TITLE: ClassVar[str] = "ISIC 2017, Parts 1 and 3: 2,750 images, masks, three diagnoses"
    LICENCE: ClassVar[str] = "CC-0"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            f"{split} {name}": count
            for split, counts in {
                "train": (2_000, 2_000, 374, 254, 1_372),
                "val": (150, 150, 30, 42, 78),
                "test": (600, 600, 117, 90, 393),
            }.items()
            for name, count in zip(("images", "masks", "MEL", "BKL", "NV"), counts, strict=True)
        }
    )

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image: training, validation, test. See `Layout.records`."""
        found = False
        for part, split in _PARTS.items():
            images = folder_of(self.root, f"ISIC-2017_{part}_Data")
            masks = folder_of(self.root, f"ISIC-2017_{part}_Part1_GroundTruth")
            people = self._people(part, images)
            for image_id, code, path in self._images(part, images, need_files=need_files):
                found = True
                age, sex = people.get(image_id, (None, ""))
                yield Record(
                    image_id=image_id,
                    path=path,
                    mask_path=mask_in(masks, image_id, "_segmentation.png"),
                    diagnosis=code,
                    source="ISIC2017",
                    split=split,
                    age=age,
                    sex=sex,
                )
        if not found:
            raise nothing_found(self.root, "ISIC-2017_Training_Part3_GroundTruth.csv", "ISIC-2017_Training_Data")

    def _images(self, part: str, images: Path, *, need_files: bool) -> Iterator[tuple[str, str, Path]]:
        table = table_of(self.root, f"ISIC-2017_{part}_Part3_GroundTruth.csv")
        if not table.is_file():
            for path in images_below(images):
                if not path.stem.endswith("_superpixels"):
                    yield path.stem, "", path
            return
        for row in official_rows(table, ("image_id", "melanoma", "seborrheic_keratosis")):
            image_id = row.cells["image_id"]
            path = listed_image(table, row.number, [images], image_id, need_files=need_files)
            yield image_id, _code(table, row), path

    def _people(self, part: str, images: Path) -> dict[str, tuple[float | None, str]]:
        name = f"ISIC-2017_{part}_Data_metadata.csv"
        table = next((folder / name for folder in (images, self.root) if (folder / name).is_file()), None)
        if table is None:
            return {}
        return {
            row.cells["image_id"]: (age_of(table, row, "age_approximate"), sex_of(row.cells["sex"]))
            for row in official_rows(table, ("image_id", "age_approximate", "sex"))
        }


def _code(table: Path, row: Row) -> str:
    marks = tuple(row.cells[column].removesuffix(".0") for column in ("melanoma", "seborrheic_keratosis"))
    for known, name in _MARKS.items():
        if marks == known:
            return taxonomy.ISIC2017_CODES[name]
    raise ManifestError(
        table, [Problem(row.number, "melanoma, seborrheic_keratosis", ", ".join(marks), "is neither 0, 0 nor one 1")]
    )
