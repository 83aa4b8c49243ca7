from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dermoscope.data.isic2017 import ISIC2017
from dermoscope.data.manifest import ManifestError
from tests.data.fake_layouts import fake_isic2017


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_isic2017(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    records = list(ISIC2017(root).records())
    assert [(r.image_id, r.split, r.diagnosis, r.age, r.sex) for r in records] == [
        ("ISIC_0000000", "train", "NV", None, ""),
        ("ISIC_0000002", "train", "MEL", 55.0, "female"),
        ("ISIC_0000009", "train", "BKL", 55.0, "female"),
        ("ISIC_0001769", "val", "NV", None, ""),
        ("ISIC_0001871", "val", "MEL", 55.0, "female"),
        ("ISIC_0012086", "test", "BKL", None, ""),
        ("ISIC_0012092", "test", "NV", 55.0, "female"),
        ("ISIC_0012095", "test", "MEL", 55.0, "female"),
    ]
    masks = root / "ISIC-2017_Test_v2_Part1_GroundTruth"
    assert records[-1].mask_path == masks / "ISIC_0012095_segmentation.png"


def test_without_tables_the_folders_are_read_but_no_superpixels(root: Path) -> None:
    for path in [*root.rglob("*.csv")]:
        path.unlink()
    records = list(ISIC2017(root).records())
    assert [r.image_id for r in records[:3]] == ["ISIC_0000000", "ISIC_0000002", "ISIC_0000009"]
    assert len(records) == 8
    assert {(r.diagnosis, r.age) for r in records} == {("", None)}


def test_one_part_alone(root: Path) -> None:
    for path in [*root.glob("ISIC-2017_T*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert {r.split for r in ISIC2017(root).records()} == {"val"}


@pytest.mark.parametrize("marks", ["1,1", "2,0", ",", "x,0"])
def test_wrong_marks_are_named(marks: str, root: Path) -> None:
    (root / "ISIC-2017_Training_Part3_GroundTruth.csv").write_text(
        f"image_id,melanoma,seborrheic_keratosis\nISIC_0000000,0.0,1.0\nISIC_0000002,{marks}\n"
    )
    with pytest.raises(ManifestError, match=r"Training_Part3_GroundTruth\.csv: row 3, column melanoma"):
        list(ISIC2017(root).records())


def test_an_id_without_an_image(root: Path) -> None:
    (root / "ISIC-2017_Validation_Data" / "ISIC_0001871.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"Validation_Part3_GroundTruth\.csv lists ISIC_0001871 in row 3"):
        list(ISIC2017(root).records())
    assert len(list(ISIC2017(root).records(need_files=False))) == 8


def test_an_empty_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds none of ISIC-2017_Training_Part3_GroundTruth"):
        list(ISIC2017(tmp_path).records())


def test_the_official_counts_add_up() -> None:
    for split, images in (("train", 2_000), ("val", 150), ("test", 600)):
        assert ISIC2017.OFFICIAL_COUNTS[f"{split} images"] == images
        assert sum(ISIC2017.OFFICIAL_COUNTS[f"{split} {code}"] for code in ("MEL", "BKL", "NV")) == images


@pytest.mark.data
def test_the_real_files(real_data: Path) -> None:
    data = ISIC2017(real_data / "ISIC2017")
    assert len(list(data.records())) == 2_750
    assert [d for d in data.verify() if not d.name.endswith("masks")] == []
