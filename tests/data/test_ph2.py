from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.manifest import ManifestError
from dermoscope.data.ph2 import PH2, PH2Criteria
from tests.data.fake_layouts import fake_ph2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_ph2(tmp_path)
    return tmp_path


def test_records(root: Path) -> None:
    records = list(PH2(root).records())
    assert [(r.image_id, r.diagnosis, r.source) for r in records] == [
        ("IMD003", "NV", "PH2"),
        ("IMD009", "NV", "PH2"),
        ("IMD058", "MEL", "PH2"),
    ]
    folder = root / "PH2 Dataset images" / "IMD058"
    assert records[2].path == folder / "IMD058_Dermoscopic_Image" / "IMD058.bmp"
    assert records[2].mask_path == folder / "IMD058_lesion" / "IMD058_lesion.bmp"


def test_criteria(root: Path) -> None:
    assert list(PH2(root).criteria())[2] == PH2Criteria(
        image_id="IMD058",
        histology="Melanoma",
        kind="melanoma",
        asymmetry=2,
        pigment_network="atypical",
        dots_globules="atypical",
        streaks="present",
        regression_areas="absent",
        blue_whitish_veil="present",
        colours=("light brown", "dark brown", "blue-grey", "black"),
    )


def test_a_folder_around_it(tmp_path: Path) -> None:
    fake_ph2(tmp_path / "PH2Dataset")
    assert len(list(PH2(tmp_path).records())) == 3


@pytest.mark.parametrize(
    "line",
    [
        "|| IMD100 || || 3 || 0 | T | A | A | A | A || 4 ||",
        "|| IMD100 || || 0 || x | T | A | A | A | A || 4 ||",
        "|| IMD100 || || 0 || 0 | T | A | A | A || 4 ||",
        "|| IMD100 || || 0 || 0 | T | A | A | A | A || 7 ||",
    ],
)
def test_a_wrong_row_is_named(line: str, root: Path) -> None:
    with (root / "PH2_dataset.txt").open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(ManifestError, match=r"PH2_dataset\.txt: row 7: .*is no row of the PH2 table"):
        list(PH2(root).criteria())


def test_a_missing_image(root: Path) -> None:
    (root / "PH2 Dataset images" / "IMD009" / "IMD009_Dermoscopic_Image" / "IMD009.bmp").unlink()
    with pytest.raises(FileNotFoundError, match=r"IMD009\.bmp is missing, which PH2_dataset\.txt lists"):
        list(PH2(root).records())
    assert len(list(PH2(root).records(need_files=False))) == 3


def test_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"PH2_dataset\.txt"):
        list(PH2(tmp_path).records())


def test_counts(root: Path) -> None:
    assert PH2(root).counts() == {
        "images": 3,
        "masks": 3,
        "NV": 2,
        "MEL": 1,
        "common nevus": 1,
        "atypical nevus": 1,
        "melanoma": 1,
    }
    assert "atypical nevus: 1 instead of 80" in map(str, PH2(root).verify())
