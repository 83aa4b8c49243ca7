from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from dermoscope.data.download import FileReport, chosen_files, download, read_lock, space_needed
from dermoscope.data.remote import LOCK_NAME, DownloadError, RemoteFile, Source
from tests.data.local_server import Behaviour, serving

TABLE = b"image_id,dx\nISIC_1,nv\n" * 200_000  # more than one chunk


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


IMAGES = zipped({"ISIC_1.jpg": bytes(1000), "ISIC_2.jpg": bytes(1000)})
MASKS = zipped({"masks/ISIC_1.png": bytes(100)})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def server() -> Iterator[Behaviour]:
    with serving(Behaviour({"/table.csv": TABLE, "/images.zip": IMAGES, "/masks.zip": MASKS})) as behaviour:
        yield behaviour


def source_of(server: Behaviour, **checksums: str) -> Source:
    files = tuple(
        RemoteFile(name=name, address=f"{server.address}/{name}", checksum=checksums.get(name.partition(".")[0], ""))
        for name in ("table.csv", "images.zip", "masks.zip")
    )
    return Source(name="own", title="Own", licence="ours", citation="us", page="https://example.org", files=files)


def run(source: Source, folder: Path, only: Sequence[str] = (), keep_archives: bool = False) -> list[FileReport]:
    return list(download(source, folder, only=only, keep_archives=keep_archives, pause=lambda _: None))


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


WHOLE = [LOCK_NAME, "images/ISIC_1.jpg", "images/ISIC_2.jpg", "masks/ISIC_1.png", "table.csv"]


def test_whole(server: Behaviour, tmp_path: Path) -> None:
    source = source_of(server, images=f"sha256:{sha256(IMAGES)}", masks=f"md5:{md5(MASKS)}")
    reports = run(source, tmp_path / "new")
    assert tree(tmp_path / "new") == WHOLE
    assert [(report.file.name, report.locked.checked) for report in reports] == [
        ("table.csv", "nothing"),
        ("images.zip", "sha256"),
        ("masks.zip", "md5"),
    ]
    locked = read_lock(tmp_path / "new")
    assert {name: file.sha256 for name, file in locked.items()} == {
        "table.csv": sha256(TABLE),
        "images.zip": sha256(IMAGES),
        "masks.zip": sha256(MASKS),
    }
    assert locked["images.zip"].unpacked == ("images",)
    assert locked["images.zip"].bytes == len(IMAGES)


def test_again_is_free(server: Behaviour, tmp_path: Path) -> None:
    run(source_of(server), tmp_path)
    server.requests.clear()
    assert all(report.was_there for report in run(source_of(server), tmp_path))
    assert not server.requests


def test_single_files(server: Behaviour, tmp_path: Path) -> None:
    run(source_of(server), tmp_path, only=["*.csv"])
    assert tree(tmp_path) == [LOCK_NAME, "table.csv"]
    with pytest.raises(DownloadError, match=r"--only \*\.tif: matches no file of own; it has table\.csv, images\.zip"):
        chosen_files(source_of(server), ["*.csv", "*.tif"])


def test_interrupted_and_resumed(server: Behaviour, tmp_path: Path) -> None:
    server.cut_after = [1_500_000, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"ended after 1,500,000 of 4,400,000 bytes.*see https://example\.org"):
        run(source_of(server), tmp_path)
    assert tree(tmp_path) == ["table.csv.part", "table.csv.part.json"], "nothing half done looks finished"
    server.cut_after = []
    server.requests.clear()
    run(source_of(server), tmp_path)
    assert tree(tmp_path) == WHOLE
    assert server.requests[0] == ("/table.csv", "bytes=1500000-")


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_corrupted(algorithm: str, server: Behaviour, tmp_path: Path) -> None:
    right = f"{algorithm}:{sha256(MASKS) if algorithm == 'sha256' else md5(MASKS)}"
    server.files["/masks.zip"] = MASKS[:-1] + b"x"
    with pytest.raises(DownloadError) as caught:
        run(source_of(server, masks=right), tmp_path)
    message = str(caught.value)
    assert f"{server.address}/masks.zip: what came does not match the sum: expected {right}, found " in message
    assert "nothing that was finished before was touched" in message
    assert "\n" not in message
    assert tree(tmp_path) == [LOCK_NAME, "images/ISIC_1.jpg", "images/ISIC_2.jpg", "table.csv"]
    server.files["/masks.zip"] = MASKS
    run(source_of(server, masks=right), tmp_path)
    assert tree(tmp_path) == WHOLE


