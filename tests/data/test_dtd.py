from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.dtd import DTD
from tests.data.fake_layouts import TEXTURES, fake_dtd


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_dtd(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    records = list(DTD(root).records())
    assert len(records) == 9
    assert records[0].image_id == "banded_0002"
    assert records[0].path == root / "images" / "banded" / "banded_0002.jpg"
    assert {(r.diagnosis, r.source, r.split) for r in records} == {("NOT_SKIN", "DTD", "")}
    assert {r.site for r in records} == set(TEXTURES)


def test_an_official_split(root: Path) -> None:
    records = list(DTD(root, official_split=1).records())
    assert [(r.image_id, r.split) for r in records[:3]] == [
        ("banded_0002", "train"),
        ("banded_0004", "val"),
        ("banded_0005", "test"),
    ]
    with pytest.raises(FileNotFoundError, match=r"train2\.txt"):
        list(DTD(root, official_split=2).records())


def test_a_folder_around_it(tmp_path: Path) -> None:
    fake_dtd(tmp_path / "dtd")
    assert len(list(DTD(tmp_path, official_split=1).records())) == 9


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="images is missing; point to the folder that holds it"):
        list(DTD(tmp_path).records())


def test_counts(root: Path) -> None:
    (root / "images" / "grid" / "grid_0002.jpg").unlink()
    counts = DTD(root).counts()
    assert (counts["images"], counts["textures"]) == (8, 3)
    assert (counts["fewest images a texture"], counts["most images a texture"]) == (2, 3)
    assert "textures: 3 instead of 47" in map(str, DTD(root).verify())


@pytest.mark.data
def test_the_real_files(real_data: Path) -> None:
    counts = DTD(real_data / "DTD").counts()
    assert counts["fewest images a texture"] == counts["most images a texture"] == 120
    assert counts["images"] == 120 * counts["textures"]
