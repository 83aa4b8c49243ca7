from __future__ import annotations

from pathlib import Path

from dermoscope.data.own_table import OwnTable


def test_a_column_of_paths_is_enough(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("path,diagnosis\na.jpg,MEL\n")
    (record,) = OwnTable(tmp_path / "own.csv").records()
    assert (record.path, record.image_id, record.diagnosis) == (tmp_path / "a.jpg", "a", "MEL")
    assert OwnTable(tmp_path / "own.csv").verify() == ()