def test_later_downloads_must_match_the_lock(server: Behaviour, tmp_path: Path) -> None:
    run(source_of(server), tmp_path)
    (tmp_path / "table.csv").unlink()
    server.files["/table.csv"] = TABLE + b"ISIC_2,mel\n"
    found = sha256(server.files["/table.csv"])
    with pytest.raises(DownloadError, match=f"expected sha256:{sha256(TABLE)}, found {found}"):
        run(source_of(server), tmp_path)
    assert "table.csv" not in tree(tmp_path)


def test_a_spoilt_table_is_fetched_again(server: Behaviour, tmp_path: Path) -> None:
    run(source_of(server), tmp_path)
    (tmp_path / "table.csv").write_text("spoilt")
    run(source_of(server), tmp_path)
    assert (tmp_path / "table.csv").read_bytes() == TABLE


def test_a_stated_sum_and_the_lock_that_disagree(server: Behaviour, tmp_path: Path) -> None:
    run(source_of(server), tmp_path, only=["table.csv"])
    (tmp_path / "table.csv").unlink()
    with pytest.raises(DownloadError, match=r"table\.csv came with sha256:.* before, but sha256:0000"):
        run(source_of(server, table="sha256:" + "0" * 64), tmp_path)


def test_files_put_there_by_hand_need_no_network(server: Behaviour, tmp_path: Path) -> None:
    for name, content in (("table.csv", TABLE), ("images.zip", IMAGES), ("masks.zip", MASKS)):
        (tmp_path / name).write_bytes(content)
    run(source_of(server, images=f"sha256:{sha256(IMAGES)}"), tmp_path)
    assert tree(tmp_path) == WHOLE
    assert not server.requests


def test_archives_stay_if_asked_to(server: Behaviour, tmp_path: Path) -> None:
    run(source_of(server), tmp_path, keep_archives=True)
    assert {"images.zip", "masks.zip"} <= set(tree(tmp_path))


def test_an_archive_that_cannot_be_unpacked_is_not_finished(server: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    with pytest.raises(DownloadError, match="masks is there already"):
        run(source_of(server), tmp_path)
    (tmp_path / "masks").rmdir()
    server.requests.clear()
    run(source_of(server), tmp_path)
    assert tree(tmp_path) == WHOLE
    assert not server.requests, "the archive had come already"


def test_not_found(server: Behaviour, tmp_path: Path) -> None:
    del server.files["/masks.zip"]
    with pytest.raises(DownloadError, match=rf"masks\.zip answers 404 .* put it into {tmp_path} as masks\.zip"):
        run(source_of(server), tmp_path)
    assert "table.csv" in tree(tmp_path)


def test_too_little_space_is_said_before_anything_comes(
    server: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(server)
    large = source.files[1].model_copy(update={"about_bytes": 10 * 10**9})
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=15 * 10**9))
    with pytest.raises(DownloadError, match=r"about 20\.0 GB are needed .* only 15\.0 GB are free"):
        run(source.model_copy(update={"files": (large,)}), tmp_path)
    assert not server.requests


@pytest.mark.parametrize(("keep_archives", "needed"), [(False, 1 + 30 + 20), (True, 1 + 30 + 30)])
def test_space_needed(keep_archives: bool, needed: int) -> None:
    sizes = {"a.csv": 1, "b.zip": 10, "c.zip": 20}
    files = [RemoteFile(name=name, address="https://x.org/", about_bytes=size) for name, size in sizes.items()]
    assert space_needed(files, keep_archives) == needed


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"schema_version": 1, "files": {"a": {}}})])
def test_a_foreign_lock_file_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text(content)
    with pytest.raises(DownloadError, match=rf"{LOCK_NAME}: is no lock file of this command"):
        read_lock(tmp_path)


def test_progress_is_told(server: Behaviour, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    source = source_of(server)
    list(download(source, tmp_path, on_progress=lambda name, done, total: seen.append((name, done, total))))
    assert ("table.csv", len(TABLE), len(TABLE)) in seen
    assert seen[-1] == ("masks.zip", len(MASKS), len(MASKS))
