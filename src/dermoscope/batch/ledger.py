"""Which input got which image id, and which inputs are finished: on disk, so that memory does not grow with the run.

The lines of `results.jsonl` are the truth; the ledger adds what a line does not say: the size and the date of the file
behind it. It is SQLite because one input more must cost the same at the millionth image as at the first.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Self

from dermoscope.batch.errors import OutputError
from dermoscope.batch.image_ids import comparison_key, distinct_id, image_id_of
from dermoscope.batch.inputs import BatchInput
from dermoscope.batch.results import ResultLine

LEDGER_NAME = "inputs.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS inputs (
    location BLOB PRIMARY KEY,         -- absolute path
    image_id TEXT NOT NULL,
    id_key TEXT NOT NULL UNIQUE,       -- ids that a file system may confuse share it
    size INTEGER,                      -- of the file when its last result was written; NULL before
    modified_ns INTEGER,
    lines INTEGER NOT NULL DEFAULT 0,  -- how many lines of results.jsonl are about it
    done INTEGER NOT NULL DEFAULT 0,   -- whether the last of them is a success
    seen INTEGER NOT NULL DEFAULT 0    -- whether this run has met it
) WITHOUT ROWID
"""


class State(Enum):
    """What to do with an input."""

    WAITING = auto()
    FINISHED = auto()
    REPEATED = auto()


@dataclass(frozen=True, slots=True)
class Claim:
    """An input with its image id."""

    input: BatchInput
    image_id: str
    state: State


class Ledger:
    """The ledger of one results folder, locked against a second run until it is closed.

    Args:
        folder: The results folder.

    Raises:
        OutputError: If the ledger cannot be opened, or another run has it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._guard():
            self._database = sqlite3.connect(folder / LEDGER_NAME, isolation_level=None, timeout=0.5)
            try:
                # An exclusive lock also lets the write-ahead log work on network file systems.
                self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute(_SCHEMA)
                self._database.execute("UPDATE inputs SET seen = 0")
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard():
            self._database.close()

    def clear(self) -> None:
        """Forget everything."""
        with self._guard():
            self._database.execute("DELETE FROM inputs")

    def recover(self, lines: Iterator[ResultLine]) -> None:
        """Take over what the lines of an earlier run say.

        Args:
            lines: Every line of `results.jsonl`, in order.
        """
        with self._guard():
            self._database.execute("BEGIN")
            self._database.execute("UPDATE inputs SET lines = 0, done = 0")
            for line in lines:
                self._database.execute(
                    "INSERT INTO inputs (location, image_id, id_key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (BatchInput(line.path).location, line.image_id, comparison_key(line.image_id)),
                )
                self._count(line.image_id, line.done)
            self._database.execute("COMMIT")

    def claim(self, found: BatchInput) -> Claim:
        """Give an input its id and say whether there is work to do.

        A finished input is one whose last result is a success and whose file has the same size and date as then;
        comparing contents would mean reading every image of the archive again.
        """
        with self._guard():
            row = self._database.execute(
                "SELECT image_id, size, modified_ns, done, seen FROM inputs WHERE location = ?", (found.location,)
            ).fetchone()
            if row is None:
                return Claim(found, self._enter(found), State.WAITING)
            image_id, size, modified_ns, done, seen = row
            if seen:
                return Claim(found, image_id, State.REPEATED)
            self._database.execute("UPDATE inputs SET seen = 1 WHERE location = ?", (found.location,))
        unchanged = not found.problem and (size, modified_ns) == (found.size, found.modified_ns)
        return Claim(found, image_id, State.FINISHED if done and unchanged else State.WAITING)

    def finish(self, claim: Claim, *, done: bool) -> None:
        """Record that a line about this input has been written."""
        with self._guard():
            self._count(claim.image_id, done)
            self._database.execute(
                "UPDATE inputs SET size = ?, modified_ns = ? WHERE location = ?",
                (claim.input.size, claim.input.modified_ns, claim.input.location),
            )

    def has_superseded_lines(self) -> bool:
        """Whether some input has more than one line."""
        with self._guard():
            return self._database.execute("SELECT 1 FROM inputs WHERE lines > 1 LIMIT 1").fetchone() is not None

    def drop_if_superseded(self, image_id: str) -> bool:
        """Whether a later line takes the place of this one, the first that is left; if so it is counted as dropped."""
        with self._guard():
            dropped = self._database.execute(
                "UPDATE inputs SET lines = lines - 1 WHERE id_key = ? AND lines > 1", (comparison_key(image_id),)
            )
            return dropped.rowcount > 0

    def _enter(self, found: BatchInput) -> str:
        plain = image_id_of(found.path)
        candidates = itertools.chain([plain], (distinct_id(plain, found.name, n) for n in itertools.count(1)))
        for image_id in candidates:
            added = self._database.execute(
                "INSERT INTO inputs (location, image_id, id_key, seen) VALUES (?, ?, ?, 1) "
                "ON CONFLICT (id_key) DO NOTHING",
                (found.location, image_id, comparison_key(image_id)),
            )
            if added.rowcount:
                return image_id
        raise AssertionError("the candidates never end")

    def _count(self, image_id: str, done: bool) -> None:
        self._database.execute(
            "UPDATE inputs SET lines = lines + 1, done = ? WHERE id_key = ?", (done, comparison_key(image_id))
        )

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise OutputError(
                    f"another run is writing to {self._folder}; wait for it or choose another folder"
                ) from error
            raise OutputError(
                f"cannot keep the list of inputs {self._folder / LEDGER_NAME}: {error}; free some space or make the "
                "folder writable and run the same command again, or choose another folder"
            ) from error
