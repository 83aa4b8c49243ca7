"""The counts that the published systems rest on, beside what the official tables at hand say.

Where a table is not at hand, its counts are reported as missing, never filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dermoscope.data import recount


@dataclass(frozen=True)
class Count:
    """One published count, and what the tables at hand say.

    Attributes:
        section: What it is about.
        name: What is counted.
        expected: The published count.
        found: The count in the tables; None where they are missing.
        note: Why it is missing, or where the expected count departs from one given elsewhere.
    """

    section: str
    name: str
    expected: int
    found: int | None
    note: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the two agree; None where tables are missing."""
        return None if self.found is None else self.found == self.expected


def official_counts(root: Path) -> tuple[Count, ...]:
    """Every published count beside what the tables below a folder say.

    Args:
        root: The folder that holds `ISIC2019`, `HAM10000` and so on, see `recount.FOLDERS`.
    """
    tables = recount.Tables(root)
    counts: list[Count] = []
    for title, expected, count in SECTIONS:
        found: Mapping[str, int] = {}
        note = ""
        try:
            found = count(tables)
        except recount.TablesMissingError as error:
            note = f"tables missing: {error}"
        counts += [
            Count(title, name, number, found.get(name), note or NOTES.get((title, name), ""))
            for name, number in expected.items()
        ]
    return tuple(counts)


_PARTS = ("training", "validation", "test")
_INSIDE_2019 = "inside ISIC 2019's training set"
_TASK1 = "ISIC 2018 Task 1, training"

NOTES: Mapping[tuple[str, str], str] = {
    (_INSIDE_2019, "ISIC 2017 test"): "corrected: 480 is also in circulation; by id, all but five of the 600 are there",
    (_TASK1, "in ISIC 2019 training"): "not published before; counted here",
}
"""Section and name of expected counts that no publication vouches for, and why."""

SECTIONS: tuple[tuple[str, Mapping[str, int], Callable[[recount.Tables], Mapping[str, int]]], ...] = (
    (
        "ISIC 2019, training and test",
        {
            "training images": 25_331,
            "test images": 8_238,
            "images": 33_569,
            "MEL": 5_849,
            "NV": 15_370,
            "BCC": 4_298,
            "AK": 1_241,
            "BKL": 3_284,
            "DF": 330,
            "VASC": 357,
            "SCC": 793,
            "UNK": 2_047,
            "in five groups": 31_522,
            "melanocytic": 21_219,
            "non-melanocytic carcinoma": 5_091,
            "keratosis": 4_525,
            "fibrous": 330,
            "vascular": 357,
            "malignant by graz": 12_181,
            "benign by graz": 19_341,
            "in training and test": 0,
        },
        recount.isic2019,
    ),
    (
        "ISIC 2019, lesions of the training set",
        {
            "lesions": 11_847,
            "lesions with several images": 5_059,
            "images of such lesions": 16_459,
            "most images of a lesion": 31,
            "images without a lesion id": 2_084,
            "from HAM10000": 10_015,
            "from BCN20000": 12_413,
            "from MSK, with a lesion id": 819,
            "files named _downsampled": 2_074,
        },
        recount.isic2019_lesions,
    ),
    (
        "HAM10000, lesions",
        {
            "images": 10_015,
            "lesions": 7_470,
            "lesions with several images": 1_956,
            "images of such lesions": 4_501,
            "most images of a lesion": 6,
        },
        recount.ham10000,
    ),
    ("HAM10000 akiec in ISIC 2019", {"AK": 130, "SCC": 197, "in neither": 0}, recount.akiec),
    ("ISIC 2017 Part 3", recount.ISIC2017_DIAGNOSES, recount.isic2017),
    (
        "system 1 (Graz), skin",
        {
            "skin ×5": 167_845,
            "in five groups ×5": 157_610,
            "malignant by graz ×5": 60_905,
            "benign by graz ×5": 96_705,
            **{f"skin, {name}": n for name, n in zip(_PARTS, (23_498, 5_035, 5_036), strict=True)},
            **{f"skin, {name} ×5": n for name, n in zip(_PARTS, (117_490, 25_175, 25_180), strict=True)},
        },
        recount.graz,
    ),
    (
        "system 1 (Graz), DTD",
        {
            "images": 5_640,
            "textures": 47,
            "images ×5": 28_200,
            **{f"clean split, {name}": n for name, n in zip(_PARTS, (3_948, 846, 846), strict=True)},
            **{f"clean split, {name} ×5": n for name, n in zip(_PARTS, (19_740, 4_230, 4_230), strict=True)},
            **{f"leaky split, {name}: files": n for name, n in zip(_PARTS, recount.LEAKY_DTD_FILES, strict=True)},
            **{f"leaky split, {name}: textures as one": n for name, n in zip(_PARTS, (32, 7, 8), strict=True)},
        },
        recount.graz_textures,
    ),
    ("system 1 (Graz), gate", {"skin and textures ×5": 196_045}, recount.graz_gate),
    (
        "system 2 (Girona), 60/15/25 of every class",
        {
            "training, nevi": 7_725,
            "training, others": 7_470,
            "training, BCC": 1_993,
            "training, MEL": 2_713,
            "training, SCC": 376,
            "validation, nevi": 1_931,
            "validation, others": 1_865,
            "validation, BCC": 498,
            "validation, MEL": 678,
            "validation, SCC": 94,
            "test, nevi": 3_219,
            "test, others": 3_121,
            "test, BCC": 832,
            "test, MEL": 1_131,
            "test, SCC": 158,
        },
        recount.girona,
    ),
    (
        _INSIDE_2019,
        {"HAM10000": 10_015, "ISIC 2017 train": 2_000, "ISIC 2017 val": 150, "ISIC 2017 test": 595},
        recount.overlaps,
    ),
    (
        _TASK1,
        {
            "images": 2_594,
            "in HAM10000": 0,
            "in ISIC 2017": 2_450,
            "in ISIC 2017 test": 529,
            "in ISIC 2019 training": 2_593,
        },
        recount.task1_overlaps,
    ),
)
"""Title, published counts, and the function that counts them again."""
