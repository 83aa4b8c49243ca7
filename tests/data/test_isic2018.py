from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dermoscope.data.isic2018 import ISIC2018Task1, ISIC2018Task3, column_by_image
from dermoscope.data.manifest import ManifestError
from tests.data.fake_layouts import fake_isic2018_task1, fake_isic2018_task3


@pytest.fixture
def task1(tmp_path: Path) -> Path:
    fake_isic2018_task1(tmp_path)
    return tmp_path


@pytest.fixture
def task3(tmp_path: Path) -> Path:
    fake_isic2018_task3(tmp_path)
    return tmp_path


def test_task_1(task1: Path) -> None:
    records = list(ISIC2018Task1(task1).records())
    assert [(r.image_id, r.split) for r in records] == [
        ("ISIC_0000000", "train"),
        ("ISIC_0000001", "train"),
        ("ISIC_0000003", "train"),
        ("ISIC_0012255", "val"),
        ("ISIC_0012169", "test"),
        ("ISIC_0012236", "test"),
    ]
    assert records[0].path == task1 / "ISIC2018_Task1-2_Training_Input" / "ISIC_0000000.jpg"
    assert records[0].mask_path == task1 / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000000_segmentation.png"
    assert {(r.source, r.diagnosis) for r in records} == {("ISIC2018", "")}


def test_task_1_with_diagnoses_and_splits_of_another_year(task1: Path) -> None:
    first, second, *_ = ISIC2018Task1(task1, {"ISIC_0000000": "MEL"}, {"ISIC_0000001": "test"}).records()
    assert (first.diagnosis, second.diagnosis) == ("MEL", "")
    assert (first.split, second.split) == ("", "test")
    assert {record.split for record in ISIC2018Task1(task1, splits={}).records()} == {""}


def test_task_1_needs_every_mask(task1: Path) -> None:
    (task1 / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000001_segmentation.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"ISIC_0000001_segmentation\.png is missing for ISIC_0000001\.jpg"):
        list(ISIC2018Task1(task1).records())
    assert [r.mask_path is None for r in ISIC2018Task1(task1).records(need_files=False)][:3] == [False, True, False]


def test_task_1_test_images_may_be_without_masks(task1: Path) -> None:
    shutil.rmtree(task1 / "ISIC2018_Task1_Test_GroundTruth")
    assert [r.mask_path is None for r in ISIC2018Task1(task1).records()] == [False] * 4 + [True] * 2


def test_task_1_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="ISIC2018_Task1-2_Training_Input is missing; point to the folder"):
        list(ISIC2018Task1(tmp_path).records())


def test_task_1_counts(task1: Path) -> None:
    differences = list(map(str, ISIC2018Task1(task1).verify()))
    assert "train images: 3 instead of 2,594" in differences
    assert "test masks: 2 instead of 1,000" in differences


def test_task_3(task3: Path) -> None:
    records = list(ISIC2018Task3(task3).records())
    assert [(r.image_id, r.split, r.diagnosis, r.lesion_id) for r in records] == [
        ("ISIC_0024306", "train", "NV", "HAM_0000001"),
        ("ISIC_0024307", "train", "NV", "HAM_0000001"),
        ("ISIC_0024308", "train", "AKIEC", "HAM_0000002"),
        ("ISIC_0024309", "train", "MEL", "HAM_0000003"),
        ("ISIC_0034321", "val", "BCC", ""),
        ("ISIC_0034524", "test", "DF", ""),
    ]
    assert records[-1].path == task3 / "ISIC2018_Task3_Test_Input" / "ISIC_0034524.jpg"


def test_task_3_tables_beside_their_folders_and_parts_missing(task3: Path) -> None:
    name = "ISIC2018_Task3_Training_GroundTruth"
    (task3 / name / f"{name}.csv").rename(task3 / f"{name}.csv")
    for part in ("Validation", "Test"):
        shutil.rmtree(task3 / f"ISIC2018_Task3_{part}_GroundTruth")
    (task3 / "ISIC2018_Task3_Training_LesionGroupings.csv").unlink()
    assert [(r.split, r.lesion_id) for r in ISIC2018Task3(task3).records()] == [("train", "")] * 4


def test_task_3_an_id_without_an_image(task3: Path) -> None:
    (task3 / "ISIC2018_Task3_Training_Input" / "ISIC_0024308.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"Training_GroundTruth\.csv lists ISIC_0024308 in row 4"):
        list(ISIC2018Task3(task3).records())
    assert ISIC2018Task3(task3).counts()["train lesions"] == 3


def test_task_3_empty_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds none of ISIC2018_Task3_Training_GroundTruth"):
        list(ISIC2018Task3(tmp_path).records())


def test_task_3_official_counts_add_up() -> None:
    codes = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
    assert sum(ISIC2018Task3.OFFICIAL_COUNTS[f"train {code}"] for code in codes) == 10_015


def test_column_by_image(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,dx,split\na,MEL,train\nb,NV,test\n")
    assert column_by_image(tmp_path / "labels.csv", "image", "split") == {"a": "train", "b": "test"}


@pytest.mark.parametrize(("image_column", "value_column", "missing"), [("id", "dx", "id"), ("image", "age", "age")])
def test_a_missing_column_is_named(image_column: str, value_column: str, missing: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,dx\na,MEL\n")
    with pytest.raises(ManifestError, match=rf"labels\.csv: row 1, column {missing}: is missing.*has image, dx"):
        column_by_image(tmp_path / "labels.csv", image_column, value_column)


@pytest.mark.data
@pytest.mark.parametrize("folder", ["ISIC2018", "ISIC2018_256"])
def test_the_real_files(real_data: Path, folder: str) -> None:
    data = ISIC2018Task1(real_data / folder)
    records = list(data.records())
    assert len({record.image_id for record in records}) == len(records) == 2_594
    assert {difference.name.split()[0] for difference in data.verify()} == {"val", "test"}
