from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from dermoscope.data.remote import DownloadError
from dermoscope.data.unpack import unpack


def make_zip(path: Path, members: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return path


def make_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tarred:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tarred.addfile(info, io.BytesIO(content))
    return path


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("members", "tops", "files"),
    [
        ({"data/a.jpg": b"a", "data/b.jpg": b"b"}, ("data",), ["data/a.jpg", "data/b.jpg"]),
        ({"a.jpg": b"a", "b.jpg": b"b"}, ("stem",), ["stem/a.jpg", "stem/b.jpg"]),
        ({"one/a.jpg": b"a", "two/b.jpg": b"b"}, ("one", "two"), ["one/a.jpg", "two/b.jpg"]),
        ({"stem/a.jpg": b"a", "LICENSE.txt": b"l"}, ("stem",), ["stem/LICENSE.txt", "stem/a.jpg"]),
        ({"data/a.jpg": b"a", "__MACOSX/data/._a.jpg": b"x", "data/.DS_Store": b"x"}, ("data",), ["data/a.jpg"]),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_layouts(kind: str, members: dict[str, bytes], tops: tuple[str, ...], files: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    archive = make_zip(tmp_path / "a.zip", members) if kind == "zip" else make_tar(tmp_path / "a.tar.gz", members)
    assert unpack(archive, folder, "stem") == tops
    assert tree(folder) == files


HOSTILE_NAMES = [
    "../outside.txt",
    "data/../../outside.txt",
    "{tmp}/outside.txt",
    "..\\outside.txt",
    "C:/outside.txt",
    "data/new\nline.txt",
    "data/" + "x" * 300,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_nothing_leaves_the_folder(kind: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    members = {"data/good.jpg": b"good", name.format(tmp=tmp_path): b"bad"}
    archive = make_zip(tmp_path / "a.zip", members) if kind == "zip" else make_tar(tmp_path / "a.tar.gz", members)
    with pytest.raises(DownloadError, match="names a place outside") as caught:
        unpack(archive, folder, "stem")
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == [archive.name], "whole or not at all"


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("data/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr(link, "/etc")
        zipped.writestr("data/link/passwd", "x")
    with pytest.raises(DownloadError, match="data/link is a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "folder", "stem")
    assert not tree(tmp_path / "folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tarred:
        info = tarfile.TarInfo("data/link")
        info.type, info.linkname = kind, "/etc/passwd"
        tarred.addfile(info)
    with pytest.raises(DownloadError, match="is a link or a device"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "folder", "stem")
    assert not tree(tmp_path / "folder")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_bombs_are_refused(kind: str, tmp_path: Path) -> None:
    members = {"data/zeros.bin": bytes(70 * 2**20)}
    archive = make_zip(tmp_path / "a.zip", members) if kind == "zip" else make_tar(tmp_path / "a.tar.gz", members)
    assert archive.stat().st_size < 2**18
    with pytest.raises(DownloadError, match="swells to more than 67,108,864 bytes"):
        unpack(archive, tmp_path / "folder", "stem")
    assert not tree(tmp_path / "folder")


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"data/a.txt": b"a" * 1000})
    data = archive.read_bytes()
    # Both headers, the one before the file and the one in the directory, claim ten bytes instead of a thousand.
    archive.write_bytes(data.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DownloadError, match="is damaged and was not unpacked"):
        unpack(archive, tmp_path / "folder", "stem")
    assert not tree(tmp_path / "folder")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("keep", [0, 10, 400])
def test_damaged_archives(name: str, keep: int, tmp_path: Path) -> None:
    members = {"data/a.bin": bytes(range(256)) * 40, "data/b.bin": bytes(range(255, -1, -1)) * 40}
    archive = make_zip(tmp_path / name, members) if name.endswith("zip") else make_tar(tmp_path / name, members)
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(DownloadError, match=r"is damaged|holds no files"):
        unpack(archive, tmp_path / "folder", "stem")
    assert not tree(tmp_path / "folder")


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped, pytest.warns(UserWarning, match="Duplicate name"):
        zipped.writestr("data/a.txt", "one")
        zipped.writestr("data/a.txt", "two")
    with pytest.raises(DownloadError, match=r"holds data/a\.txt twice"):
        unpack(tmp_path / "a.zip", tmp_path / "folder", "stem")


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "mine.txt").write_text("mine")
    archive = make_zip(tmp_path / "a.zip", {"data/a.txt": b"a", "more/b.txt": b"b"})
    with pytest.raises(DownloadError, match="data is there already and was not unpacked by this command"):
        unpack(archive, folder, "stem")
    assert tree(folder) == ["data/mine.txt"]


def test_leftovers_of_an_interrupted_run_are_cleared(tmp_path: Path) -> None:
    (tmp_path / ".stem.unpacking" / "data").mkdir(parents=True)
    (tmp_path / ".stem.unpacking" / "data" / "half.jpg").write_text("half")
    archive = make_zip(tmp_path / "a.zip", {"data/a.txt": b"a"})
    assert unpack(archive, tmp_path, "stem") == ("data",)
    assert tree(tmp_path) == ["a.zip", "data/a.txt"]


def test_space_is_checked_before_a_zip_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_zip(tmp_path / "a.zip", {"data/a.txt": b"a" * 5000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4999))
    with pytest.raises(DownloadError, match="unpacks to 5,000 bytes, but only 4,999 are free"):
        unpack(archive, tmp_path / "folder", "stem")
