from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.isic2018 import ISIC2018Task1, column_by_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder, suffix in (("Task1-2_Training_Input", ".jpg"), ("Task1_Training_GroundTruth", "_segmentation.png")):
        (tmp_path / f"ISIC2018_{folder}").mkdir()
        for name in ("ISIC_0000002", "ISIC_0000001"):
            (tmp_path / f"ISIC2018_{folder}" / f"{name}{suffix}").touch()
    (tmp_path / "ISIC2018_Task1-2_Training_Input" / "LICENSE.txt").touch()
    return tmp_path


def test_records(root: Path) -> None:
    data = ISIC2018Task1(root, {"ISIC_0000001": "MEL"}, {"ISIC_0000002": "test"})
    first, second = data.records()
    assert (first.image_id, second.image_id) == ("ISIC_0000001", "ISIC_0000002")
    assert (first.diagnosis, second.diagnosis) == ("MEL", "")
    assert (first.split, second.split) == ("", "test")
    assert first.path == root / "ISIC2018_Task1-2_Training_Input" / "ISIC_0000001.jpg"
    assert first.mask_path == root / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000001_segmentation.png"
    assert first.source == "ISIC2018"


def test_a_missing_mask_is_named(root: Path) -> None:
    (root / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000001_segmentation.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"ISIC_0000001_segmentation\.png is missing for ISIC_0000001\.jpg"):
        list(ISIC2018Task1(root, {}, {}).records())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="ISIC2018_Task1-2_Training_Input is missing; point to the folder"):
        list(ISIC2018Task1(tmp_path, {}, {}).records())


def test_column_by_image(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,dx,split\na,MEL,train\nb,NV,test\n")
    assert column_by_image(tmp_path / "labels.csv", "image", "split") == {"a": "train", "b": "test"}


@pytest.mark.parametrize(("image_column", "value_column", "missing"), [("id", "dx", "id"), ("image", "age", "age")])
def test_a_missing_column_is_named(image_column: str, value_column: str, missing: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,dx\na,MEL\n")
    with pytest.raises(KeyError, match=rf"labels\.csv has no column '{missing}'; it has image, dx"):
        column_by_image(tmp_path / "labels.csv", image_column, value_column)


@pytest.mark.data
@pytest.mark.parametrize("folder", ["ISIC2018", "ISIC2018_256"])
def test_the_real_files(real_data: Path, folder: str) -> None:
    records = list(ISIC2018Task1(real_data / folder, {}, {}).records())
    assert len(records) == 2_594
    assert len({record.image_id for record in records}) == 2_594
