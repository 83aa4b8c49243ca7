from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope import taxonomy
from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.layout import CountDifference
from dermoscope.data.manifest import ManifestError
from tests.data.fake_layouts import fake_ham10000

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_ham10000(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    first, second, third, fourth, *_ = HAM10000(root).records()
    assert first.path == root / "HAM10000_images_part_1" / "ISIC_0024306.jpg"
    assert first.mask_path == root / "HAM10000_segmentations_lesion_tschandl" / "ISIC_0024306_segmentation.png"
    assert second.path == root / "HAM10000_images_part_2" / "ISIC_0029306.jpg"
    assert (third.diagnosis, third.lesion_id, third.source) == ("AKIEC", "HAM_0000002", "HAM10000")
    assert (third.age, third.sex, third.site, third.split) == (80.0, "female", "face", "")
    assert (fourth.diagnosis, fourth.age, fourth.sex) == ("MEL", None, "")
    assert first.group_id == second.group_id != third.group_id


@pytest.mark.parametrize("dx", ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"])
def test_every_diagnosis_is_known(dx: str, root: Path) -> None:
    (root / "HAM10000_metadata.csv").write_text(f"{HEADER}L,ISIC_0024306,{dx},histo,1,male,back\n")
    assert [record.diagnosis for record in HAM10000(root).records()] == [taxonomy.HAM10000_DX[dx]]


def test_an_unknown_diagnosis_is_named_by_row_and_column(root: Path) -> None:
    (root / "HAM10000_metadata.csv").write_text(f"{HEADER}L,ISIC_0024306,wart,histo,1,male,back\n")
    with pytest.raises(ManifestError, match=r"HAM10000_metadata\.csv: row 2, column dx: 'wart' is none of mel, nv"):
        list(HAM10000(root).records())


def test_a_missing_mask_is_no_error(root: Path) -> None:
    (root / "HAM10000_segmentations_lesion_tschandl" / "ISIC_0024306_segmentation.png").unlink()
    assert next(HAM10000(root).records()).mask_path is None


def test_a_missing_image_is_named(root: Path) -> None:
    (root / "HAM10000_images_part_1" / "ISIC_0024307.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"HAM10000_metadata\.csv lists ISIC_0024307 in row 4"):
        list(HAM10000(root).records())


def test_tables_can_be_read_without_images(root: Path) -> None:
    for path in root.rglob("*.jpg"):
        path.unlink()
    records = list(HAM10000(root).records(need_files=False))
    assert len(records) == 6
    assert records[0].path == root / "HAM10000_images_part_1" / "ISIC_0024306.jpg"


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"HAM10000_metadata\.csv"):
        list(HAM10000(tmp_path).records())


def test_counts_and_what_differs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {"images": 6, "masks": 6, "lesions": 4, "MEL": 2, "NV": 2, "AKIEC": 1, "VASC": 1}
    data = HAM10000(root)
    assert data.counts() == expected
    assert CountDifference("images", 10_015, 6) in data.verify()
    monkeypatch.setattr(HAM10000, "OFFICIAL_COUNTS", {**expected, "NV": 3})
    assert data.verify() == (CountDifference("NV", 3, 2),)


@pytest.mark.data
def test_the_real_files(real_data: Path) -> None:
    data = HAM10000(real_data / "HAM10000")
    assert data.verify() == ()
    records = list(data.records())
    assert len({record.image_id for record in records}) == 10_015
    assert {record.diagnosis for record in records} == set(taxonomy.HAM10000_CODES)
