"""Features of many images with a frozen encoder, stored once and resumed after an interruption. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.engine import Graph
from dermoscope.images import decode
from dermoscope.training.views import make_view

_SAVE_EVERY = 1000


@dataclass(frozen=True)
class FeatureTable:
    """Features by image and view.

    Attributes:
        rows: `source/image_id/view` of each row.
        features: `[N, 256]` float32.
    """

    rows: tuple[str, ...]
    features: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> FeatureTable:
        """Read a stored table; an absent file is an empty one."""
        if not path.exists():
            return cls((), np.zeros((0, 256), np.float32))
        with np.load(path, allow_pickle=False) as stored:
            return cls(tuple(stored["rows"].tolist()), stored["features"])

    def save(self, path: Path) -> None:
        """Write the table; a reader sees the old file or the new one, never half of one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, rows=np.array(self.rows), features=self.features)
        partial.replace(path)

    def of(self, records: Iterable[Record], view: str) -> NDArray[np.float32]:
        """Features `[N, 256]` of some images in one view, in their order.

        Raises:
            KeyError: If an image was never extracted in that view.
        """
        index = {row: number for number, row in enumerate(self.rows)}
        return self.features[[index[row_name(record, view)] for record in records]]

    def all_views_of(self, records: Sequence[Record]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Features `[M, 256]` of some images in every stored view, and which image `[M]` each row belongs to."""
        position = {row_name(record, ""): number for number, record in enumerate(records)}
        prefixes = [row.rpartition("/")[0] + "/" for row in self.rows]
        chosen = [(number, position[prefix]) for number, prefix in enumerate(prefixes) if prefix in position]
        rows = np.array([number for number, _ in chosen], np.intp)
        return self.features[rows], np.array([owner for _, owner in chosen], np.intp)


def row_name(record: Record, view: str) -> str:
    """Key of one image in one view."""
    return f"{record.source}/{record.image_id}/{view}"


def extract_features(
    records: Sequence[Record],
    views: Sequence[str],
    encoder: Graph,
    contract: InputContract,
    path: Path,
    *,
    jobs: int = 2,
    seed: int = 0,
) -> FeatureTable:
    """Compute what is missing in a stored table of features.

    Args:
        records: The images.
        views: Names of the views of each image.
        encoder: Takes `image` and `pool_weights`, gives `feature`.
        contract: Input contract of the encoder.
        path: The table, a `.npz` file; saved every thousand images, so that an interruption costs little.
        jobs: Images at once.
        seed: Of the views.
    """
    table = FeatureTable.load(path)
    known = set(table.rows)
    missing = [(r, v) for v in views for r in records if row_name(r, v) not in known]

    def one(item: tuple[Record, str]) -> NDArray[np.float32]:
        record, view = item
        prepared = prepare(make_view(decode(record.path).rgb, record.image_id, view, seed), contract)
        encoded = encoder({"image": prepared.image, "pool_weights": prepared.pool_weights})
        return np.asarray(encoded["feature"][0], np.float32)

    with ThreadPoolExecutor(jobs) as pool:
        for chunk in _tracked_chunks(missing):
            new = np.stack(list(pool.map(one, chunk)))
            rows = tuple(row_name(*item) for item in chunk)
            table = FeatureTable((*table.rows, *rows), np.concatenate([table.features, new]))
            table.save(path)
    return table


def _tracked_chunks(items: Sequence[tuple[Record, str]]) -> Iterator[tuple[tuple[Record, str], ...]]:
    chunks = [tuple(items[start : start + _SAVE_EVERY]) for start in range(0, len(items), _SAVE_EVERY)]
    yield from track(chunks, description="features", total=len(chunks))
