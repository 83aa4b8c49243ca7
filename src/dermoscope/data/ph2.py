"""PH2 in its official layout."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from dermoscope.data.layout import Layout, folder_of, mask_in
from dermoscope.data.manifest import Record
from dermoscope.data.problems import ManifestError, Problem

_KINDS = {"0": "common nevus", "1": "atypical nevus", "2": "melanoma"}
_CODES = {"common nevus": "NV", "atypical nevus": "NV", "melanoma": "MEL"}
_COLOURS = {1: "white", 2: "red", 3: "light brown", 4: "dark brown", 5: "blue-grey", 6: "black"}
_TYPICAL = {"T": "typical", "AT": "atypical", "A": "absent", "P": "present"}


@dataclass(frozen=True)
class PH2Criteria:
    """One row of the table of dermoscopic criteria.

    Attributes:
        image_id: Such as `IMD003`.
        histology: Histological diagnosis; empty for most.
        kind: Clinical diagnosis: `common nevus`, `atypical nevus` or `melanoma`.
        asymmetry: Number of axes of asymmetry, 0 to 2.
        pigment_network: `typical` or `atypical`.
        dots_globules: `absent`, `typical` or `atypical`.
        streaks: `absent` or `present`.
        regression_areas: `absent` or `present`.
        blue_whitish_veil: `absent` or `present`.
        colours: Colours in the lesion, out of six.
    """

    image_id: str
    histology: str
    kind: str
    asymmetry: int
    pigment_network: str
    dots_globules: str
    streaks: str
    regression_areas: str
    blue_whitish_veil: str
    colours: tuple[str, ...]


@dataclass(frozen=True)
class PH2(Layout):
    """PH2: 200 dermoscopic images of melanocytic lesions with masks and dermoscopic criteria.

    Format: `PH2_dataset.txt`, a table parted by `||` and `|`; for each image a folder `PH2 Dataset images/<id>/` with
    `<id>_Dermoscopic_Image/<id>.bmp` and `<id>_lesion/<id>_lesion.bmp`. The criteria come from `criteria()`.

    Classes: common nevus and atypical nevus (both `NV`), melanoma (`MEL`).

    Split: there is no official one; it usually serves as an outside test set.

    Licence: for research and education, no redistribution. Citation: Mendonça et al., PH2 - A dermoscopic image
    database for research and benchmarking, IEEE EMBC, 2013.

    Official counts: 80 common nevi, 80 atypical nevi, 40 melanomas, 200 masks.

    Attributes:
        root: The folder that holds the table (`PH2Dataset`).
    """

    TITLE: ClassVar[str] = "PH2: 200 images with masks and dermoscopic criteria"
    LICENCE: ClassVar[str] = "research and education only"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {
            "images": 200,
            "masks": 200,
            "MEL": 40,
            "NV": 160,
            "common nevus": 80,
            "atypical nevus": 80,
            "melanoma": 40,
        }
    )

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, in the order of the table. See `Layout.records`."""
        images = folder_of(self.root, "PH2 Dataset images", "PH2Dataset/PH2 Dataset images")
        for row in self.criteria():
            folder = images / row.image_id
            path = folder / f"{row.image_id}_Dermoscopic_Image" / f"{row.image_id}.bmp"
            if need_files and not path.is_file():
                raise FileNotFoundError(f"{path} is missing, which PH2_dataset.txt lists")
            yield Record(
                image_id=row.image_id,
                path=path,
                mask_path=mask_in(folder / f"{row.image_id}_lesion", row.image_id, "_lesion.bmp"),
                diagnosis=_CODES[row.kind],
                source="PH2",
            )

    def criteria(self) -> Iterator[PH2Criteria]:
        """The table of dermoscopic criteria, row by row.

        Raises:
            FileNotFoundError: If the table is missing.
            ManifestError: If a row does not have the official cells and values.
        """
        table = next(
            (
                path
                for path in (self.root / "PH2_dataset.txt", self.root / "PH2Dataset" / "PH2_dataset.txt")
                if path.is_file()
            ),
            self.root / "PH2_dataset.txt",
        )
        with table.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                # The header has the same shape, and a legend follows the table; images are all named IMD and a number.
                if re.match(r"\|\|\s*IMD\d", line):
                    yield _criteria(table, number, line)

    def counts(self) -> dict[str, int]:
        """What is here, with the three kinds of the clinical diagnosis; images need not be there."""
        return {**super().counts(), **Counter(row.kind for row in self.criteria())}


def _criteria(table: Path, number: int, line: str) -> PH2Criteria:
    cells = [cell.strip() for cell in re.split(r"\|+", line.strip().removeprefix("||").removesuffix("||"))]
    try:
        image_id, histology, kind, asymmetry, network, dots, streaks, regression, veil, colours = cells
        return PH2Criteria(
            image_id=image_id,
            histology=histology,
            kind=_KINDS[kind],
            asymmetry=int(asymmetry),
            pigment_network=_TYPICAL[network],
            dots_globules=_TYPICAL[dots],
            streaks=_TYPICAL[streaks],
            regression_areas=_TYPICAL[regression],
            blue_whitish_veil=_TYPICAL[veil],
            colours=tuple(_COLOURS[int(colour)] for colour in colours.split()),
        )
    except (KeyError, ValueError):
        raise ManifestError(table, [Problem(number, "", line.strip(), "is no row of the PH2 table")]) from None
