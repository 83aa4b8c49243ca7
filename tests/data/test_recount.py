from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data import recount
from dermoscope.data.recount import Tables, TablesMissingError, leaky_textures, shares
from tests.data import fake_layouts


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Every data set that is counted, in tiny fake copies."""
    fake_layouts.fake_isic2019(tmp_path / "ISIC2019")
    fake_layouts.fake_ham10000(tmp_path / "HAM10000")
    fake_layouts.fake_isic2017(tmp_path / "ISIC2017")
    fake_layouts.fake_isic2018_task1(tmp_path / "ISIC2018")
    fake_layouts.fake_dtd(tmp_path / "DTD")
    return Tables(tmp_path)


@pytest.mark.parametrize(
    ("number", "percent", "parts"),
    [
        (33_569, (70, 15), (23_498, 5_035, 5_036)),
        (5_640, (70, 15), (3_948, 846, 846)),
        (5_687, (70, 15), (3_980, 853, 854)),
        (12_875, (60, 15), (7_725, 1_931, 3_219)),
        (628, (60, 15), (376, 94, 158)),
        (100, (70, 15), (70, 15, 15)),
        (0, (70, 15), (0, 0, 0)),
    ],
)
def test_shares_are_rounded_down_and_the_rest_is_last(
    number: int, percent: tuple[int, int], parts: tuple[int, ...]
) -> None:
    assert shares(number, percent) == parts
    assert sum(parts) == number


def test_the_leaky_split_is_explained_by_whole_textures() -> None:
    found = leaky_textures(5_640, 47, recount.LEAKY_DTD_FILES)
    assert found == (32, 7, 8)
    assert sum(found) == 47
    with pytest.raises(ValueError, match="no whole number of textures among 3980 units makes 19740 files"):
        leaky_textures(5_640, 47, (19_740, 4_230, 4_230))


def test_textures_of_a_whole_copy(tmp_path: Path) -> None:
    for texture in range(47):
        folder = tmp_path / "DTD" / "images" / f"texture{texture:02d}"
        folder.mkdir(parents=True)
        for number in range(120):
            (folder / f"texture{texture:02d}_{number:04d}.jpg").touch()
    found = recount.graz_textures(Tables(tmp_path))
    assert (found["images"], found["images ×5"]) == (5_640, 28_200)
    parts = ("training", "validation", "test")
    assert [found[f"clean split, {part}"] for part in parts] == [3_948, 846, 846]
    assert [found[f"clean split, {part} ×5"] for part in parts] == [19_740, 4_230, 4_230]
    assert [found[f"leaky split, {part}: files"] for part in parts] == [19_632, 4_224, 4_344]
    assert [found[f"leaky split, {part}: textures as one"] for part in parts] == [32, 7, 8]
    with pytest.raises(TablesMissingError, match=r"ISIC2019 \(train\) is not there"):
        recount.graz_gate(Tables(tmp_path))


def test_a_part_of_the_textures_is_not_counted_as_all(tables: Tables) -> None:
    with pytest.raises(TablesMissingError, match="DTD is there with 3 of 47 textures"):
        recount.graz_textures(tables)


def test_isic2019(tables: Tables) -> None:
    found = recount.isic2019(tables)
    assert (found["training images"], found["test images"], found["images"], found["UNK"]) == (5, 3, 8, 1)
    assert (found["in five groups"], found["melanocytic"], found["non-melanocytic carcinoma"]) == (7, 3, 3)
    assert (found["malignant by graz"], found["benign by graz"], found["in training and test"]) == (5, 2, 0)
    lesions = recount.isic2019_lesions(tables)
    assert (lesions["lesions"], lesions["lesions with several images"], lesions["most images of a lesion"]) == (3, 1, 2)
    assert (lesions["images without a lesion id"], lesions["from BCN20000"]) == (1, 2)
    assert lesions["files named _downsampled"] == 1


def test_without_diagnoses_nothing_is_counted(tables: Tables, tmp_path: Path) -> None:
    (tmp_path / "ISIC2019" / "ISIC_2019_Test_GroundTruth.csv").unlink()
    with pytest.raises(TablesMissingError, match=r"ISIC2019 \(test\) is there without diagnoses"):
        recount.isic2019(tables)


def test_ham10000_and_overlaps(tables: Tables) -> None:
    assert recount.ham10000(tables) == {
        "images": 6,
        "lesions": 4,
        "lesions with several images": 2,
        "images of such lesions": 4,
        "most images of a lesion": 2,
    }
    assert recount.akiec(tables) == {"AK": 1, "SCC": 0, "in neither": 0}
    assert recount.overlaps(tables) == {
        "HAM10000": 2,
        "ISIC 2017 train": 2,
        "ISIC 2017 val": 0,
        "ISIC 2017 test": 0,
    }
    assert recount.task1_overlaps(tables)["in ISIC 2017"] == 1


def test_copies_and_shares(tables: Tables) -> None:
    found = recount.graz(tables)
    assert (found["skin ×5"], found["in five groups ×5"], found["malignant by graz ×5"]) == (40, 35, 25)
    assert [found[f"skin, {part}"] for part in ("training", "validation", "test")] == [5, 1, 2]
    assert recount.girona(tables)["test, others"] == 4
