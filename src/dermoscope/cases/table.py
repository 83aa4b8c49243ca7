"""The LanceDB table of a case store: what is searched, listed and compared, some 1.5 KB a case.

LanceDB deletes by marking: the row stays in its file, and old versions of the table keep all their files. So `remove`
writes the table anew without the row, in one transaction, and then drops every older version with its files. The table
is small enough for that because pixels, masks and analyses are not in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermoscope.features.database import Database
from dermoscope.features.errors import StoreError

EMBEDDING_SIZE = 256
"""Values of an embedding: the mean over the map of a SAM-family encoder."""

_NAME = "cases"
_VERSION = b"1"
_VERSION_KEY = b"dermoscope.cases"
_SMALL = ("id", "created", "changed", "label", "note", "mask", "mask_corrected")
_BATCH = 4096
_TIDY_AFTER = 64  # changes; each leaves a file that every scan opens
_AGE = timedelta(milliseconds=1)  # LanceDB warns at zero
_PATIENCE = 200


@dataclass(frozen=True)
class CaseRow:
    """The row of a case, without its embedding.

    Attributes:
        id: Of the case.
        created: Microseconds since 1970, UTC.
        changed: Microseconds since 1970, UTC.
        label: Diagnosis code, or none.
        note: Free text.
        mask: Name of the file of the present mask, or empty.
        mask_corrected: Whether a person drew it.
    """

    id: str
    created: int
    changed: int
    label: str | None
    note: str
    mask: str
    mask_corrected: bool


@dataclass(frozen=True)
class Newest:
    """Some ids, the newest first.

    Attributes:
        ids: As many as were asked for.
        total: How many cases fit, those before and after these included.
        more: Whether there are older ones.
    """

    ids: list[str]
    total: int
    more: bool


class CaseTable:
    """The rows of a store, for one process and one thread at a time.

    Args:
        folder: Where LanceDB puts its files; made if need be.

    Raises:
        StoreError: If LanceDB is missing, or the table cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder)
        self._table = self._database.open_or_create(_NAME, _schema())
        if (self._table.schema.metadata or {}).get(_VERSION_KEY) != _VERSION:
            raise StoreError(f"the cases in {folder.parent} have another layout; update dermoscope or choose another")
        self.tidy()

    def add(self, row: CaseRow, model: str, embedding: NDArray[np.float32], words: str, corrected: bool) -> None:
        """Add a case.

        Args:
            row: Its row.
            model: Fingerprint of the bundle that made the embedding.
            embedding: `[256]`.
            words: What a search looks through, case folded.
            corrected: Whether a person changed something.
        """
        cells = {"model": model, "embedding": embedding, "words": words, "corrected": corrected}
        with self._database.guard("write to"):
            self._table.add(_arrow([{**vars(row), **cells}]))
        self._count_change()

    def replace(self, row: CaseRow, words: str, corrected: bool) -> None:
        """Change a case; model and embedding stay."""
        with self._database.guard("write to"):
            (old,) = self._scan(_is("id", row.id), ["model", "embedding"]).to_pylist()
            new = _arrow([{**vars(row), **old, "words": words, "corrected": corrected}])
            self._table.merge_insert("id").when_matched_update_all().execute(new)
        self._count_change()

    def remove(self, case_id: str) -> None:
        """Delete a case for good: afterwards no file of the table holds anything of it, past changes included."""
        import pyarrow as pa

        with self._database.guard("write to"):
            batches = self._table.search().where(f"NOT ({_is('id', case_id)})").to_batches(_BATCH)
            self._table.add(pa.RecordBatchReader.from_batches(self._table.schema, batches), mode="overwrite")
        self.tidy()

    def find(self, ids: Sequence[str]) -> dict[str, CaseRow]:
        """Rows by id, of those that exist."""
        if not ids:
            return {}
        with self._database.guard("read"):
            found = self._scan(f"id IN ({', '.join(map(_text, ids))})", _SMALL).to_pylist()
        return {cells["id"]: CaseRow(**cells) for cells in found}

    def newest(
        self,
        *,
        search: str = "",
        label: str | None = None,
        corrected: bool = False,
        before: int | None = None,
        limit: int | None = None,
    ) -> Newest:
        """Ids of the cases that fit, the newest first.

        Args:
            search: Text that must occur among the words; any if empty.
            label: Diagnosis code; any if none.
            corrected: Only those where a person changed something.
            before: Only those that were created before this time, in microseconds since 1970.
            limit: How many ids at most.
        """
        parts = [f"contains(words, {_text(search.casefold())})"] if search else []
        parts += [_is("label", label)] if label is not None else []
        parts += ["corrected"] if corrected else []
        with self._database.guard("read"):
            found = self._scan(" AND ".join(parts) or "true", ["id", "created"])
        created = found.column("created").to_numpy()
        newest = np.argsort(created)[::-1]
        older = newest if before is None else newest[created[newest] < before]
        shown = older[:limit]
        return Newest(found.column("id").take(shown).to_pylist(), len(newest), len(shown) < len(older))

    def nearest(
        self, embedding: NDArray[np.float32], model: str, limit: int, exclude: str | None
    ) -> Iterator[tuple[str, float]]:
        """Id and cosine distance of the cases of one model nearest to an embedding `[256]`, the nearest first."""
        where = _is("model", model) + (f" AND NOT ({_is('id', exclude)})" if exclude else "")
        with self._database.guard("read"):
            search = self._table.search(embedding, vector_column_name="embedding").distance_type("cosine")
            found = search.where(where, prefilter=True).select(["id", "_distance"]).limit(limit).to_arrow()
        return zip(found.column("id").to_pylist(), found.column("_distance").to_pylist(), strict=True)

    def last_created(self) -> int:
        """The newest case's microseconds since 1970; 0 without a case."""
        with self._database.guard("read"):
            created = self._scan("true", ["created"]).column("created").to_numpy()
        return int(created.max(initial=0))

    def tidy(self) -> None:
        """Join small files, and drop all old versions with whatever a killed process left.

        Raises:
            StoreError: If an old version stays.
        """
        with self._database.guard("write to"):
            for _ in range(_PATIENCE):
                time.sleep(2 * _AGE.total_seconds())
                self._table.optimize(cleanup_older_than=_AGE, delete_unverified=True)
                if len(self._table.list_versions()) == 1:
                    self._changes = 0
                    return
        raise StoreError(
            f"old versions of the cases stay in {self._database.uri}, as happens when the clock was set back; "
            "open the store again once the clock has caught up"
        )

    def _count_change(self) -> None:
        self._changes += 1
        if self._changes >= _TIDY_AFTER:
            self.tidy()

    def _scan(self, where: str, columns: Sequence[str]) -> Any:
        return self._table.search().where(where).select(list(columns)).to_arrow()


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            ("created", pa.int64()),
            ("changed", pa.int64()),
            ("label", pa.string()),
            ("note", pa.string()),
            ("words", pa.string()),
            ("mask", pa.string()),
            ("mask_corrected", pa.bool_()),
            ("corrected", pa.bool_()),
            ("model", pa.string()),
            ("embedding", pa.list_(pa.float32(), EMBEDDING_SIZE)),
        ],
        metadata={_VERSION_KEY: _VERSION},
    )


def _arrow(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=_schema())


def _is(column: str, value: str) -> str:
    return f"{column} = {_text(value)}"


def _text(value: str) -> str:
    """A text literal of LanceDB's SQL, where only the quote is special."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
