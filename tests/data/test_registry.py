from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dermoscope.data.manifest import manifest_problems, read_manifest, write_manifest
from dermoscope.data.registry import READERS, open_layout
from tests.data import fake_layouts

FAKES: dict[str, Callable[[Path], None]] = {
    "ham10000": fake_layouts.fake_ham10000,
    "isic2016": fake_layouts.fake_isic2016,
    "isic2017": fake_layouts.fake_isic2017,
    "isic2018-task1": fake_layouts.fake_isic2018_task1,
    "isic2018-task3": fake_layouts.fake_isic2018_task3,
    "isic2019": fake_layouts.fake_isic2019,
    "isic2020": fake_layouts.fake_isic2020,
    "ph2": fake_layouts.fake_ph2,
    "dtd": fake_layouts.fake_dtd,
    "classes": fake_layouts.fake_class_folders,
    "photographs": fake_layouts.fake_photographs,
}


def test_every_layout_has_a_fake_copy() -> None:
    assert set(FAKES) == set(READERS) - {"table"}


@pytest.mark.parametrize("name", FAKES)
def test_every_fake_copy_makes_a_manifest_without_problems(name: str, tmp_path: Path) -> None:
    FAKES[name](tmp_path / "data")
    reader = open_layout(name, tmp_path / "data")
    count = write_manifest(reader.records(), tmp_path / "manifest.csv")
    assert count == len(list(read_manifest(tmp_path / "manifest.csv"))) == reader.counts()["images"] > 0
    assert list(manifest_problems(tmp_path / "manifest.csv")) == []


@pytest.mark.parametrize("name", sorted(set(READERS) - {"classes", "photographs", "table"}))
def test_every_official_layout_says_what_it_is(name: str) -> None:
    reader = READERS[name]
    text = reader.__doc__ or ""
    for word in ("Format", "Classes", "Split", "Licence", "Citation", "Official counts", "Attributes"):
        assert f"{word}:" in text or f"{word}, for" in text
    assert reader.OFFICIAL_COUNTS
    assert reader.TITLE
    assert reader.LICENCE.split()[0] in text or reader.LICENCE.split()[0].lower() in text.lower()


@pytest.mark.parametrize("name", sorted(set(FAKES) - {"classes", "photographs"}))
def test_every_fake_copy_is_told_from_the_real_one(name: str, tmp_path: Path) -> None:
    FAKES[name](tmp_path)
    differences = open_layout(name, tmp_path).verify()
    assert differences
    assert all(difference.name in READERS[name].OFFICIAL_COUNTS for difference in differences)


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"unknown layout 'HAM1000'; did you mean ham10000\? Known layouts: ham10000, "
    ):
        open_layout("HAM1000", tmp_path)
