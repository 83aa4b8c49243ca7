"""What of a manifest is missing in a store, and how much room it takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from dermoscope.data.manifest import Record
from dermoscope.features.columns import Shapes, row_bytes
from dermoscope.features.database import Database
from dermoscope.features.errors import StoreError
from dermoscope.features.extraction import WorkItem
from dermoscope.features.tables import key_of
from dermoscope.features.writer import StoreWriter
from dermoscope.images import ImageError, read_image_file

_CHUNK = 512
_READERS = 4  # for disks that answer late
_SHARE = 64
_SPARE = 1.05  # fragments and versions of tables take some room too


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        items: Images of which something is missing.
        finished: How many images are stored as asked.
        rows: Rows to come, one a view.
        bytes_needed: What they take on the disk.
        bytes_free: What there is; none for an object store.
    """

    items: tuple[WorkItem, ...]
    finished: int
    rows: int
    bytes_needed: int
    bytes_free: int | None


def make_plan(
    records: Sequence[Record],
    views: Sequence[str],
    writer: StoreWriter,
    shapes: Shapes,
    database: Database,
) -> Plan:
    """Compare a manifest with a store; files are read and hashed, not decoded.

    Raises:
        StoreError: If the disk is too small for what is missing.
    """
    candidates = (WorkItem(number, record.path, tuple(views)) for number, record in enumerate(records))
    items = tuple(still_missing(candidates, writer))
    rows = sum(len(item.views) for item in items)
    needed = int(_SPARE * rows * sum(row_bytes(shapes[name], name) for name in writer.tables))
    free = database.free_bytes()
    if free is not None and needed > free:
        raise StoreError(
            f"{rows:,} rows of {', '.join(writer.tables)} need {megabytes(needed)}, and {database.uri} has "
            f"{megabytes(free)} free; free some, choose another --store, or ask for less: --views, --columns, --spatial"
        )
    return Plan(items, len(records) - len(items), rows, needed, free)


def still_missing(items: Iterable[WorkItem], writer: StoreWriter) -> Iterator[WorkItem]:
    """The items of which something is missing, each with only the views that are; in their order.

    Files that cannot be read count as missing: whoever opens them learns why.
    """
    waiting = iter(items)
    with ThreadPoolExecutor(_READERS) as pool:
        while chunk := list(islice(waiting, _CHUNK)):
            shares = [chunk[start : start + _SHARE] for start in range(0, len(chunk), _SHARE)]
            hashes = list(chain.from_iterable(pool.map(_file_sha256s, shares)))
            pixels = writer.files.pixels(sorted({one for one in hashes if one}))
            known = {key_of(pixels[one], view) for one, item in zip(hashes, chunk, strict=True)
                     if one in pixels for view in item.views}  # fmt: skip
            for table in writer.tables.values():
                known &= table.present(sorted(known))
            for one, item in zip(hashes, chunk, strict=True):
                missing = tuple(v for v in item.views if one not in pixels or key_of(pixels[one], v) not in known)
                if missing:
                    yield WorkItem(item.index, item.path, missing)


def megabytes(count: int) -> str:
    """A size for a person."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _file_sha256s(items: Iterable[WorkItem]) -> list[str]:
    return [_file_sha256(item.path) for item in items]


def _file_sha256(path: Path) -> str:
    try:
        return hashlib.sha256(read_image_file(path)).hexdigest()
    except ImageError:
        return ""
