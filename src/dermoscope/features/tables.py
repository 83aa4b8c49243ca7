"""LanceDB tables of one store: a table a column of an encoder, and one from files to pixels. Rows are only ever added.

A table keeps what it is in its schema's metadata. Rows go in through one `merge_insert` by key, which LanceDB carries
out as one transaction: a killed process leaves all of them or none, and two processes that add the same key at the
same time leave it once.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from dermoscope.features.columns import column_type
from dermoscope.features.database import Database
from dermoscope.features.errors import StoreError

_NOTE = b"dermoscope"
_PRIMARY_KEY = b"lance-schema:unenforced-primary-key"
_FILES = "files.1"  # another number once decoding gives other pixels
_TEXT = re.compile(r"[0-9a-z/-]+")
_BATCH = 4096
_PATIENCE_S = 600.0
_CONFLICT = "concurrent writers"


class TableNote(BaseModel):
    """What a table of features says about itself.

    Attributes:
        schema_version: Of this layout.
        encoder: Name of the encoder, with its input, for people.
        fingerprint: Of the encoder: weights, preprocessing and code.
        arithmetic: Engine and precision, such as `openvino bfloat16`.
        column: Name of the column.
        shape: Of one row.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = 1
    encoder: str
    fingerprint: str
    arithmetic: str
    column: str
    shape: tuple[int, ...]


class FeatureTable:
    """One column of one encoder: `key`, `pixels`, `view`, `value`.

    Args:
        database: Where it lies.
        table: As LanceDB opened it.
    """

    def __init__(self, database: Database, table: Any) -> None:
        self._database = database
        self._table = table
        self.note = _note_of(database, table)

    @staticmethod
    def name_of(fingerprint: str, column: str) -> str:
        """Name of the table of a column."""
        return f"{fingerprint}.{column}"

    @classmethod
    def open(cls, database: Database, fingerprint: str, column: str) -> Self:
        """The table of a column that is stored."""
        return cls(database, database.open(cls.name_of(fingerprint, column)))

    @classmethod
    def open_or_create(cls, database: Database, note: TableNote) -> Self:
        """The table of a column, made if need be.

        Raises:
            StoreError: If its rows were computed in another way.
        """
        import pyarrow as pa

        value = pa.list_(pa.from_numpy_dtype(np.dtype(column_type(note.column))), int(np.prod(note.shape)))
        schema = pa.schema(
            [_primary_key("key"), ("pixels", pa.string()), ("view", pa.string()), ("value", value)],
            metadata={_NOTE: note.model_dump_json().encode()},
        )
        table = cls(database, database.open_or_create(cls.name_of(note.fingerprint, note.column), schema))
        if table.note.arithmetic != note.arithmetic:
            raise StoreError(
                f"the store {database.uri} holds features of {note.encoder} computed with {table.note.arithmetic}; "
                f"this run computes with {note.arithmetic}. Choose the same engine and precision, or another --store"
            )
        if table.note.shape != note.shape:
            raise StoreError(
                f"the store {database.uri} holds {note.column} of {note.encoder} with shape {table.note.shape}, not "
                f"{note.shape}: one fingerprint, two graphs. Export the encoder again, or choose another --store"
            )
        return table

    def present(self, keys: Sequence[str]) -> set[str]:
        """Which keys are stored, by this process or another."""
        found: set[str] = set()
        with self._database.guard("read"):
            self._table.checkout_latest()
            for start in range(0, len(keys), _BATCH):
                wanted = _in("key", keys[start : start + _BATCH])
                found.update(self._select(["key"], wanted).column("key").to_pylist())
        return found

    def add(self, keys: Sequence[tuple[str, str]], values: NDArray[Any]) -> int:
        """Add rows that are not there yet, and say how many that were.

        Args:
            keys: Hash of the pixels and view of each row, no pair twice.
            values: `[N, …]`.
        """
        import pyarrow as pa

        schema = self._table.schema
        flat = pa.array(np.ascontiguousarray(values).ravel())
        rows = pa.table(
            [
                pa.array([key_of(*key) for key in keys]),
                pa.array([pixels for pixels, _ in keys]),
                pa.array([view for _, view in keys]),
                pa.FixedSizeListArray.from_arrays(flat, schema.field("value").type.list_size),
            ],
            schema=schema,
        )
        with self._database.guard("write to"):
            merged = _merge(self._table, "key", rows)
        return int(merged.num_inserted_rows)

    def read(self, pixels: Sequence[str], view: str) -> Iterator[tuple[list[str], NDArray[Any]]]:
        """Batches of rows of one view: hashes of pixels, and values `[n, …]`; of some images, or of all when many.

        Args:
            pixels: The images that are wanted; others may come along.
            view: The view.
        """
        few = len(pixels) <= _BATCH
        where = _in("key", [key_of(one, view) for one in pixels]) if few else f"view = {_text(view)}"
        with self._database.guard("read"):
            for batch in self._table.search().where(where).select(["pixels", "value"]).to_batches(_BATCH):
                flat = batch.column("value").flatten().to_numpy(zero_copy_only=False)
                yield batch.column("pixels").to_pylist(), flat.reshape(batch.num_rows, *self.note.shape)

    def nearest(self, vector: NDArray[np.float32], count: int, view: str) -> list[tuple[str, float]]:
        """Hash of the pixels and cosine distance, 0 to 2, of the rows of a view nearest to a vector, nearest first."""
        with self._database.guard("read"):
            search = self._table.search(vector, vector_column_name="value").distance_type("cosine")
            found = search.where(f"view = {_text(view)}").select(["pixels", "_distance"]).limit(count).to_arrow()
        return list(zip(found.column("pixels").to_pylist(), found.column("_distance").to_pylist(), strict=True))

    def views(self) -> set[str]:
        """Views of at least one image."""
        with self._database.guard("read"):
            batches = self._table.search().select(["view"]).to_batches(_BATCH)
            return {view for batch in batches for view in batch.column("view").unique().to_pylist()}

    def count(self) -> int:
        """How many rows there are, those of other processes included."""
        with self._database.guard("read"):
            self._table.checkout_latest()
            return int(self._table.count_rows())

    def _select(self, columns: list[str], where: str) -> Any:
        return self._table.search().where(where).select(columns).limit(_BATCH).to_arrow()


