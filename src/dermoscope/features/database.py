"""The place where tables lie, local folder or object store, and what LanceDB says when something is wrong there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dermoscope.features.errors import StoreError

_PAGE = 10_000
# How LanceDB says that a disk, a quota or a limit on file sizes is reached.
_FULL = ("no space left", "os error 28", "quota exceeded", "os error 122", "file too large", "os error 27")


class Database:
    """The tables at one place.

    Args:
        uri: A local folder, or `s3://…`, `gs://…`, `az://…` with credentials from the environment.

    Raises:
        StoreError: If LanceDB is missing or cannot open the place.
    """

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri)
        try:
            import lancedb
        except ModuleNotFoundError as error:
            raise StoreError(f'{error.name} is not installed; run: pip install "dermoscope[store]"') from error
        with self.guard("open"):
            self._connection = lancedb.connect(self.uri)

    @property
    def folder(self) -> Path | None:
        """The local folder; none for an object store."""
        return None if "://" in self.uri else Path(self.uri)

    def free_bytes(self) -> int | None:
        """Free space where the store lies or will lie; none for an object store."""
        if self.folder is None:
            return None
        place = self.folder.absolute()
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free

    def names(self) -> tuple[str, ...]:
        """Names of all tables."""
        found: list[str] = []
        with self.guard("read"):
            page = None
            while True:
                answer = self._connection.list_tables(page_token=page, limit=_PAGE)
                found += answer.tables
                page = answer.page_token
                if not page:
                    return tuple(name for name in found if self._exists(name))

    def open(self, name: str) -> Any:
        """A table that exists."""
        with self.guard("read"):
            return self._connection.open_table(name)

    def open_or_create(self, name: str, schema: Any) -> Any:
        """A table, made with a schema if it does not exist, also when another process makes it at the same time."""
        if not self._exists(name):
            with self.guard("write to"):
                try:
                    return self._connection.create_table(name, schema=schema)
                except (ValueError, RuntimeError, OSError):
                    if not self._exists(name):
                        raise
        return self.open(name)

    def _exists(self, name: str) -> bool:
        """Whether there is a table; a full disk or a killed process can leave a folder of that name with none in it."""
        try:
            self._connection.open_table(name)
        except Exception as error:  # what else is wrong with a table is for those who read it
            return "was not found" not in str(error)
        return True

    @contextlib.contextmanager
    def guard(self, doing: str) -> Iterator[None]:
        """Turn what LanceDB raises into one line that names the store and the way out.

        Raises:
            StoreError: If the block fails.
        """
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # LanceDB raises RuntimeError, OSError and ValueError with text from several layers
            text = " ".join(str(error).split())
            if any(sign in text.lower() for sign in _FULL):
                raise StoreError(
                    f"cannot write to the store {self.uri}: no space left; free some and run the same command again: "
                    "what is finished stays"
                ) from error
            raise StoreError(f"cannot {doing} the store {self.uri}: {text[:300]}") from error
