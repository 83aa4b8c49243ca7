"""What is in a manifest, counted in one pass: classes, splits, sources, lesions, and who the patients are."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dermoscope import taxonomy
from dermoscope.data.manifest import Record

AGE_BAND = 5
"""Years an age band is wide; the ISIC archive rounds ages to five years."""

OLDEST_BAND = 90
"""The last age band holds everybody of this age or older."""

NO_DIAGNOSIS = "no diagnosis"
NO_SPLIT = "no split"
NO_SOURCE = "no source"
NOT_STATED = "not stated"

_Item = TypeVar("_Item")


@dataclass(frozen=True, order=True)
class Cell:
    """One field of the table: which class, split and source, in words where the manifest says nothing."""

    class_name: str
    split: str
    source: str


class Reservoir(Generic[_Item]):
    """A fair sample of a stream whose length nobody knows (Vitter 1985, algorithm R).

    Args:
        size: How many to keep at most.
        seed: The same seed and the same stream give the same sample.
    """

    def __init__(self, size: int, seed: str) -> None:
        self._size = size
        self._seed = seed
        self._random = random.Random(seed)
        self._seen = 0
        self._kept: list[_Item] = []

    def add(self, item: _Item) -> None:
        """Offer one more."""
        self._seen += 1
        if len(self._kept) < self._size:
            self._kept.append(item)
        elif (place := self._random.randrange(self._seen)) < self._size:
            self._kept[place] = item

    def __iter__(self) -> Iterator[_Item]:
        """The sample in random order, so that its first part is a fair sample too."""
        kept = list(self._kept)
        random.Random(f"{self._seed} {self._seen}").shuffle(kept)
        return iter(kept)


@dataclass
class Statistics:
    """Counts over a manifest.

    Memory grows with the number of different lesions and patients only, by about three hundred bytes each.

    Attributes:
        images: All rows.
        cells: Images by class, split and source.
        masks: Images with a mask, likewise.
        lesions: Different lesions by class, split and source, of the images that name one.
        with_lesion: Images that name their lesion.
        with_patient: Images that name their patient.
        ages: Images by lower end of their age band.
        age_sum: Of all ages, in years.
        sexes: Images by sex.
        sites: Images by anatomical site, in the words of the manifest.
    """

    images: int = 0
    cells: Counter[Cell] = field(default_factory=Counter)
    masks: Counter[Cell] = field(default_factory=Counter)
    lesions: Counter[Cell] = field(default_factory=Counter)
    with_lesion: int = 0
    with_patient: int = 0
    ages: Counter[int] = field(default_factory=Counter)
    age_sum: float = 0.0
    sexes: Counter[str] = field(default_factory=Counter)
    sites: Counter[str] = field(default_factory=Counter)
    _lesions_seen: set[int] = field(default_factory=set)
    _cells_of_lesions: set[int] = field(default_factory=set)
    _patients_seen: set[int] = field(default_factory=set)

    @property
    def different_lesions(self) -> int:
        """Lesions that are named, each once, wherever its images are."""
        return len(self._lesions_seen)

    @property
    def different_patients(self) -> int:
        """Patients that are named, each once."""
        return len(self._patients_seen)

    @property
    def with_mask(self) -> int:
        """Images with a mask."""
        return self.masks.total()

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that occur, in the order of the taxonomy, others behind."""
        known = (*taxonomy.ISIC2019_CODES, "AKIEC", taxonomy.NOT_SKIN)
        return _ordered({cell.class_name for cell in self.cells}, known, NO_DIAGNOSIS)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that occur: train, val and test first."""
        return _ordered({cell.split for cell in self.cells}, ("train", "val", "test"), NO_SPLIT)

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources that occur, by name."""
        return _ordered({cell.source for cell in self.cells}, (), NO_SOURCE)

    @property
    def mean_age(self) -> float | None:
        """In years; none where no age is stated."""
        known = self.ages.total()
        return self.age_sum / known if known else None

    def add(self, record: Record) -> None:
        """Count one image."""
        cell = cell_of(record)
        self.images += 1
        self.cells[cell] += 1
        self.masks[cell] += record.mask_path is not None
        if record.lesion_id:
            self.with_lesion += 1
            self._lesions_seen.add(_short_sum(record.source, record.lesion_id))
            in_cell = _short_sum(*(cell.class_name, cell.split, cell.source), record.lesion_id)
            self.lesions[cell] += in_cell not in self._cells_of_lesions
            self._cells_of_lesions.add(in_cell)
        if record.patient_id:
            self.with_patient += 1
            self._patients_seen.add(_short_sum(record.source, record.patient_id))
        if record.age is not None and math.isfinite(record.age):
            self.ages[min(max(0, int(record.age // AGE_BAND) * AGE_BAND), OLDEST_BAND)] += 1
            self.age_sum += record.age
        self.sexes[record.sex or NOT_STATED] += 1
        self.sites[record.site or NOT_STATED] += 1

    def count(
        self,
        counts: Counter[Cell],
        *,
        class_name: str | None = None,
        split: str | None = None,
        source: str | None = None,
    ) -> int:
        """One number of `cells`, `masks` or `lesions`, summed over what is left out.

        A lesion whose images lie in several splits or sources counts once in each.
        """
        return sum(
            number
            for cell, number in counts.items()
            if class_name in (None, cell.class_name) and split in (None, cell.split) and source in (None, cell.source)
        )


def gather(records: Iterable[Record]) -> Statistics:
    """Count all records; none is kept."""
    statistics = Statistics()
    for record in records:
        statistics.add(record)
    return statistics


def cell_of(record: Record) -> Cell:
    """Where in the table an image counts."""
    return Cell(record.diagnosis or NO_DIAGNOSIS, record.split or NO_SPLIT, record.source or NO_SOURCE)


def class_title(class_name: str) -> str:
    """A class in words, such as `melanocytic nevus`; the name itself where the taxonomy has no other."""
    return taxonomy.CODE_NAMES.get(class_name, class_name)


def as_json(statistics: Statistics) -> Mapping[str, object]:
    """The same as plain data, for scripts."""
    return {
        "images": statistics.images,
        "with_mask": statistics.with_mask,
        "with_lesion_id": statistics.with_lesion,
        "different_lesions": statistics.different_lesions,
        "with_patient_id": statistics.with_patient,
        "different_patients": statistics.different_patients,
        "classes": list(statistics.classes),
        "splits": list(statistics.splits),
        "sources": list(statistics.sources),
        "table": [
            {
                "class": cell.class_name,
                "split": cell.split,
                "source": cell.source,
                "images": images,
                "lesions": statistics.lesions[cell],
                "masks": statistics.masks[cell],
            }
            for cell, images in sorted(statistics.cells.items())
        ],
        "age": {
            "stated": statistics.ages.total(),
            "mean": statistics.mean_age,
            "bands": [
                {"from": low, "to": low + AGE_BAND if low < OLDEST_BAND else None, "images": statistics.ages[low]}
                for low in sorted(statistics.ages)
            ],
        },
        "sex": dict(statistics.sexes.most_common()),
        "site": dict(statistics.sites.most_common()),
    }


def _ordered(found: set[str], first: tuple[str, ...], last: str) -> tuple[str, ...]:
    rank = {name: place for place, name in enumerate(first)}
    return tuple(sorted(found, key=lambda name: (name == last, rank.get(name, len(rank)), name)))


def _short_sum(*parts: str) -> int:
    """Eight bytes that stand for a name; among ten million names two agree by accident once in 400,000 manifests."""
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big")
