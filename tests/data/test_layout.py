from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.layout import (
    CountDifference,
    age_of,
    count_records,
    folder_of,
    image_in,
    images_below,
    listed_image,
    marked_code,
    mask_in,
    sex_of,
    table_of,
)
from dermoscope.data.manifest import ManifestError, Record
from dermoscope.data.tables import Row

TABLE = Path("t.csv")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_counts_by_split_and_code() -> None:
    records = [
        Record(image_id="a", path=Path("a"), split="train", diagnosis="MEL", lesion_id="L1", mask_path=Path("m")),
        Record(image_id="b", path=Path("b"), split="train", diagnosis="NV", lesion_id="L1", patient_id="P1"),
        Record(image_id="c", path=Path("c"), split="test", lesion_id="L2"),
        Record(image_id="d", path=Path("d"), diagnosis="NV"),
    ]
    assert count_records(records) == {
        "images": 4,
        "masks": 1,
        "MEL": 1,
        "NV": 2,
        "lesions": 2,
        "patients": 1,
        "train images": 2,
        "train masks": 1,
        "train MEL": 1,
        "train NV": 1,
        "train lesions": 1,
        "train patients": 1,
        "test images": 1,
        "test masks": 0,
        "test lesions": 1,
    }


def test_a_difference_in_words() -> None:
    assert str(CountDifference("train MEL", 1113, 1112)) == "train MEL: 1,112 instead of 1,113"


def test_a_folder_in_a_folder_of_its_name(tmp_path: Path) -> None:
    assert folder_of(tmp_path, "X", "Y") == tmp_path / "X"
    (tmp_path / "Y").mkdir()
    assert folder_of(tmp_path, "X", "Y") == tmp_path / "Y"
    (tmp_path / "X" / "X").mkdir(parents=True)
    assert folder_of(tmp_path, "X", "Y") == tmp_path / "X" / "X"


def test_a_table_in_a_folder_of_its_name(tmp_path: Path) -> None:
    assert table_of(tmp_path, "t.csv", "u.csv") == tmp_path / "t.csv"
    inner = touch(tmp_path / "u" / "u.csv")
    assert table_of(tmp_path, "t.csv", "u.csv") == inner
    outer = touch(tmp_path / "u.csv")
    assert table_of(tmp_path, "t.csv", "u.csv") == outer


def test_an_image_by_its_id(tmp_path: Path) -> None:
    second = touch(tmp_path / "2" / "b.png")
    folders = [tmp_path / "1", tmp_path / "2"]
    assert image_in(folders, "b") == second
    assert image_in(folders, "a") is None
    assert listed_image(TABLE, 3, folders, "b", need_files=True) == second
    assert listed_image(TABLE, 3, folders, "a", need_files=False) == tmp_path / "1" / "a.jpg"
    with pytest.raises(FileNotFoundError, match=r"t\.csv lists a in row 3, but no image of that name lies in .*1 or "):
        listed_image(TABLE, 3, folders, "a", need_files=True)


def test_images_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/z.png", "a/notes.txt"):
        touch(tmp_path / name)
    assert [path.name for path in images_below(tmp_path)] == ["z.png", "b.JPG"]


def test_the_first_mask_that_exists(tmp_path: Path) -> None:
    mask = touch(tmp_path / "a_Segmentation.png")
    assert mask_in(tmp_path, "a", "_x.png", "_Segmentation.png") == mask
    assert mask_in(tmp_path, "a", "_x.png") is None


@pytest.mark.parametrize(
    ("cell", "age"), [("45.0", 45.0), ("0", 0.0), ("", None), ("unknown", None), ("NA", None), (" 7 ", 7.0)]
)
def test_ages(cell: str, age: float | None) -> None:
    assert age_of(TABLE, Row(2, {"age": cell}), "age") == age


def test_a_wrong_age_is_named() -> None:
    with pytest.raises(ManifestError, match=r"t\.csv: row 2, column age: 'old' is no age"):
        age_of(TABLE, Row(2, {"age": "old"}), "age")


@pytest.mark.parametrize(("cell", "sex"), [("male", "male"), ("female", "female"), ("unknown", ""), ("", "")])
def test_sexes(cell: str, sex: str) -> None:
    assert sex_of(cell) == sex


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"MEL": "0", "NV": "0.0"}, r"row 5: marks none of MEL, NV instead of one"),
        ({"MEL": "1", "NV": "1.0"}, r"row 5: marks MEL, NV of MEL, NV instead of one"),
        ({"MEL": "x", "NV": "1"}, r"row 5, column MEL: 'x' is neither 0 nor 1"),
    ],
)
def test_one_code_must_be_marked(cells: dict[str, str], message: str) -> None:
    assert marked_code(TABLE, Row(5, {"MEL": "0.0", "NV": "1.0"}), ("MEL", "NV")) == "NV"
    with pytest.raises(ManifestError, match=message):
        marked_code(TABLE, Row(5, cells), ("MEL", "NV"))
