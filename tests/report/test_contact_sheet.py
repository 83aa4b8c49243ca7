from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermoscope.data.manifest import Record
from dermoscope.report.contact_sheet import Entry, Picture, Problems, Sampler, Sheet, make_sheet


def save_image(path: Path, width: int = 600, height: int = 450) -> Path:
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    exif[0x0112] = 1
    Image.new("RGB", (width, height), (200, 150, 140)).save(path, exif=exif)
    return path


def save_mask(path: Path, width: int = 600, height: int = 450) -> Path:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 255
    Image.fromarray(mask).save(path)
    return path


def entry(folder: Path, row: int = 1, **values: object) -> Entry:
    path = folder / f"secret_{row}.jpg"
    if not path.exists():
        save_image(path)
    return Entry(row, Record.model_validate({"image_id": f"secret_{row}", "path": path, "diagnosis": "NV", **values}))


def sheet_of(*entries: Entry, wanted: int = 24, names: bool = False) -> tuple[Sheet, Problems]:
    problems = Problems(names=names)
    return make_sheet("NV", 100, entries, wanted, problems, names=names), problems


def pixels_of(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.source.removeprefix("data:image/jpeg;base64,"))))


def test_a_picture_carries_pixels_alone(tmp_path: Path) -> None:
    sheet, problems = sheet_of(entry(tmp_path, split="train", age=45, sex="male", site="back"))
    (picture,) = sheet.pictures
    image = pixels_of(picture)
    assert (image.size, image.format) == ((288, 216), "JPEG") == ((picture.width, picture.height), "JPEG")
    assert not image.getexif()
    assert b"SECRET" not in base64.b64decode(picture.source.partition(",")[2])
    assert (picture.name, picture.about, picture.split, picture.outline) == ("", "", "train", "")
    assert (sheet.title, sheet.images, problems.count) == ("melanocytic nevus", 100, 0)


def test_names_if_asked_for(tmp_path: Path) -> None:
    sheet, _ = sheet_of(entry(tmp_path, age=45, sex="male", site="lower\nback"), names=True)
    assert sheet.pictures[0].name == "secret_1"
    assert sheet.pictures[0].about == "45 years, male, lower\\nback"


@pytest.mark.parametrize("size", [(600, 450), (200, 150)])
def test_the_outline_lies_where_the_mask_is(size: tuple[int, int], tmp_path: Path) -> None:
    sheet, _ = sheet_of(entry(tmp_path, mask_path=save_mask(tmp_path / "mask.png", *size)))
    outline = sheet.pictures[0].outline
    points = np.array([[int(x), int(y)] for x, y in re.findall(r"(\d+) (\d+)", outline)])
    assert outline.startswith("M")
    assert outline.endswith("Z")
    assert points.min(axis=0) == pytest.approx([288 / 4, 216 / 4], abs=1.5)
    assert points.max(axis=0) == pytest.approx([288 / 2, 216 / 2], abs=1.5)


def test_an_empty_mask_has_no_outline(tmp_path: Path) -> None:
    Image.new("L", (600, 450)).save(tmp_path / "mask.png")
    sheet, problems = sheet_of(entry(tmp_path, mask_path=tmp_path / "mask.png"))
    assert (sheet.pictures[0].outline, problems.count) == ("", 0)


def test_broken_images_are_replaced_and_listed(tmp_path: Path) -> None:
    (tmp_path / "secret_2.jpg").write_text("no image")
    (tmp_path / "secret_4.jpg").write_bytes(save_image(tmp_path / "whole.jpg").read_bytes()[:500])
    entries = [entry(tmp_path, row) for row in (5, 4, 3, 2, 1)]
    sheet, problems = sheet_of(*entries, wanted=3)
    assert [picture.row for picture in sheet.pictures] == [1, 3, 5], "the spare ones fill in, in the manifest's order"
    assert [(problem.row, problem.what, problem.name) for problem in problems.kept] == [
        (2, "image", ""),
        (4, "image", ""),
    ]
    assert all("secret" not in problem.reason for problem in problems.kept)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("no mask"), "is not an image"),
        (lambda path: save_mask(path, 450, 600), "has another shape than its image: 450 × 600 pixels"),
        (lambda _: None, "does not exist"),
    ],
)
def test_broken_masks_are_listed_and_the_image_is_shown(make: object, reason: str, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "secret.png")
    sheet, problems = sheet_of(entry(tmp_path, mask_path=tmp_path / "secret.png"), names=True)
    assert sheet.pictures[0].outline == ""
    (problem,) = problems.kept
    assert problem.what == "mask"
    assert reason in problem.reason
    assert problem.name.endswith("secret.png")


def test_problems_are_all_counted_and_the_first_kept() -> None:
    problems = Problems(names=False)
    for row in range(1, 601):
        problems.add(row, "image", Path("secret.jpg"), "does not exist")
    problems.add(1, "image", Path("secret.jpg"), "the same row once more")
    assert (problems.count, len(problems.kept), problems.kept[0].name) == (600, 500, "")


def test_the_sampler_takes_every_class_alike(tmp_path: Path) -> None:
    sampler = Sampler(3, seed=0)
    record = entry(tmp_path).record
    for row in range(100):
        sampler.add(Entry(row, record.model_copy(update={"diagnosis": "NV" if row % 10 else "MEL"})))
    assert len(list(sampler.entries("NV"))) == 3 + 8
    assert {one.row % 10 for one in sampler.entries("MEL")} == {0}
