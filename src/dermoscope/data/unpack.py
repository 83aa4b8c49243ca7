"""Unpacking archives that come from elsewhere: nothing leaves the folder, nothing swells without limit."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from dermoscope.data.remote import DownloadError

_CHUNK = 2**20
# JPEG and PNG do not shrink in an archive; tables shrink to a tenth.
_LARGEST_RATIO = 20
_ALWAYS_ALLOWED = 64 * 2**20
_MOST_FILES = 1_000_000
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db")
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, stem: str) -> tuple[str, ...]:
    """Unpack a zip or tar file into a folder, whole or not at all.

    An archive with folders at its top is unpacked as it is. One with files at its top goes into a new folder named
    `stem`. What archivers of desktop computers leave behind (`__MACOSX`, `.DS_Store`, `._…`) is skipped.

    Args:
        archive: The file.
        folder: Where it goes. While it is unpacked, its contents lie in a hidden folder there.
        stem: Name of the archive without its ending.

    Returns:
        Names of the folders that were made in `folder`.

    Raises:
        DownloadError: If the archive is damaged, names a place outside the folder, holds a link or a device, swells
            beyond twenty times its size, or would overwrite something. Nothing is left of it then.
    """
    staging = folder / f".{stem}.unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        _write_all(archive, staging, stem)
        tops = tuple(sorted(path.name for path in staging.iterdir()))
        if not tops:
            raise DownloadError(f"{archive}: holds no files")
        for top in tops:
            if (folder / top).exists():
                raise DownloadError(
                    f"{folder / top} is there already and was not unpacked by this command; move it away, or point "
                    "dermoscope data manifest to what you have"
                )
        for top in tops:
            (staging / top).replace(folder / top)
    except OSError as error:
        raise DownloadError(f"{archive}: cannot be unpacked into {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return tops


def _write_all(archive: Path, staging: Path, stem: str) -> None:
    limit = max(_ALWAYS_ALLOWED, _LARGEST_RATIO * archive.stat().st_size)
    written = 0
    with _opened(archive) as members:
        for number, member in enumerate(members):
            path = _safe_path(archive, member.name)
            if path is None:
                continue
            if number >= _MOST_FILES or written + member.size > limit:
                raise DownloadError(
                    f"{archive}: swells to more than {limit:,} bytes or {_MOST_FILES:,} files, as no data set does; "
                    "it was not unpacked"
                )
            # Files beside the folders at the top go into the folder of the archive's name.
            target = staging / (path if len(path.parts) > 1 else PurePosixPath(stem) / path)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with member.open() as source, target.open("xb") as stream:
                    written += _copy(source, stream, limit - written)
            except FileExistsError as error:
                raise DownloadError(f"{archive}: holds {member.name} twice; it was not unpacked") from error


def _copy(source: IO[bytes], stream: IO[bytes], allowed: int) -> int:
    copied = 0
    while chunk := source.read(_CHUNK):
        copied += len(chunk)
        if copied > allowed:
            raise zipfile.BadZipFile("holds more than it says")
        stream.write(chunk)
    return copied


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Member]]:
    try:
        if archive.suffix.lower() == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                yield _zip_members(archive, zipped)
        else:
            with tarfile.open(archive, "r|*") as tarred:
                yield _tar_members(archive, tarred)
    except DownloadError:
        raise
    except _DAMAGED as error:
        raise DownloadError(
            f"{archive}: is damaged and was not unpacked ({' '.join(str(error).split())}); remove it and download it "
            "again"
        ) from error


def _zip_members(archive: Path, zipped: zipfile.ZipFile) -> Iterator[_Member]:
    infos = zipped.infolist()
    total = sum(info.file_size for info in infos)
    free = shutil.disk_usage(archive.parent).free
    if free < total <= max(_ALWAYS_ALLOWED, _LARGEST_RATIO * archive.stat().st_size):
        raise DownloadError(
            f"{archive}: unpacks to {total:,} bytes, but only {free:,} are free in {archive.parent}; free some space "
            "and run the same command again"
        )
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind not in (0, stat.S_IFREG):
            raise _unsafe(archive, info.filename, "is a link or a device")
        if info.flag_bits & 1:
            raise _unsafe(archive, info.filename, "is encrypted")
        yield _Member(info.filename, info.file_size, lambda info=info: zipped.open(info))  # type: ignore[misc]


def _tar_members(archive: Path, tarred: tarfile.TarFile) -> Iterator[_Member]:
    for info in tarred:
        if info.isdir():
            continue
        if not info.isreg():
            raise _unsafe(archive, info.name, "is a link or a device")
        content = tarred.extractfile(info)
        if content is not None:
            yield _Member(info.name, info.size, lambda content=content: content)  # type: ignore[misc]


def _safe_path(archive: Path, name: str) -> PurePosixPath | None:
    """A member's path inside the folder, or none where it is junk."""
    path = PurePosixPath(name)
    if (
        not name
        or path.is_absolute()
        or ".." in path.parts
        or re.search(r'[\\:*?"<>|\x00-\x1f\x7f]', name)
        or any(len(os.fsencode(part)) > 255 for part in path.parts)
    ):
        raise _unsafe(archive, ascii(name), "names a place outside the folder, or one that not every system has")
    is_junk = any(part in _JUNK or part.startswith("._") for part in path.parts)
    return None if is_junk or not path.parts else path


def _unsafe(archive: Path, name: str, why: str) -> DownloadError:
    return DownloadError(f"{archive}: {name} {why}; the archive was not unpacked")
