from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.folder import IMAGE_SUFFIXES, folder_records


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
def test_what_is_no_folder_is_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=f"{kind} is not a folder"):
        list(folder_records(tmp_path / kind, diagnosis="", source=""))
