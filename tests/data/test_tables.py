from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dermoscope.data.problems import ManifestError
from dermoscope.data.tables import Row, official_rows, open_table


def read(path: Path) -> tuple[tuple[str, ...], list[Row]]:
    with open_table(path) as (header, rows):
        return header, list(rows)


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1,"two\nlines"\n\n,\n3,4\n', encoding="utf-8")
    assert read(tmp_path / "t.csv") == (
        ("a", "b"),
        [Row(2, {"a": "1", "b": "two\nlines"}), Row(5, {"a": "3", "b": "4"})],
    )


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path\nä.jpg\n", encoding="utf-8-sig")
    assert read(tmp_path / "t.csv") == (("path",), [Row(2, {"path": "ä.jpg"})])


@pytest.mark.parametrize(("line", "cells"), [("1", 1), ("1,2,3", 3)])
def test_a_row_of_another_length_says_so(line: str, cells: int, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"a,b\n{line}\n5,6\n", encoding="utf-8")
    _, rows = read(tmp_path / "t.csv")
    assert [row.broken for row in rows] == [f"has {cells} cells, the header 2", ""]
    with pytest.raises(ManifestError, match=rf"t\.csv: row 2: has {cells} cells, the header 2"):
        list(official_rows(tmp_path / "t.csv", ("a",)))


def test_what_is_no_text_is_named_by_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\nä,1\n".encode() + b"\xe4,2\n3,4\n")
    _, rows = read(tmp_path / "t.csv")
    assert [(row.number, row.broken) for row in rows] == [
        (2, ""),
        (3, "is no UTF-8 text; save the table as UTF-8"),
        (4, ""),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"a,\xff\n1,2\n", "row 1: is no UTF-8 text"),
        (b'a,b\n1,"open\n', r"row 2: is no CSV"),
    ],
)
def test_what_is_no_table(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(ManifestError, match=rf"t\.csv: .*{message}"):
        read(tmp_path / "t.csv")


def test_other_endings_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"t\.xlsx: is none of \.csv, \.parquet"):
        read(tmp_path / "t.xlsx")
    with pytest.raises(FileNotFoundError, match=r"t\.csv is no file"):
        read(tmp_path / "t.csv")


def test_official_rows_name_every_missing_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,dx,other\nA,mel,1\n", encoding="utf-8")
    (row,) = official_rows(tmp_path / "t.csv", ("image", "dx"))
    assert row.cells["dx"] == "mel"
    with pytest.raises(ManifestError) as caught:
        list(official_rows(tmp_path / "t.csv", ("image_id", "dx", "age")))
    assert [problem.column for problem in caught.value.problems] == ["image_id", "age"]
    assert "did you mean image?" in str(caught.value)


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"path": ["a", None], "age": [1.5, None], "n": [7, 8]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == (
        ("path", "age", "n"),
        [Row(2, {"path": "a", "age": "1.5", "n": "7"}), Row(3, {"path": "", "age": "", "n": "8"})],
    )
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    with pytest.raises(ManifestError, match=r"bad\.parquet: is no Parquet file"):
        read(tmp_path / "bad.parquet")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \"dermoscope\[store\]\""):
        read(tmp_path / "t.parquet")
