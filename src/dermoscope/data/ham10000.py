"""HAM10000 in its official layout."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dermoscope import taxonomy
from dermoscope.data.manifest import Record


@dataclass(frozen=True)
class HAM10000:
    """The HAM10000 dataset: 10,015 dermoscopic images of 7,470 lesions, seven diagnoses.

    Layout: `HAM10000_metadata.csv` (lesion_id, image_id, dx, dx_type, age, sex, localization), images in
    `HAM10000_images_part_1/` and `_part_2/`, lesion masks in `HAM10000_segmentations_lesion_tschandl/`.
    There is no official split. `akiec` holds actinic keratoses and squamous cell carcinomas together; which is which
    stands in the ISIC 2019 tables.

    Licence: CC BY-NC 4.0. Citation: Tschandl, Rosendahl, Kittler, The HAM10000 dataset, Scientific Data 5:180161, 2018;
    masks: Tschandl et al., Nature Medicine 26, 2020.

    Attributes:
        root: The folder that holds the metadata file.
    """

    root: Path

    def records(self) -> Iterator[Record]:
        """One record an image, in the order of the metadata.

        Raises:
            FileNotFoundError: If the metadata or an image is missing; the message names it.
        """
        table = self.root / "HAM10000_metadata.csv"
        images = {
            path.stem: path
            for part in ("HAM10000_images_part_1", "HAM10000_images_part_2")
            for path in (self.root / part).glob("*.jpg")
        }
        masks = self.root / "HAM10000_segmentations_lesion_tschandl"
        with table.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                image_id = row["image_id"]
                if image_id not in images:
                    raise FileNotFoundError(f"{table} lists {image_id}, but no image of that name lies beside it")
                mask = masks / f"{image_id}_segmentation.png"
                yield Record(
                    image_id=image_id,
                    path=images[image_id],
                    mask_path=mask if mask.is_file() else None,
                    diagnosis=taxonomy.HAM10000_DX[row["dx"]],
                    source="HAM10000",
                    lesion_id=row["lesion_id"],
                    age=float(row["age"]) if row["age"] else None,
                    sex=row["sex"] if row["sex"] in ("male", "female") else "",
                    site=row["localization"],
                )
