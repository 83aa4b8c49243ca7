from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope import taxonomy
from dermoscope.data.isic2019 import ISIC2019
from dermoscope.data.manifest import ManifestError
from tests.data.fake_layouts import fake_isic2019


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_isic2019(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    records = list(ISIC2019(root).records())
    assert [(r.image_id, r.split, r.diagnosis, r.lesion_id) for r in records] == [
        ("ISIC_0000000", "train", "NV", ""),
        ("ISIC_0000002", "train", "MEL", "MSK4_0000001"),
        ("ISIC_0024307", "train", "AK", "HAM_0000002"),
        ("ISIC_0024308", "train", "SCC", "BCN_0000001"),
        ("ISIC_0053453", "train", "BCC", "BCN_0000001"),
        ("ISIC_0034321", "test", "NV", ""),
        ("ISIC_0034323", "test", "BCC", ""),
        ("ISIC_0034331", "test", "UNK", ""),
    ]
    assert (records[2].age, records[2].sex, records[2].site) == (80.0, "female", "head/neck")
    assert (records[3].age, records[3].sex, records[3].site) == (None, "", "")
    assert records[-1].site == "anterior torso"


def test_the_suffix_leaves_the_id_but_stays_in_the_path(root: Path) -> None:
    record = list(ISIC2019(root).records())[1]
    assert record.image_id == "ISIC_0000002"
    assert record.path == root / "ISIC_2019_Training_Input" / "ISIC_0000002_downsampled.jpg"
    assert record.path.is_file()


def test_tables_alone(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"Training_GroundTruth\.csv lists ISIC_0000000 in row 2"):
        list(ISIC2019(root).records())
    counts = ISIC2019(root).counts()
    assert (counts["images"], counts["train images"], counts["test UNK"], counts["train lesions"]) == (8, 5, 1, 3)
    assert "train images: 5 instead of 25,331" in map(str, ISIC2019(root).verify())


def test_without_test_diagnoses_the_metadata_lists_the_images(root: Path) -> None:
    (root / "ISIC_2019_Test_GroundTruth.csv").unlink()
    test = [r for r in ISIC2019(root).records() if r.split == "test"]
    assert (test[0].image_id, test[0].diagnosis, test[0].age) == ("ISIC_0034321", "", 70.0)
    assert len(test) == 3


def test_without_metadata(root: Path) -> None:
    for path in root.glob("*_Metadata.csv"):
        path.unlink()
    records = list(ISIC2019(root).records())
    assert len(records) == 8
    assert {(r.lesion_id, r.age, r.sex, r.site) for r in records} == {("", None, "", "")}


def test_two_marks_are_named_by_row(root: Path) -> None:
    table = root / "ISIC_2019_Test_GroundTruth.csv"
    table.write_text(table.read_text() + "ISIC_9,1,1,0,0,0,0,0,0,0\n")
    with pytest.raises(ManifestError, match=r"Test_GroundTruth\.csv: row 5: marks MEL, NV of MEL, NV, BCC"):
        list(ISIC2019(root).records(need_files=False))


def test_an_empty_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds none of ISIC_2019_Training_GroundTruth\.csv"):
        list(ISIC2019(tmp_path).records())


def test_the_official_counts_add_up() -> None:
    official = ISIC2019.OFFICIAL_COUNTS
    for split in ("train", "test"):
        assert sum(official[f"{split} {code}"] for code in taxonomy.ISIC2019_CODES) == official[f"{split} images"]
    assert official["train images"] + official["test images"] == official["images"] == 33_569


@pytest.mark.data
def test_the_real_tables(real_data: Path) -> None:
    assert ISIC2019(real_data / "ISIC2019").verify() == ()
