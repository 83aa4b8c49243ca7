from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import pytest

from dermoscope.images import ImageError, printable, read_image_file, reading


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.jpg", "plain.jpg"),
        ("with space & ü & 病变.jpg", "with space & ü & 病变.jpg"),
        ("line\nbreak\r\t.jpg", r"line\nbreak\r\t.jpg"),
        ("bell\x07escape\x1b[31m.jpg", r"bell\x07escape\x1b[31m.jpg"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("latin1_\udce9.jpg", r"latin1_\udce9.jpg"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
    ],
)
def test_printable(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert printable(name).isprintable()


def test_reads_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = os.urandom(3 * reading._SMALLEST_PIECE + 5)
    path.write_bytes(content)
    assert read_image_file(path) == content
    assert read_image_file(str(path), max_bytes=len(content)) == content


def test_the_limit_is_checked_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("was opened"))
    with pytest.raises(ImageError, match="is 5 bytes; the limit is 4 bytes"):
        read_image_file(path, max_bytes=4)


def test_a_file_that_grows_is_held_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    monkeypatch.setattr(reading, "_check", lambda *_: None)
    with pytest.raises(ImageError, match="is more than 4 bytes"):
        read_image_file(path, max_bytes=4)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs /proc")
def test_files_that_report_no_size_are_read() -> None:
    assert Path("/proc/version").stat().st_size == 0
    assert b"Linux" in read_image_file("/proc/version")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_file_swapped_for_a_pipe_neither_hangs_nor_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.write_bytes(b"x")
    monkeypatch.setattr(os, "stat", lambda _: os.lstat(file))
    found: list[ImageError] = []

    def attempt() -> None:
        try:
            read_image_file(pipe)
        except ImageError as error:
            found.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert found[0].reason == "is a named pipe, not a regular file"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.jpg", "does not exist"),
        ("x" * 300, "has a name too long for this file system"),
        ("nul\0byte", "has a name that no file can have"),
        ("", "does not exist"),
    ],
)
def test_impossible_paths(path: str, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_image_file(path)
    assert caught.value.reason == reason


def test_a_file_used_as_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ImageError, match="a part of its path is not a folder"):
        read_image_file(tmp_path / "file" / "image.jpg")


def test_permission_denied_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Simulated, because permission bits do not stop root.
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ImageError, match="cannot be read: permission denied"):
        read_image_file(tmp_path / "file")


def test_the_error_survives_the_way_back_from_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "is empty")))
    assert (str(error), error.name, error.reason) == ("a.jpg is empty", "a.jpg", "is empty")
