"""ISIC 2016 (ISBI challenge), Parts 1 and 3, in its official layout."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from dermoscope.data.layout import (
    Layout,
    folder_of,
    images_below,
    listed_image,
    mask_in,
    nothing_found,
    table_of,
)
from dermoscope.data.manifest import Record
from dermoscope.data.problems import ManifestError, Problem

_PARTS = {"Training": "train", "Test": "test"}
# The training table speaks in words, the test table in numbers.
_CODES = {"benign": "UNK", "0.0": "UNK", "0": "UNK", "malignant": "MEL", "1.0": "MEL", "1": "MEL"}


@dataclass(frozen=True)
class ISIC2016(Layout):
    """ISIC 2016: 900 training and 379 test images with lesion masks (Part 1), melanoma or not (Part 3).

    Format: JPEG images in `ISBI2016_ISIC_Part3_<Training|Test>_Data/` or, the same images, in `…_Part1_…_Data/`;
    masks in `ISBI2016_ISIC_Part1_<Training|Test>_GroundTruth/` as `<image_id>_Segmentation.png`; diagnoses in
    `ISBI2016_ISIC_Part3_<Training|Test>_GroundTruth.csv`, two columns without a header. Either part may be absent.

    Classes: malignant, here always melanoma (`MEL`), or benign (`UNK`: the table does not say what). Score it with the
    definition `melanoma`.

    Split: official train and test; there is no validation set. Most images are also in later years.

    Licence: CC-0. Citation: Gutman et al., Skin lesion analysis toward melanoma detection, arXiv 1605.01397, 2016.

    Official counts: 900 training images with 173 melanomas, 379 test images with 75.

    Attributes:
        root: The folder that holds these folders and tables.
    """

    TITLE: ClassVar[str] = "ISIC 2016, Parts 1 and 3: 1,279 images, masks, melanoma or not"
    LICENCE: ClassVar[str] = "CC-0"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "train images": 900,
            "train masks": 900,
            "train MEL": 173,
            "train UNK": 727,
            "test images": 379,
            "test masks": 379,
            "test MEL": 75,
            "test UNK": 304,
        }
    )

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, training images first. See `Layout.records`."""
        found = False
        for part, split in _PARTS.items():
            folders = [folder_of(self.root, f"ISBI2016_ISIC_Part{number}_{part}_Data") for number in (3, 1)]
            masks = folder_of(self.root, f"ISBI2016_ISIC_Part1_{part}_GroundTruth")
            for image_id, code, path in self._images(part, folders, need_files=need_files):
                found = True
                yield Record(
                    image_id=image_id,
                    path=path,
                    mask_path=mask_in(masks, image_id, "_Segmentation.png", "_segmentation.png"),
                    diagnosis=code,
                    source="ISIC2016",
                    split=split,
                )
        if not found:
            raise nothing_found(self.root, "ISBI2016_ISIC_Part3_Training_GroundTruth.csv", folders[1].name)

    def _images(self, part: str, folders: list[Path], *, need_files: bool) -> Iterator[tuple[str, str, Path]]:
        table = table_of(self.root, f"ISBI2016_ISIC_Part3_{part}_GroundTruth.csv")
        if not table.is_file():
            for path in images_below(folders[1]):
                yield path.stem, "", path
            return
        with table.open(newline="", encoding="utf-8-sig") as stream:
            for number, cells in enumerate(csv.reader(stream), start=1):
                if len(cells) != 2 or cells[1] not in _CODES:
                    known = "image id and benign, malignant, 0.0 or 1.0"
                    raise ManifestError(table, [Problem(number, "", ",".join(cells), f"is not: {known}")])
                path = listed_image(table, number, folders, cells[0], need_files=need_files)
                yield cells[0], _CODES[cells[1]], path
