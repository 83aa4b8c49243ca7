from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.isic2020 import ISIC2020
from dermoscope.data.manifest import ManifestError
from tests.data.fake_layouts import fake_isic2020


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_isic2020(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    records = list(ISIC2020(root).records())
    assert [(r.image_id, r.split, r.diagnosis, r.patient_id, r.lesion_id) for r in records] == [
        ("ISIC_0015719", "train", "UNK", "IP_3075186", "IL_1"),
        ("ISIC_0052212", "train", "NV", "IP_2842074", "IL_2"),
        ("ISIC_0068279", "train", "MEL", "IP_2842074", "IL_3"),
        ("ISIC_0074268", "train", "BKL", "IP_6890425", "IL_4"),
        ("ISIC_0074311", "train", "UNK", "IP_6890425", "IL_4"),
        ("ISIC_0052060", "test", "", "IP_3579794", ""),
        ("ISIC_0052349", "test", "", "IP_7782715", ""),
    ]
    assert records[1].group_id == records[2].group_id
    assert (records[0].age, records[0].sex, records[0].site) == (45.0, "female", "upper extremity")
    assert (records[2].age, records[2].sex, records[2].site) == (None, "", "")
    assert (records[6].age, records[6].sex, records[6].site) == (40.0, "male", "lower extremity")


@pytest.mark.parametrize("folder", ["ISIC_2020_Training_JPEG/train", "ISIC_2020_Training_Input", "jpeg/train"])
def test_where_the_training_images_may_lie(folder: str, root: Path) -> None:
    (root / folder).parent.mkdir(parents=True, exist_ok=True)
    (root / "train").rename(root / folder)
    assert next(ISIC2020(root).records()).path == root / folder / "ISIC_0015719.jpg"


def test_the_first_version_of_the_table_has_no_lesions(root: Path) -> None:
    table = root / "ISIC_2020_Training_GroundTruth_v2.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    text = "\n".join(",".join([*row[:2], *row[3:]]) for row in rows)
    table.unlink()
    (root / "ISIC_2020_Training_GroundTruth.csv").write_text(text + "\n")
    records = list(ISIC2020(root).records())
    assert (records[2].diagnosis, records[2].lesion_id, records[2].patient_id) == ("MEL", "", "IP_2842074")


def test_an_unknown_diagnosis_is_named(root: Path) -> None:
    table = root / "ISIC_2020_Training_GroundTruth_v2.csv"
    table.write_text(table.read_text().replace("lentigo NOS", "wart"))
    with pytest.raises(ManifestError, match=r"v2\.csv: row 5, column diagnosis: 'wart' is none of melanoma"):
        list(ISIC2020(root).records())


def test_either_part_alone(root: Path) -> None:
    (root / "ISIC_2020_Test_Metadata.csv").rename(root / "away")
    assert {r.split for r in ISIC2020(root).records()} == {"train"}
    (root / "away").rename(root / "ISIC_2020_Test_Metadata.csv")
    (root / "ISIC_2020_Training_GroundTruth_v2.csv").unlink()
    assert {r.split for r in ISIC2020(root).records()} == {"test"}


def test_an_id_without_an_image(root: Path) -> None:
    (root / "train" / "ISIC_0068279.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"GroundTruth_v2\.csv lists ISIC_0068279 in row 4"):
        list(ISIC2020(root).records())


def test_an_empty_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds none of .*ISIC_2020_Test_Metadata\.csv"):
        list(ISIC2020(tmp_path).records())


def test_counts(root: Path) -> None:
    counts = ISIC2020(root).counts()
    assert (counts["train images"], counts["train patients"], counts["train UNK"], counts["test images"]) == (
        5,
        3,
        2,
        2,
    )
    official = ISIC2020.OFFICIAL_COUNTS
    assert sum(official[f"train {code}"] for code in ("MEL", "NV", "BKL", "UNK")) == official["train images"]
