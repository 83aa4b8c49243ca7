from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope import taxonomy
from dermoscope.data.ham10000 import HAM10000

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("HAM10000_images_part_1", "HAM10000_images_part_2", "HAM10000_segmentations_lesion_tschandl"):
        (tmp_path / folder).mkdir()
    (tmp_path / "HAM10000_images_part_1" / "ISIC_0000001.jpg").touch()
    (tmp_path / "HAM10000_images_part_2" / "ISIC_0000002.jpg").touch()
    (tmp_path / "HAM10000_segmentations_lesion_tschandl" / "ISIC_0000002_segmentation.png").touch()
    (tmp_path / "HAM10000_metadata.csv").write_text(
        HEADER
        + "HAM_0000001,ISIC_0000002,akiec,histo,80.0,male,scalp\n"
        + "HAM_0000001,ISIC_0000001,mel,histo,,unknown,\n"
    )
    return tmp_path


def test_records(root: Path) -> None:
    first, second = HAM10000(root).records()
    assert first.image_id == "ISIC_0000002"
    assert first.path == root / "HAM10000_images_part_2" / "ISIC_0000002.jpg"
    assert first.mask_path == root / "HAM10000_segmentations_lesion_tschandl" / "ISIC_0000002_segmentation.png"
    assert (first.diagnosis, first.lesion_id, first.source) == ("AKIEC", "HAM_0000001", "HAM10000")
    assert (first.age, first.sex, first.site) == (80.0, "male", "scalp")
    assert second.path == root / "HAM10000_images_part_1" / "ISIC_0000001.jpg"
    assert second.mask_path is None
    assert (second.diagnosis, second.age, second.sex, second.site) == ("MEL", None, "", "")
    assert first.group_id == second.group_id


@pytest.mark.parametrize("dx", ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"])
def test_every_diagnosis_is_known(dx: str, root: Path) -> None:
    (root / "HAM10000_metadata.csv").write_text(f"{HEADER}L,ISIC_0000001,{dx},histo,1,male,back\n")
    assert [record.diagnosis for record in HAM10000(root).records()] == [taxonomy.HAM10000_DX[dx]]


def test_a_missing_image_is_named(root: Path) -> None:
    (root / "HAM10000_images_part_1" / "ISIC_0000001.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"HAM10000_metadata\.csv lists ISIC_0000001"):
        list(HAM10000(root).records())


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"HAM10000_metadata\.csv"):
        list(HAM10000(tmp_path).records())


@pytest.mark.data
def test_the_real_files(real_data: Path) -> None:
    records = list(HAM10000(real_data / "HAM10000").records())
    assert len(records) == 10_015
    assert len({record.image_id for record in records}) == 10_015
    assert len({record.lesion_id for record in records}) == 7_470
    assert {record.diagnosis for record in records} == set(taxonomy.HAM10000_CODES)
    assert all(record.mask_path for record in records)
