from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.manifest import COLUMNS, Record, read_manifest, write_manifest

FULL = Record(
    image_id="ISIC_1",
    path=Path("images/ISIC_1, copy.jpg"),
    mask_path=Path("masks/ISIC_1.png"),
    diagnosis="MEL",
    source="HAM10000",
    lesion_id="HAM_1",
    patient_id="P1",
    split="train",
    age=42.5,
    sex="female",
    site="lower extremity",
    skin_tone="type II",
    sha256="0" * 64,
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    records = [FULL, Record(image_id="b", path=Path("b.jpg")), Record(image_id="Hautärztin", path=Path("ä.jpg"))]
    write_manifest(records, tmp_path / "deep" / "manifest.csv")
    assert list(read_manifest(tmp_path / "deep" / "manifest.csv")) == records


def test_the_header_and_empty_cells(tmp_path: Path) -> None:
    write_manifest([Record(image_id="b", path=Path("b.jpg"))], tmp_path / "manifest.csv")
    header, row = (tmp_path / "manifest.csv").read_bytes().decode().split("\n")[:2]
    assert header == ",".join(COLUMNS)
    assert row == "b,b.jpg" + "," * (len(COLUMNS) - 2)


def test_a_column_of_paths_is_enough(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path\nphotos/one.jpg\ntwo.png\n")
    assert [(r.image_id, str(r.path)) for r in read_manifest(tmp_path / "manifest.csv")] == [
        ("one", "photos/one.jpg"),
        ("two", "two.png"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,colour\na.jpg,red\n", r"knows image_id, path.*; found \{'colour'\}"),
        ("image_id\na\n", r"needs the column path"),
        ("", r"needs the column path"),
        ("path,age\na.jpg,1\nb.jpg,old\n", r"line 3: .*age"),
        ("path,image_id\n,a\n", r"line 2: .*path"),
        ("path\na.jpg,more\n", r"line 2: "),
    ],
)
def test_a_wrong_manifest_names_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ValueError, match=r"(?s)manifest\.csv.*" + message):
        list(read_manifest(tmp_path / "manifest.csv"))


@pytest.mark.parametrize(
    ("patient", "lesion", "expected"), [("P", "L", "P"), ("P", "", "P"), ("", "L", "L"), ("", "", "image")]
)
def test_group(patient: str, lesion: str, expected: str) -> None:
    assert Record(image_id="image", path=Path("a"), patient_id=patient, lesion_id=lesion).group_id == expected
