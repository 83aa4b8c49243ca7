from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.folder import IMAGE_SUFFIXES, ClassFolders, Photographs, folder_records
from dermoscope.data.manifest import ManifestError
from tests.data.fake_layouts import fake_class_folders, fake_image, fake_photographs


def test_images_at_any_depth_and_nothing_else(tmp_path: Path) -> None:
    for name in ("brick/b.JPG", "brick/a.png", "wood/deep/c.tiff", "notes.txt", "d.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    records = list(folder_records(tmp_path, diagnosis="NOT_SKIN", source="textures"))
    assert [(r.image_id, r.site) for r in records] == [
        ("a", "brick"),
        ("b", "brick"),
        ("d", tmp_path.name),
        ("c", "deep"),
    ]
    assert records[0].path == tmp_path / "brick" / "a.png"
    assert {(r.diagnosis, r.source) for r in records} == {("NOT_SKIN", "textures")}


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_suffix(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"image{suffix}").touch()
    assert len(list(folder_records(tmp_path, diagnosis="", source=""))) == 1


@pytest.mark.parametrize("kind", ["missing", "file"])
@pytest.mark.parametrize("reader", [Photographs, ClassFolders])
def test_what_is_no_folder_is_named(kind: str, reader: type[Photographs] | type[ClassFolders], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=f"{kind} is not a folder"):
        list(reader(tmp_path / kind).records())


def test_photographs(tmp_path: Path) -> None:
    fake_photographs(tmp_path / "holiday")
    records = list(Photographs(tmp_path / "holiday", diagnosis="NOT_SKIN").records())
    assert sorted((r.image_id, r.site, r.source, r.diagnosis) for r in records) == [
        ("one", "holiday", "holiday", "NOT_SKIN"),
        ("three", "deeper", "holiday", "NOT_SKIN"),
        ("two", "deep", "holiday", "NOT_SKIN"),
    ]


def test_one_folder_a_class(tmp_path: Path) -> None:
    fake_class_folders(tmp_path)
    records = list(ClassFolders(tmp_path, source="own").records())
    assert [(r.image_id, r.diagnosis, r.split, r.source) for r in records] == [
        ("MEL_1", "MEL", "", "own"),
        ("MEL_2", "MEL", "", "own"),
        ("NOT_SKIN_wall", "NOT_SKIN", "", "own"),
        ("NV_1", "NV", "", "own"),
    ]


def test_a_folder_a_split_around_the_classes(tmp_path: Path) -> None:
    for name in ("train/mel/1.jpg", "valid/nv/1.jpg", "test/nevus/deep/1.jpg"):
        fake_image(tmp_path / name)
    records = list(ClassFolders(tmp_path, classes={"nevus": "NV"}).records())
    assert [(r.image_id, r.diagnosis, r.split) for r in records] == [
        ("test_nevus_deep_1", "NV", "test"),
        ("train_mel_1", "MEL", "train"),
        ("valid_nv_1", "NV", "val"),
    ]


def test_every_folder_that_names_no_class_is_listed(tmp_path: Path) -> None:
    for name in ("NV/1.jpg", "nevus/1.jpg", "nevus/2.jpg", "melanom/1.jpg", "train/3.jpg"):
        fake_image(tmp_path / name)
    with pytest.raises(ManifestError) as caught:
        list(ClassFolders(tmp_path).records())
    assert [problem.value for problem in caught.value.problems] == ["melanom", "nevus", "3.jpg"]
