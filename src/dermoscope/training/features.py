"""What a frozen encoder says of many images, stored once and resumed after an interruption. Torch-free."""

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
from dermoscope.training.tasks import Reads
from dermoscope.training.views import make_view

_SAVE_EVERY = 2000


@dataclass(frozen=True)
class FeatureTable:
    """What the heads read of each image and view.

    Attributes:
        rows: `source/image_id/view` of each row.
        feature: `[N, 256]` float32, the mean of the embedding.
        statistics: `[N, S]` float32, of all maps of the encoder.
    """

    rows: tuple[str, ...]
    feature: NDArray[np.float32]
    statistics: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> FeatureTable:
        """Read a stored table; an absent file is an empty one."""
        if not path.exists():
            return cls((), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32))
        with np.load(path, allow_pickle=False) as stored:
            return cls(tuple(stored["rows"].tolist()), stored["feature"], stored["statistics"])

    def save(self, path: Path) -> None:
        """Write the table; a reader sees the old file or the new one, never half of one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, rows=np.array(self.rows), feature=self.feature, statistics=self.statistics)
        partial.replace(path)

    def of(self, records: Iterable[Record], view: str, reads: Reads = "feature") -> NDArray[np.float32]:
        """What a head reads `[N, F]` of some images in one view, in their order.

        Raises:
            KeyError: If an image was never extracted in that view.
        """
        index = {row: number for number, row in enumerate(self.rows)}
        return self._column(reads)[[index[row_name(record, view)] for record in records]]

    def all_views_of(
        self, records: Sequence[Record], reads: Reads = "feature"
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """What a head reads `[M, F]` of some images in every stored view, and which image `[M]` a row belongs to."""
        position = {row_name(record, ""): number for number, record in enumerate(records)}
        prefixes = [row.rpartition("/")[0] + "/" for row in self.rows]
        chosen = [(number, position[prefix]) for number, prefix in enumerate(prefixes) if prefix in position]
        rows = np.array([number for number, _ in chosen], np.intp)
        return self._column(reads)[rows], np.array([owner for _, owner in chosen], np.intp)

    def _column(self, reads: Reads) -> NDArray[np.float32]:
        return {"feature": self.feature, "statistics": self.statistics}[reads]


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
        encoder: Takes `image` and `pool_weights`, gives `feature` and `statistics`.
        contract: Input contract of the encoder.
        path: The table, a `.npz` file; saved every two thousand images, so that an interruption costs little.
        jobs: Images at once.
        seed: Of the views.
    """
    table = FeatureTable.load(path)
    known = set(table.rows)
    missing = [(r, v) for v in views for r in records if row_name(r, v) not in known]

    def one(item: tuple[Record, str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        record, view = item
        prepared = prepare(make_view(decode(record.path).rgb, record.image_id, view, seed), contract)
        encoded = encoder({"image": prepared.image, "pool_weights": prepared.pool_weights})
        return np.asarray(encoded["feature"], np.float32), np.asarray(encoded["statistics"], np.float32)

    with ThreadPoolExecutor(jobs) as pool:
        for chunk in _tracked_chunks(missing):
            feature, statistics = (np.concatenate(column) for column in zip(*pool.map(one, chunk), strict=True))
            if table.rows:
                feature = np.concatenate([table.feature, feature])
                statistics = np.concatenate([table.statistics, statistics])
            table = FeatureTable((*table.rows, *(row_name(*item) for item in chunk)), feature, statistics)
            table.save(path)
    return table


def _tracked_chunks(items: Sequence[tuple[Record, str]]) -> Iterator[tuple[tuple[Record, str], ...]]:
    chunks = [tuple(items[start : start + _SAVE_EVERY]) for start in range(0, len(items), _SAVE_EVERY)]
    yield from track(chunks, description="features", total=len(chunks))
