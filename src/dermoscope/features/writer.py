"""Writing into a store: rows wait in memory until a portion is full, and each portion is written whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dermoscope.encoders.folder import EncoderDescription
from dermoscope.features.database import Database
from dermoscope.features.encoder import column_shapes, title_of
from dermoscope.features.extraction import Embedded
from dermoscope.features.tables import FeatureTable, FileTable, TableNote

FLUSH_ROWS = 512
"""Rows that wait in memory at most, one a view: a killed run loses no more."""

_FLUSH_BYTES = 64 * 2**20
_FLUSH_SECONDS = 20.0


class StoreWriter:
    """The tables of one encoder, and the rows on their way into them.

    Args:
        tables: By name of the column.
        files: From files to pixels.
        flush_rows: Rows that wait at most; fewer where they are large or slow to come.
    """

    def __init__(self, tables: Mapping[str, FeatureTable], files: FileTable, flush_rows: int) -> None:
        self.tables = tables
        self.files = files
        self.rows = 0
        self._flush_rows = flush_rows
        self._waiting: dict[tuple[str, str], dict[str, NDArray[Any]]] = {}
        self._waiting_files: dict[str, str] = {}
        self._bytes = 0
        self._flushed = time.monotonic()
        self._expected = self._count()

    @classmethod
    def open(
        cls,
        database: Database,
        encoder: EncoderDescription,
        arithmetic: str,
        columns: Sequence[str],
        *,
        flush_rows: int = FLUSH_ROWS,
    ) -> Self:
        """Open the tables of some columns; those that do not exist are made.

        Raises:
            StoreError: If the store cannot be written, or holds rows that were computed in another way.
        """
        shapes = column_shapes(encoder)
        tables = {
            name: FeatureTable.open_or_create(
                database,
                TableNote(
                    encoder=title_of(encoder),
                    fingerprint=encoder.fingerprint,
                    arithmetic=arithmetic,
                    column=name,
                    shape=shapes[name],
                ),
            )
            for name in columns
        }
        return cls(tables, FileTable.open_or_create(database), flush_rows)

    def add(self, embedded: Embedded) -> None:
        """Take one image's rows; writes a portion when it is full.

        Raises:
            StoreError: If the portion cannot be written; it waits for the next try.
        """
        self._waiting_files[embedded.file_sha256] = embedded.pixels_sha256
        for number, view in enumerate(embedded.item.views):
            row = {name: embedded.columns[name][number] for name in self.tables}
            self._waiting[embedded.pixels_sha256, view] = row
            self._bytes += sum(value.nbytes for value in row.values())
        is_late = time.monotonic() - self._flushed > _FLUSH_SECONDS
        if len(self._waiting) >= self._flush_rows or self._bytes >= _FLUSH_BYTES or is_late:
            self.flush()

    def flush(self) -> None:
        """Write what waits. The files come last: a file that is known has its rows.

        Raises:
            StoreError: If that fails.
        """
        if not self._waiting:
            return
        keys = list(self._waiting)
        added = [
            table.add(keys, np.stack([row[name] for row in self._waiting.values()]))
            for name, table in self.tables.items()
        ]
        self.files.add(self._waiting_files)
        self.rows += max(added)
        self._expected += added[0]
        self._waiting.clear()
        self._waiting_files.clear()
        self._bytes = 0
        self._flushed = time.monotonic()

    def others_wrote(self) -> bool:
        """Whether another process has written to these tables since this one opened them."""
        return self._count() != self._expected

    def _count(self) -> int:
        return next(iter(self.tables.values())).count()
