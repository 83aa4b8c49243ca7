"""A small world for heads: lesions of every diagnosis with features that tell them apart, held in memory."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage import Kind
from dermoscope.data.manifest import Record
from dermoscope.features.errors import FeatureError
from dermoscope.images.symmetries import VIEWS
from dermoscope.training.leaks import LeakCheck, decide
from dermoscope.training.run_folder import RunFolder, RunRecord

CODES = ("NV", "MEL", "BCC", "BKL", "DF", "VASC", "AK", "NOT_SKIN")
SIZES: Mapping[str, int] = {"mean": 16, "std": 16, "levels": 24}
PER_CODE: Mapping[str, int] = {"train": 8, "val": 4, "test": 3}

SHORT = ["stopping.epochs=2", "optimiser.batch_size=16"]
"""Changes that make any recipe a matter of milliseconds an epoch."""


def tiny_records(codes: Sequence[str] = CODES) -> list[Record]:
    """Two images a lesion, in all splits."""
    return [
        Record(
            image_id=f"{code}_{split}_{number}",
            path=Path("images") / f"{code}_{split}_{number}.png",
            diagnosis=code,
            source="tiny",
            lesion_id=f"{code} {split} {number // 2}",
            split=split,
        )
        for split, count in PER_CODE.items()
        for code in codes
        for number in range(count)
    ]


@dataclass(frozen=True)
class TinyFeatures:
    """The same numbers for an image, view and column every time; a diagnosis moves one of them.

    Attributes:
        signal: How far.
        stored: Views that are stored.
    """

    signal: float = 4.0
    stored: tuple[str, ...] = VIEWS

    def of(self, records: Sequence[Record], view: str = "original", column: str = "mean") -> NDArray[np.float32]:
        if view not in self.stored:
            raise FeatureError(f"{column} of {records[0].path} in the view {view} is not stored. dermoscope embed")
        return np.stack([self._one(record, view, column) for record in records])

    def columns(self) -> tuple[str, ...]:
        return tuple(SIZES)

    def views(self) -> tuple[str, ...]:
        return self.stored

    def _one(self, record: Record, view: str, column: str) -> NDArray[np.float32]:
        random = np.random.default_rng(zlib.crc32(f"{record.image_id}/{view}/{column}".encode()))
        values = random.normal(size=SIZES[column])
        values[CODES.index(record.diagnosis)] += self.signal
        return values.astype(np.float32)


def begun(folder: Path, records: Sequence[Record]) -> RunFolder:
    """A run folder of a manifest without leaks."""
    check = LeakCheck(
        manifest="manifest.csv",
        manifest_sha256="ab12",
        settings={},
        images=len(records),
        unreadable=0,
        counts={kind.value: {"findings": 0, "leaks": 0, "images": 0} for kind in Kind},
        between_splits={},
        leaks=(),
    )
    return RunFolder(
        folder, RunRecord.begin(command=["train"], seeds=(0,), records=records, check=check, leaks=decide(check))
    )
