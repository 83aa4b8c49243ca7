from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dermoscope.data.file_checks import file_problems, image_size
from tests.data.fake_layouts import fake_image, fake_mask


def test_a_pair_that_fits(tmp_path: Path) -> None:
    files = {"path": tmp_path / "a.jpg", "mask_path": tmp_path / "a.png"}
    fake_image(files["path"])
    fake_mask(files["mask_path"], files["path"])
    assert list(file_problems(2, files)) == []


def test_missing_files_are_named_by_column(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    problems = list(file_problems(4, {"path": tmp_path / "folder.jpg", "mask_path": tmp_path / "no.png"}))
    assert [(p.row, p.column, Path(p.value).name) for p in problems] == [
        (4, "path", "folder.jpg"),
        (4, "mask_path", "no.png"),
    ]


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    fake_image(tmp_path / "a.jpg")
    Image.new("L", (16, 24)).save(tmp_path / "a.png")
    (problem,) = file_problems(2, {"path": tmp_path / "a.jpg", "mask_path": tmp_path / "a.png"})
    assert (problem.column, problem.reason) == ("mask_path", "is 16×24 pixels, but its image is 32×24")


def test_the_size_is_that_of_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (32, 24)).save(tmp_path / "a.jpg", exif=exif)
    assert image_size(tmp_path / "a.jpg") == (24, 32)


@pytest.mark.parametrize("data", [b"", b"no image", b"GIF89a\1\0\1\0\0\0\0;", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_what_is_no_image(data: bytes, tmp_path: Path) -> None:
    fake_image(tmp_path / "a.jpg")
    (tmp_path / "a.png").write_bytes(data)
    (problem,) = file_problems(2, {"path": tmp_path / "a.jpg", "mask_path": tmp_path / "a.png"})
    assert problem.column == "mask_path"
    assert problem.reason.startswith(("is none of JPEG", "cannot be read"))
