"""Downloading an official data set: checked, resumable, unpacked safely, and recorded in a lock file."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dermoscope.data.remote import LOCK_NAME, Checksum, DownloadError, RemoteFile, Source
from dermoscope.data.transfer import ResumableDownloader, size_text
from dermoscope.data.unpack import unpack
from dermoscope.files import sha256_of


class LockedFile(BaseModel):
    """What the lock file keeps of one file that came whole.

    Attributes:
        sha256: Of its bytes; a later download has to match.
        bytes: Its size.
        address: Where it came from.
        retrieved: The day, in UTC.
        checked: What its bytes were compared with: `sha256` or `md5` of the publisher or the user, or `nothing`.
        unpacked: Names of the folders that its contents are in; empty if it is no archive or not unpacked yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int
    address: str
    retrieved: str
    checked: str
    unpacked: tuple[str, ...] = ()


class _Lock(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    files: dict[str, LockedFile] = {}


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes:
        file: The file.
        locked: Its entry in the lock file.
        was_there: Whether it was finished by an earlier run.
    """

    file: RemoteFile
    locked: LockedFile
    was_there: bool


def chosen_files(source: Source, only: Sequence[str] = ()) -> tuple[RemoteFile, ...]:
    """The files of a data set whose names match one of the patterns; all without patterns.

    Raises:
        DownloadError: If a pattern matches nothing; the message lists the names.
    """
    for pattern in only:
        if not any(fnmatchcase(file.name, pattern) for file in source.files):
            names = ", ".join(file.name for file in source.files)
            raise DownloadError(f"--only {pattern}: matches no file of {source.name}; it has {names}")
    return tuple(file for file in source.files if not only or any(fnmatchcase(file.name, pattern) for pattern in only))


def download(
    source: Source,
    folder: Path,
    *,
    only: Sequence[str] = (),
    keep_archives: bool = False,
    on_progress: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[FileReport]:
    """Download the files of a data set one after the other, check them and unpack them.

    A file that lies in the folder already, put there by hand for instance, is checked and used instead of being
    downloaded. Whoever calls this has shown the licence and got consent.

    Args:
        source: The data set.
        folder: Where it goes; made if missing.
        only: Patterns of file names; all files by default.
        keep_archives: Keep archives after unpacking; by default they are removed to save space.
        on_progress: Called with file name, bytes so far and bytes in all (0 if unknown).
        pause: Sleeps between two goes at one file.

    Raises:
        DownloadError: If a file cannot be had, does not match its sum, or cannot be unpacked, or space is short.
            What is finished stays as it is.
    """
    files = chosen_files(source, only)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be made: {error.strerror or error}; choose another folder") from error
    missing = [file for file in files if not _is_finished(folder, file)]
    _check_space(folder, missing, keep_archives)
    for file in files:
        if file not in missing:
            yield FileReport(file, read_lock(folder)[file.name], was_there=True)
            continue
        locked = _retrieve(source, file, folder, on_progress, pause)
        _write_lock(folder, file.name, locked)
        if file.is_archive:
            unpacked = unpack(folder / file.name, folder, file.stem)
            locked = locked.model_copy(update={"unpacked": unpacked})
            _write_lock(folder, file.name, locked)
            if not keep_archives:
                (folder / file.name).unlink()
        yield FileReport(file, locked, was_there=False)


def space_needed(files: Sequence[RemoteFile], keep_archives: bool) -> int:
    """Bytes that downloading and unpacking take at the fullest moment, after the sizes that publishers give.

    Images do not shrink in an archive, so an archive counts once as itself and once as its contents. Archives that are
    not kept lie there one at a time.
    """
    archives = [file.about_bytes for file in files if file.is_archive]
    tables = sum(file.about_bytes for file in files if not file.is_archive)
    return tables + sum(archives) + (sum(archives) if keep_archives else max(archives, default=0))


def read_lock(folder: Path) -> Mapping[str, LockedFile]:
    """The lock file of a download folder, by file name; empty where there is none.

    Raises:
        DownloadError: If it cannot be read.
    """
    path = folder / LOCK_NAME
    try:
        return _Lock.model_validate_json(path.read_bytes()).files if path.exists() else {}
    except (OSError, ValidationError) as error:
        raise DownloadError(
            f"{path}: is no lock file of this command; move it away and run the same command again"
        ) from error


def _write_lock(folder: Path, name: str, locked: LockedFile) -> None:
    lock = _Lock(files={**read_lock(folder), name: locked})
    path = folder / LOCK_NAME
    partial = path.with_name(f".{LOCK_NAME}.partial")
    try:
        partial.write_text(json.dumps(lock.model_dump(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise DownloadError(f"{path}: cannot be written: {error.strerror or error}") from error


def _is_finished(folder: Path, file: RemoteFile) -> bool:
    locked = read_lock(folder).get(file.name)
    if locked is None:
        return False
    if file.is_archive:
        return bool(locked.unpacked) and all((folder / name).exists() for name in locked.unpacked)
    path = folder / file.name
    return path.is_file() and sha256_of(path) == locked.sha256


def _check_space(folder: Path, missing: Sequence[RemoteFile], keep_archives: bool) -> None:
    there = [folder / name for file in missing for name in (file.name, f"{file.name}.part")]
    needed = space_needed(missing, keep_archives) - sum(path.stat().st_size for path in there if path.is_file())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{folder}: about {size_text(needed)} are needed to download and unpack, but only {size_text(free)} are "
            "free; free some space, choose another folder, or take single files with --only"
        )


def _retrieve(
    source: Source,
    file: RemoteFile,
    folder: Path,
    on_progress: Callable[[str, int, int], None],
    pause: Callable[[float], None],
) -> LockedFile:
    import pooch

    expected, checked = _expected(folder, file)
    advice = (
        f"without a way there, download it by hand (see {source.page}), put it into {folder} as {file.name}, "
        "and run the same command again"
    )
    downloader = ResumableDownloader(
        part=folder / f"{file.name}.part",
        advice=advice,
        on_progress=lambda done, total: on_progress(file.name, done, total),
        pause=pause,
    )
    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(file.address, expected, fname=file.name, path=folder, downloader=downloader)
    except ValueError as error:  # pooch's word for another sum
        found = re.search(r"but got (\w+)", str(error))
        raise DownloadError(
            f"{file.address}: what came does not match the sum: expected {expected}, "
            f"found {found[1] if found else 'another'}; it was dropped, and nothing that was finished before was "
            f"touched. Try again; if the publisher has replaced the file, move {folder / LOCK_NAME} away or state the "
            "new sum with --registry"
        ) from error
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be written: {error.strerror or error}") from error
    path = folder / file.name
    algorithm, _, known = (expected or "").partition(":")
    return LockedFile(
        sha256=known if algorithm == "sha256" else sha256_of(path),  # pooch has just found it to be so
        bytes=path.stat().st_size,
        address=file.address,
        retrieved=datetime.now(UTC).date().isoformat(),
        checked=checked,
    )


def _expected(folder: Path, file: RemoteFile) -> tuple[Checksum | None, str]:
    """The sum to hold a download against, as pooch writes it, and what it is for the lock file."""
    locked = read_lock(folder).get(file.name)
    if locked is None:
        return file.checksum or None, file.checksum.partition(":")[0] or "nothing"
    if file.checksum.startswith("sha256:") and file.checksum != f"sha256:{locked.sha256}":
        raise DownloadError(
            f"{folder / LOCK_NAME}: {file.name} came with sha256:{locked.sha256} before, but {file.checksum} is "
            "expected now; move the lock file away if the new sum is right"
        )
    return f"sha256:{locked.sha256}", locked.checked


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch from writing its own lines between ours."""
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
