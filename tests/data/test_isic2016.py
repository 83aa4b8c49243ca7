from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dermoscope.data.isic2016 import ISIC2016
from dermoscope.data.manifest import ManifestError
from tests.data.fake_layouts import fake_isic2016


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_isic2016(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    records = list(ISIC2016(root).records())
    assert [(r.image_id, r.split, r.diagnosis) for r in records] == [
        ("ISIC_0000000", "train", "UNK"),
        ("ISIC_0000002", "train", "MEL"),
        ("ISIC_0000004", "train", "MEL"),
        ("ISIC_0000003", "test", "UNK"),
        ("ISIC_0000013", "test", "MEL"),
    ]
    assert records[0].path == root / "ISBI2016_ISIC_Part3_Training_Data" / "ISIC_0000000.jpg"
    masks = root / "ISBI2016_ISIC_Part1_Training_GroundTruth"
    assert records[0].mask_path == masks / "ISIC_0000000_Segmentation.png"
    assert all(record.mask_path for record in records)


def test_part_1_alone(root: Path) -> None:
    for path in [*root.glob("*Part3*.csv")]:
        path.unlink()
    for path in [*root.glob("*Part3*")]:
        shutil.rmtree(path)
    records = list(ISIC2016(root).records())
    assert [r.diagnosis for r in records] == [""] * 5
    assert records[0].path == root / "ISBI2016_ISIC_Part1_Training_Data" / "ISIC_0000000.jpg"


def test_part_3_alone(root: Path) -> None:
    for path in [*root.glob("*Part1*")]:
        shutil.rmtree(path)
    records = list(ISIC2016(root).records())
    assert [r.mask_path for r in records] == [None] * 5


@pytest.mark.parametrize("line", ["ISIC_0000000", "ISIC_0000000,maybe", "ISIC_0000000,benign,1"])
def test_a_wrong_row_is_named(line: str, root: Path) -> None:
    (root / "ISBI2016_ISIC_Part3_Training_GroundTruth.csv").write_text(f"ISIC_0000002,malignant\n{line}\n")
    with pytest.raises(ManifestError, match=r"Training_GroundTruth\.csv: row 2: "):
        list(ISIC2016(root).records())


def test_an_id_without_an_image(root: Path) -> None:
    for path in root.rglob("ISIC_0000013.jpg"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"Test_GroundTruth\.csv lists ISIC_0000013 in row 2"):
        list(ISIC2016(root).records())
    assert len(list(ISIC2016(root).records(need_files=False))) == 5


def test_counts_and_what_differs(root: Path) -> None:
    counts = ISIC2016(root).counts()
    assert (counts["train images"], counts["train MEL"], counts["test UNK"], counts["masks"]) == (3, 2, 1, 5)
    assert "train images: 3 instead of 900" in map(str, ISIC2016(root).verify())
    assert sum(ISIC2016.OFFICIAL_COUNTS[f"train {code}"] for code in ("MEL", "UNK")) == 900
    assert sum(ISIC2016.OFFICIAL_COUNTS[f"test {code}"] for code in ("MEL", "UNK")) == 379


def test_an_empty_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds none of ISBI2016_ISIC_Part3_Training_GroundTruth\.csv"):
        list(ISIC2016(tmp_path).records())
