"""HAM10000 in its official layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from dermoscope import taxonomy
from dermoscope.data.layout import Layout, age_of, code_of, folder_of, listed_image, mask_in, sex_of, table_of
from dermoscope.data.manifest import Record
from dermoscope.data.tables import official_rows

_COLUMNS = ("lesion_id", "image_id", "dx", "age", "sex", "localization")


@dataclass(frozen=True)
class HAM10000(Layout):
    """The HAM10000 dataset: 10,015 dermoscopic images of 7,470 lesions, seven diagnoses.

    Format: `HAM10000_metadata.csv` (lesion_id, image_id, dx, dx_type, age, sex, localization), JPEG images in
    `HAM10000_images_part_1/` and `_part_2/`, lesion masks in `HAM10000_segmentations_lesion_tschandl/` as
    `<image_id>_segmentation.png`.

    Classes: akiec, bcc, bkl, df, mel, nv, vasc. `akiec` holds actinic keratoses and squamous cell carcinomas together;
    which is which stands in the ISIC 2019 tables.

    Split: there is no official one. 1,956 lesions have 2 to 6 images, so split by `lesion_id`.

    Licence: CC BY-NC 4.0. Citation: Tschandl, Rosendahl, Kittler, The HAM10000 dataset, Scientific Data 5:180161, 2018;
    masks: Tschandl et al., Human-computer collaboration for skin cancer recognition, Nature Medicine 26, 2020.

    Official counts: 10,015 images; nv 6,705, mel 1,113, bkl 1,099, bcc 514, akiec 327, vasc 142, df 115.

    Attributes:
        root: The folder that holds the metadata file.
    """

    TITLE: ClassVar[str] = "HAM10000: 10,015 images, seven diagnoses, lesion masks"
    LICENCE: ClassVar[str] = "CC BY-NC 4.0"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "images": 10_015,
            "masks": 10_015,
            "lesions": 7_470,
            "MEL": 1_113,
            "NV": 6_705,
            "BCC": 514,
            "AKIEC": 327,
            "BKL": 1_099,
            "DF": 115,
            "VASC": 142,
        }
    )

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, in the order of the metadata. See `Layout.records`."""
        table = table_of(self.root, "HAM10000_metadata.csv")
        parts = [folder_of(self.root, f"HAM10000_images_part_{number}") for number in (1, 2)]
        masks = folder_of(self.root, "HAM10000_segmentations_lesion_tschandl")
        for row in official_rows(table, _COLUMNS):
            image_id = row.cells["image_id"]
            yield Record(
                image_id=image_id,
                path=listed_image(table, row.number, parts, image_id, need_files=need_files),
                mask_path=mask_in(masks, image_id, "_segmentation.png"),
                diagnosis=code_of(table, row, "dx", taxonomy.HAM10000_DX),
                source="HAM10000",
                lesion_id=row.cells["lesion_id"],
                age=age_of(table, row, "age"),
                sex=sex_of(row.cells["sex"]),
                site=row.cells["localization"],
            )
