"""ISIC 2019 in its official layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from dermoscope import taxonomy
from dermoscope.data.layout import (
    Layout,
    age_of,
    folder_of,
    listed_image,
    marked_code,
    nothing_found,
    sex_of,
    table_of,
)
from dermoscope.data.manifest import Record
from dermoscope.data.tables import Row, official_rows

_PARTS = {"Training": "train", "Test": "test"}
_TRAIN = (4_522, 12_875, 3_323, 867, 2_624, 239, 253, 628, 0)
_TEST = (1_327, 2_495, 975, 374, 660, 91, 104, 165, 2_047)


@dataclass(frozen=True)
class ISIC2019(Layout):
    """ISIC 2019: 25,331 training and 8,238 test images, eight diagnoses and `UNK`.

    Format, for `Training` and `Test`: JPEG images in `ISIC_2019_<part>_Input/`, diagnoses in
    `ISIC_2019_<part>_GroundTruth.csv` (image and one column a class), `ISIC_2019_<part>_Metadata.csv` (image,
    age_approx, anatom_site_general, sex; lesion_id in the training table alone). 2,074 training file names end in
    `_downsampled`; the image id does not. A part may be absent, and so may the test diagnoses.

    Classes: MEL, NV, BCC, AK, BKL, DF, VASC, SCC, and UNK, which only the test set has.

    Split: official. Lesions of the training set have up to 31 images, so split it by `lesion_id`; 2,084 images have
    none. It contains all of HAM10000 and nearly all of ISIC 2017.

    Licence: CC BY-NC 4.0. Citation: Tschandl et al., Scientific Data 5:180161, 2018; Codella et al., arXiv 1710.05006,
    2017; Hernández-Pérez et al., BCN20000, Scientific Data 11:641, 2024.

    Official counts: 25,331 training and 8,238 test images, each class as in the tables; 11,847 lesions.

    Attributes:
        root: The folder that holds these folders and tables.
    """

    TITLE: ClassVar[str] = "ISIC 2019: 33,569 images, eight diagnoses and UNK"
    LICENCE: ClassVar[str] = "CC BY-NC 4.0"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "images": 33_569,
            "train images": 25_331,
            "train lesions": 11_847,
            **{f"train {code}": count for code, count in zip(taxonomy.ISIC2019_CODES, _TRAIN, strict=True)},
            "test images": 8_238,
            **{f"test {code}": count for code, count in zip(taxonomy.ISIC2019_CODES, _TEST, strict=True)},
        }
    )

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, training images first. See `Layout.records`."""
        found = False
        for part, split in _PARTS.items():
            images = folder_of(self.root, f"ISIC_2019_{part}_Input")
            metadata = table_of(self.root, f"ISIC_2019_{part}_Metadata.csv")
            people = (
                {row.cells["image"]: row for row in official_rows(metadata, ("image",))} if metadata.is_file() else {}
            )
            truth = table_of(self.root, f"ISIC_2019_{part}_GroundTruth.csv")
            labelled = truth.is_file()
            rows = official_rows(truth, ("image", *taxonomy.ISIC2019_CODES)) if labelled else iter(people.values())
            for row in rows:
                found = True
                name = row.cells["image"]
                person = people.get(name, Row(row.number, {}))
                table = truth if labelled else metadata
                yield Record(
                    image_id=taxonomy.base_image_id(name),
                    path=listed_image(table, row.number, [images], name, need_files=need_files),
                    diagnosis=marked_code(truth, row, taxonomy.ISIC2019_CODES) if labelled else "",
                    source="ISIC2019",
                    lesion_id=person.cells.get("lesion_id", ""),
                    split=split,
                    age=age_of(metadata, person, "age_approx"),
                    sex=sex_of(person.cells.get("sex", "")),
                    site=person.cells.get("anatom_site_general", ""),
                )
        if not found:
            raise nothing_found(self.root, "ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Test_GroundTruth.csv")