class FileTable:
    """Which pixels a file holds, so that reading features needs no decoding.

    Args:
        database: Where it lies.
        table: As LanceDB opened it.
    """

    def __init__(self, database: Database, table: Any) -> None:
        self._database = database
        self._table = table

    @classmethod
    def open(cls, database: Database) -> Self:
        """The table of a store that has features."""
        return cls(database, database.open(_FILES))

    @classmethod
    def open_or_create(cls, database: Database) -> Self:
        """The table, made if need be."""
        import pyarrow as pa

        schema = pa.schema([_primary_key("file"), ("pixels", pa.string())])
        return cls(database, database.open_or_create(_FILES, schema))

    def pixels(self, files: Sequence[str]) -> dict[str, str]:
        """Hash of the pixels by hash of the file, for the files that are known."""
        found: dict[str, str] = {}
        with self._database.guard("read"):
            self._table.checkout_latest()
            for start in range(0, len(files), _BATCH):
                where = _in("file", files[start : start + _BATCH])
                rows = self._table.search().where(where).limit(_BATCH).to_arrow()
                found.update(zip(rows.column("file").to_pylist(), rows.column("pixels").to_pylist(), strict=True))
        return found

    def add(self, pixels: dict[str, str]) -> None:
        """Add files that are not there yet."""
        import pyarrow as pa

        rows = pa.table([pa.array(list(pixels)), pa.array(list(pixels.values()))], schema=self._table.schema)
        with self._database.guard("write to"):
            _merge(self._table, "file", rows)


def _merge(table: Any, key: str, rows: Any) -> Any:
    """Add the rows whose key is new, however many others write at the same time.

    LanceDB itself gives up after half a minute, which on a busy machine is two attempts.
    """
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return table.merge_insert(key).when_not_matched_insert_all().execute(rows)
        except (RuntimeError, OSError, ValueError) as error:
            if _CONFLICT not in str(error).lower() or time.monotonic() > give_up:
                raise
        time.sleep(random.uniform(0.2, 2.0))
        table.checkout_latest()


def _primary_key(name: str) -> Any:
    """A column of keys; without the mark, two processes that merge one key at the same time leave it twice."""
    import pyarrow as pa

    return pa.field(name, pa.string(), nullable=False, metadata={_PRIMARY_KEY: b"true"})


def key_of(pixels: str, view: str) -> str:
    """What names a row of a table."""
    return f"{pixels}/{view}"


def _note_of(database: Database, table: Any) -> TableNote:
    try:
        note = TableNote.model_validate_json((table.schema.metadata or {}).get(_NOTE, b""))
    except ValidationError as error:
        raise StoreError(
            f"the table {table.name} in {database.uri} was not written by dermoscope; choose another --store"
        ) from error
    if note.schema_version != 1:
        raise StoreError(
            f"the table {table.name} in {database.uri} has layout {note.schema_version}, and this version of "
            "dermoscope knows 1; update dermoscope, or choose another --store"
        )
    return note


def _text(value: str) -> str:
    if not _TEXT.fullmatch(value):
        raise StoreError(f"{value!r} is neither a hash nor the name of a view")
    return f"'{value}'"


def _in(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(map(_text, values))})" if values else "false"
