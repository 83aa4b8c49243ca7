"""The feature store: what a frozen encoder says of every image and view, computed once.

One row per hash of decoded pixels, view and encoder fingerprint. Labels are not stored: they are joined from the
manifest when features are read, so that a corrected label needs no new features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.features.columns import COLUMNS, SPATIAL
from dermoscope.features.database import Database
from dermoscope.features.errors import FeatureError, StoreError
from dermoscope.features.tables import FeatureTable, FileTable, TableNote
from dermoscope.images import ImageError, printable, read_image_file
from dermoscope.images.symmetries import VIEWS


class FeatureStore:
    """Reads the stored features of one encoder; is a `dermoscope.features.protocol.Features`.

    Args:
        database: The store.
        encoder: Fingerprint of the encoder.

    Raises:
        StoreError: If nothing of that encoder is stored.
    """

    def __init__(self, database: Database, encoder: str) -> None:
        names = database.names()
        stored = [name for name in (*COLUMNS, SPATIAL) if FeatureTable.name_of(encoder, name) in names]
        if not stored:
            raise StoreError(_nothing_of(encoder, database, names))
        self._database = database
        self._tables = {name: FeatureTable.open(database, encoder, name) for name in stored}
        self._files = FileTable.open(database)
        self._pixels: dict[Path, str] = {}

    @classmethod
    def open(cls, uri: str | Path, encoder: str) -> Self:
        """Open a store for reading.

        Args:
            uri: A local folder, or `s3://…`, `gs://…`, `az://…`.
            encoder: Fingerprint of the encoder.

        Raises:
            StoreError: If there is no store, or nothing of that encoder in it; the message says what there is.
        """
        if "://" not in str(uri) and not Path(uri).is_dir():
            raise StoreError(f"there is no store {uri}; make one with: dermoscope embed MANIFEST --store {uri}")
        return cls(Database(uri), encoder)

    @property
    def note(self) -> TableNote:
        """What the store says about the encoder and how its features were computed."""
        return next(iter(self._tables.values())).note

    def columns(self) -> tuple[str, ...]:
        """Columns that are stored, but for the spatial embeddings."""
        return tuple(name for name in COLUMNS if name in self._tables)

    def views(self) -> tuple[str, ...]:
        """Views that are stored of at least one image."""
        found = next(iter(self._tables.values())).views()
        return tuple(name for name in VIEWS if name in found)

    def of(self, records: Sequence[Record], view: str = "original", column: str = "mean") -> NDArray[np.float32]:
        """One column of some images in one view, in their order.

        Args:
            records: The images. Where the manifest gives a file's sha256 it is believed; others are hashed once.
            view: One of `views()`.
            column: One of `columns()`.

        Returns:
            `[N, C]`.

        Raises:
            FeatureError: If an image was never embedded in that view, or the column is not stored.
        """
        if column not in self.columns():
            raise FeatureError(
                f"{column} is not stored of {self.note.encoder}; stored: {', '.join(self.columns()) or 'maps only'}. "
                f"{self._command(view, column)}"
            )
        return self._rows(records, view, column)

    def maps_of(self, records: Sequence[Record], view: str = "original") -> NDArray[np.float16]:
        """The embeddings of some images in one view, in their order; ask for a batch at a time.

        Returns:
            `[N, C, h, w]`.

        Raises:
            FeatureError: If the embedding of an image is not stored in that view.
        """
        if SPATIAL not in self._tables:
            raise FeatureError(
                f"no spatial embeddings of {self.note.encoder} are stored. {self._command(view, SPATIAL)}"
            )
        return self._rows(records, view, SPATIAL)

    def pixels_of(self, records: Iterable[Record]) -> dict[Path, str]:
        """Hash of the pixels by path, for the images that the store has met; of files that cannot be read, none."""
        fresh = [record for record in records if record.path not in self._pixels]
        files = {record.path: record.sha256 or _file_sha256(record.path) for record in fresh}
        known = self._files.pixels(sorted({one for one in files.values() if one}))
        self._pixels.update({path: known[file] for path, file in files.items() if file in known})
        return self._pixels

    def nearest(self, vector: NDArray[np.float32], count: int, view: str = "original") -> list[tuple[str, float]]:
        """The stored images whose mean is nearest to a vector.

        Args:
            vector: `[C]`.
            count: How many at most.
            view: Among which view.

        Returns:
            Hash of the pixels and cosine distance, 0 to 2, the nearest first.

        Raises:
            FeatureError: If means are not stored.
        """
        if "mean" not in self._tables:
            raise FeatureError(f"mean is not stored of {self.note.encoder}. {self._command(view, 'mean')}")
        return self._tables["mean"].nearest(vector, count, view)

    def _rows(self, records: Sequence[Record], view: str, column: str) -> NDArray[Any]:
        pixels = self.pixels_of(records)
        places: dict[str, list[int]] = {}
        for number, record in enumerate(records):
            places.setdefault(pixels.get(record.path, ""), []).append(number)
        unknown = places.pop("", [])
        table = self._tables[column]
        result: NDArray[Any] | None = None
        for hashes, values in table.read(list(places), view):
            if result is None:
                result = np.empty((len(records), *table.note.shape), values.dtype)
            for one, row in zip(hashes, values, strict=True):
                for number in places.pop(one, ()):
                    result[number] = row
        missing = sorted([*unknown, *(number for numbers in places.values() for number in numbers)])
        if missing:
            path = records[missing[0]].path
            if not path.is_file():
                raise FeatureError(f"{printable(path)} does not exist, so its features cannot be found")
            raise FeatureError(
                f"{column} of {printable(path)} in the view {view} is not stored"
                f"{f', nor of {len(missing) - 1:,} others' if len(missing) > 1 else ''}. {self._command(view, column)}"
            )
        return np.empty((0, *table.note.shape), np.float32) if result is None else result

    def _command(self, view: str, column: str) -> str:
        asked = "--spatial" if column == SPATIAL else f"--columns {column}"
        where = f"--encoder FOLDER --store {self._database.uri}"
        return f"Make it with: dermoscope embed MANIFEST {where} --views {view} {asked}"


def encoders_in(database: Database, names: Iterable[str]) -> dict[str, str]:
    """Title by fingerprint of every encoder that has features among the tables of a store."""
    found = {}
    for name in names:
        fingerprint, _, column = name.partition(".")
        if column in (*COLUMNS, SPATIAL) and fingerprint not in found:
            found[fingerprint] = FeatureTable.open(database, fingerprint, column).note.encoder
    return found


def _nothing_of(encoder: str, database: Database, names: Iterable[str]) -> str:
    others = encoders_in(database, names)
    held = f"it holds those of {', '.join(others.values())}" if others else "it is empty"
    return (
        f"the store {database.uri} has no features of the encoder with fingerprint {encoder}: {held}. Other weights, "
        "another input size or another version make another encoder; add its features with: "
        f"dermoscope embed MANIFEST --encoder FOLDER --store {database.uri}"
    )


def _file_sha256(path: Path) -> str:
    try:
        return hashlib.sha256(read_image_file(path)).hexdigest()
    except ImageError:
        return ""
