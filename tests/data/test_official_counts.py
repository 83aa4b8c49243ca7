from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.official_counts import NOTES, SECTIONS, Count, official_counts
from tests.data.fake_layouts import fake_dtd, fake_ham10000

PUBLISHED = {section: expected for section, expected, _ in SECTIONS}
NEEDS_DTD = {"system 1 (Graz), DTD", "system 1 (Graz), gate"}


@pytest.fixture(scope="module")
def real_counts(real_data: Path) -> dict[tuple[str, str], Count]:
    return {(count.section, count.name): count for count in official_counts(real_data)}


@pytest.mark.data
@pytest.mark.parametrize(
    ("section", "name", "expected"),
    [(section, name, number) for section, expected, _ in SECTIONS for name, number in expected.items()],
)
def test_the_real_tables(section: str, name: str, expected: int, real_counts: dict[tuple[str, str], Count]) -> None:
    count = real_counts[section, name]
    if count.found is None:
        assert section in NEEDS_DTD
        pytest.skip(count.note)
    assert count.found == expected


@pytest.mark.parametrize(
    ("section", "name", "number"),
    [
        ("ISIC 2019, training and test", "images", 33_569),
        ("ISIC 2019, training and test", "in five groups", 31_522),
        ("ISIC 2019, training and test", "melanocytic", 21_219),
        ("ISIC 2019, training and test", "non-melanocytic carcinoma", 5_091),
        ("ISIC 2019, training and test", "keratosis", 4_525),
        ("ISIC 2019, training and test", "vascular", 357),
        ("ISIC 2019, training and test", "fibrous", 330),
        ("ISIC 2019, training and test", "malignant by graz", 12_181),
        ("ISIC 2019, training and test", "benign by graz", 19_341),
        ("HAM10000, lesions", "lesions", 7_470),
        ("HAM10000, lesions", "lesions with several images", 1_956),
        ("HAM10000, lesions", "images of such lesions", 4_501),
        ("system 1 (Graz), skin", "in five groups ×5", 157_610),
        ("system 1 (Graz), skin", "skin ×5", 167_845),
        ("system 1 (Graz), DTD", "images ×5", 28_200),
        ("system 1 (Graz), DTD", "clean split, training", 3_948),
        ("system 1 (Graz), DTD", "leaky split, training: files", 19_632),
        ("system 1 (Graz), gate", "skin and textures ×5", 196_045),
        ("system 2 (Girona), 60/15/25 of every class", "validation, nevi", 1_931),
        ("system 2 (Girona), 60/15/25 of every class", "validation, others", 1_865),
        ("system 2 (Girona), 60/15/25 of every class", "validation, SCC", 94),
    ],
)
def test_what_was_published_is_asked_for(section: str, name: str, number: int) -> None:
    assert PUBLISHED[section][name] == number


def test_notes_belong_to_counts() -> None:
    assert all(name in PUBLISHED[section] for section, name in NOTES)


def test_missing_tables_are_said_to_be_missing(tmp_path: Path) -> None:
    counts = official_counts(tmp_path)
    assert len(counts) == sum(len(expected) for expected in PUBLISHED.values())
    assert {(count.found, count.ok) for count in counts} == {(None, None)}
    assert all(count.note.startswith("tables missing: ") for count in counts)


def test_what_differs_is_said_to_differ(tmp_path: Path) -> None:
    fake_ham10000(tmp_path / "HAM10000")
    fake_dtd(tmp_path / "DTD")
    counts = {(count.section, count.name): count for count in official_counts(tmp_path)}
    images = counts["HAM10000, lesions", "images"]
    assert (images.expected, images.found, images.ok, images.note) == (10_015, 6, False, "")
    assert counts["system 1 (Graz), DTD", "textures"].note == "tables missing: DTD is there with 3 of 47 textures"
    assert Count("s", "n", 6, 6).ok is True
