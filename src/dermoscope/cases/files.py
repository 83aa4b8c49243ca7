"""The files of a case store: a folder a case, and a marker for every change that is not finished."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

from dermoscope.cases.errors import CaseNotFoundError
from dermoscope.features.errors import StoreError

ANALYSIS, IMAGE, THUMBNAIL, MASK = "analysis.json", "image.png", "thumbnail.jpg", "mask.png"

_ID = re.compile(r"[0-9a-f]{32}")
_CORRECTED = "corrected-"
_LOCK = "lock"


class CaseFiles:
    """The folder of a store, locked against a second process until it is closed or the process ends.

    Args:
        folder: Made if need be, and closed to others (0700).

    Raises:
        StoreError: If it holds something else, cannot be written, or another process has it open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            if folder.exists() and not folder.is_dir():
                raise StoreError(f"{folder} is a file; choose a folder for the cases")
            if folder.is_dir() and any(folder.iterdir()) and not (folder / _LOCK).exists():
                raise StoreError(f"{folder} holds other things than cases; choose an empty or a new folder")
            _make_private(folder)
            self._lock = _locked(folder / _LOCK)
            for one in (folder / "files", folder / "unfinished", self.table):
                _make_private(one)
        except OSError as error:
            raise StoreError(f"cannot keep cases in {folder}: {error.strerror}; choose another folder") from error

    @property
    def table(self) -> Path:
        """Where the table lies."""
        return self.folder / "table"

    def close(self) -> None:
        """Let others open the folder."""
        self._lock.close()

    def read(self, case_id: str, name: str) -> bytes:
        """A file of a case.

        Raises:
            CaseNotFoundError: If there is none.
        """
        try:
            return (self._of(case_id) / name).read_bytes()
        except FileNotFoundError:
            raise CaseNotFoundError(case_id) from None

    def path(self, case_id: str, name: str) -> Path:
        """Where a file of a case is, or would be."""
        return self._of(case_id) / name

    def write(self, case_id: str, name: str, data: bytes) -> None:
        """Write a new file of a case, for the owner only."""
        folder = self._of(case_id)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(data)

    def begin(self, case_id: str) -> None:
        """Leave the marker of a change, before anything of it is written."""
        marker = self.folder / "unfinished" / case_id
        marker.touch(mode=0o600)

    def unfinished(self) -> Iterator[str]:
        """Cases whose change was never finished."""
        for marker in sorted((self.folder / "unfinished").iterdir()):
            if _ID.fullmatch(marker.name):
                yield marker.name

    def finish(self, case_id: str, mask: str | None) -> None:
        """Remove the files that a case does not need any more, and its marker.

        Args:
            case_id: The case.
            mask: Name of its present mask, empty without one; none if there is no such case (any more).
        """
        folder = self._of(case_id)
        if mask is None:
            if folder.exists():
                shutil.rmtree(folder)
        else:
            for old in folder.glob(f"{_CORRECTED}*"):
                if old.name != mask:
                    old.unlink()
        (self.folder / "unfinished" / case_id).unlink(missing_ok=True)

    def close_to_others(self) -> None:
        """Take the rights of others from the files that LanceDB wrote; it knows only the process's umask."""
        for place, folders, names in os.walk(self.table):
            for name, mode in (*((one, 0o700) for one in folders), *((one, 0o600) for one in names)):
                path = f"{place}/{name}"  # hundreds of files after every change: Path would be most of the time
                if os.stat(path).st_mode & 0o077:  # noqa: PTH116
                    os.chmod(path, mode)  # noqa: PTH101

    def _of(self, case_id: str) -> Path:
        if not _ID.fullmatch(case_id):  # an id comes from outside, and must not lead out of the folder
            raise CaseNotFoundError(case_id)
        return self.folder / "files" / case_id[:2] / case_id


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def new_corrected_name() -> str:
    """A file name that no earlier mask has, so that a killed correction leaves the old one whole."""
    return f"{_CORRECTED}{uuid.uuid4().hex[:8]}.png"


def _locked(path: Path) -> sqlite3.Connection:
    """Hold a lock that ends with the process, on every operating system: that of an SQLite file."""
    path.touch(mode=0o600)
    lock = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        raise StoreError(
            f"another process has the cases in {path.parent} open; close it (the service?), or choose another folder"
        ) from error
    return lock
