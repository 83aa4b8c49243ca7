"""Splits: grouped by lesion and patient, stratified by class, seeded, and saved with a hash.

The two image-level splits at the end ignore lesions. They exist only to compare with published numbers, and say so in
their names.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dermoscope.data.manifest import Record

GROUPED = "grouped"
GROUPED_FOLDS = "grouped-folds"
IMAGE_LEVEL_1 = "image-level-system-1-70-15-15"
IMAGE_LEVEL_2 = "image-level-system-2-60-15-25"
_NAMES = ("train", "val", "test")


class SplitError(ValueError):
    """A split cannot be made, read or applied; the message says which image or file is the reason."""


@dataclass(frozen=True)
class Split:
    """Which part each image belongs to.

    Attributes:
        parts: Part by image id, ordered by image id: `train`, `val`, `test`, or the number of a fold from `0` up.
        method: How it was made, such as `grouped`; `image-level` in the name means that lesions were ignored.
        seed: What the shuffling started from.
        counts: Images by part and class.
    """

    parts: Mapping[str, str]
    method: str
    seed: int
    counts: Mapping[str, Mapping[str, int]]

    @property
    def column(self) -> str:
        """Name of the second column of the file: `fold` or `split`."""
        return "fold" if self.method == GROUPED_FOLDS else "split"

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the CSV file, so `sha256sum` of the file gives the same."""
        return hashlib.sha256(self._table().encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Write `image_id,split` (or `fold`) as CSV, and beside it a JSON file with hash, method, seed and counts.

        Args:
            path: The CSV file; the JSON file has the same name with the suffix `.json`.
        """
        facts = {
            "sha256": self.sha256,
            "method": self.method,
            "seed": self.seed,
            "images": len(self.parts),
            "counts": {part: dict(counts) for part, counts in self.counts.items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._table(), encoding="utf-8", newline="")
        path.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Split:
        """Read a split and check it against its hash.

        Raises:
            SplitError: If the JSON file beside it is missing or damaged, or the CSV was changed after it was written.
        """
        sidecar = path.with_suffix(".json")
        text = path.read_bytes().decode("utf-8")
        try:
            facts = json.loads(sidecar.read_text(encoding="utf-8"))
            method, seed, counts, expected = facts["method"], facts["seed"], facts["counts"], facts["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SplitError(f"{sidecar} is missing or no description of a split; make the split again") from error
        if hashlib.sha256(text.encode()).hexdigest() != expected:
            raise SplitError(f"{path} was changed after it was written: its sha256 is not the one in {sidecar.name}")
        rows = csv.reader(io.StringIO(text))
        next(rows)
        return cls(dict(rows), method, seed, counts)

    def apply(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records with `split` set.

        Raises:
            SplitError: If an image is not in the split.
        """
        for record in records:
            if record.image_id not in self.parts:
                raise SplitError(f"{record.image_id} is not in the split; make the split from this manifest again")
            yield record.model_copy(update={"split": self.parts[record.image_id]})

    def fold(self, number: int) -> Split:
        """One round of cross-validation: fold `number` becomes `val`, all others `train`.

        Raises:
            SplitError: If there is no such fold.
        """
        if self.method != GROUPED_FOLDS or str(number) not in self.counts:
            raise SplitError(f"there is no fold {number}; the parts are {', '.join(self.counts)}")
        names = {part: "val" if part == str(number) else "train" for part in self.counts}
        counts: dict[str, Counter[str]] = {"train": Counter(), "val": Counter()}
        for part, by_class in self.counts.items():
            counts[names[part]].update(by_class)
        parts = {image_id: names[part] for image_id, part in self.parts.items()}
        return Split(parts, f"{self.method}, fold {number}", self.seed, counts)

    def _table(self) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image_id", self.column))
        writer.writerows(self.parts.items())
        return stream.getvalue()


def grouped_split(
    records: Iterable[Record],
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    *,
    seed: int = 0,
    linked: Iterable[tuple[str, str]] = (),
) -> Split:
    """Split so that no lesion and no patient lies on two sides, with every class in the wanted proportion.

    The order of the records does not matter.

    Args:
        records: Their `diagnosis` is the class.
        fractions: Shares of train, validation and, if there are three, test; they sum to 1.
        seed: For the shuffling.
        linked: Pairs of image ids that must stay together too, such as near-duplicates that a leak check found.

    Raises:
        SplitError: If the fractions are no such shares, or an image id occurs twice.
    """
    if len(fractions) not in (2, 3) or min(fractions) <= 0 or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise SplitError(f"fractions: expected two or three positive shares that sum to 1, got {tuple(fractions)}")
    ordered = _ordered(records)
    parts = _distribute(ordered, fractions, seed, linked)
    return _split(ordered, [_NAMES[part] for part in parts], GROUPED, seed)


def grouped_folds(
    records: Iterable[Record], folds: int = 5, *, seed: int = 0, linked: Iterable[tuple[str, str]] = ()
) -> Split:
    """As `grouped_split`, into equal parts for cross-validation, named `0` to `folds - 1`.

    Raises:
        SplitError: If there are fewer than two folds or fewer groups than folds, or an image id occurs twice.
    """
    ordered = _ordered(records)
    groups = len(set(groups_of(ordered, linked := list(linked))))
    if not 2 <= folds <= groups:
        raise SplitError(f"folds: expected 2 to {groups}, the number of groups of images, got {folds}")
    parts = _distribute(ordered, [1 / folds] * folds, seed, linked)
    return _split(ordered, [str(part) for part in parts], GROUPED_FOLDS, seed)


def image_level_system_1(records: Iterable[Record], *, seed: int = 42) -> Split:
    """The published split of the Graz system: 70/15/15 of the shuffled images, no classes, no lesions looked at.

    Variants of one image made by augmentation must be made after it. Sizes are those published (23,498 / 5,035 /
    5,036 of 33,569); which image lies where was never published. About 58 % of its validation images of ISIC 2019
    training have another picture of the same lesion in train: for comparison with published numbers only.
    """
    ordered = _ordered(records)
    shuffled = list(range(len(ordered)))
    random.Random(seed).shuffle(shuffled)
    return _split(ordered, _cut(shuffled, 0.7, 0.15), IMAGE_LEVEL_1, seed)


def image_level_system_2(records: Iterable[Record], *, seed: int = 42) -> Split:
    """The published split of the Girona system: 60/15/25 of each class, rounded down, no lesions looked at.

    On ISIC 2019 training it gives the published supports, such as 1,931 nevi in validation. About 54 % of the
    validation images of its binary task, 74 % of its three-class task, have another picture of the same lesion in
    train: for comparison with published numbers only.
    """
    ordered = _ordered(records)
    by_class: defaultdict[str, list[int]] = defaultdict(list)
    for row, record in enumerate(ordered):
        by_class[record.diagnosis].append(row)
    generator = random.Random(seed)
    parts = [""] * len(ordered)
    for diagnosis in sorted(by_class):
        rows = by_class[diagnosis]
        generator.shuffle(rows)
        for row, part in zip(sorted(rows), _cut(rows, 0.6, 0.15), strict=True):
            parts[row] = part
    return _split(ordered, parts, IMAGE_LEVEL_2, seed)


IMAGE_LEVEL_SPLITS: Mapping[str, Callable[..., Split]] = MappingProxyType(
    {IMAGE_LEVEL_1: image_level_system_1, IMAGE_LEVEL_2: image_level_system_2}
)
"""The published splits that ignore lesions, by name; each takes records and `seed`."""


def groups_of(records: Sequence[Record], linked: Iterable[tuple[str, str]] = ()) -> list[int]:
    """A number for each record; records that share a patient, a lesion or a link, also over others, share the number.

    Raises:
        SplitError: If a link names an image that is not there.
    """
    parent = list(range(len(records)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[tuple[str, str], int] = {}
    rows = {record.image_id: row for row, record in enumerate(records)}
    for row, record in enumerate(records):
        keys = (("group", record.group_id), ("patient", record.patient_id), ("lesion", record.lesion_id))
        for key in keys:
            if key[1]:
                parent[root(row)] = root(first.setdefault(key, row))
    for one, other in linked:
        for image_id in (one, other):
            if image_id not in rows:
                raise SplitError(f"linked: there is no image {image_id!r}")
        parent[root(rows[one])] = root(rows[other])
    return [root(row) for row in range(len(records))]


def _ordered(records: Iterable[Record]) -> list[Record]:
    ordered = sorted(records, key=lambda record: record.image_id)
    for one, other in pairwise(ordered):
        if one.image_id == other.image_id:
            raise SplitError(f"{one.image_id} occurs twice in the manifest; keep one of the rows")
    return ordered


def _distribute(
    records: Sequence[Record], fractions: Sequence[float], seed: int, linked: Iterable[tuple[str, str]]
) -> list[int]:
    """The part of each record: large groups first, each to the part that is relatively emptiest in its classes.

    Filling by relative rather than absolute need (the Sainte-Laguë method) gives every part its share of large groups;
    absolute need would send all of them to train.
    """
    classes = {diagnosis: number for number, diagnosis in enumerate(sorted({r.diagnosis for r in records}))}
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups_of(records, linked)):
        groups[group].append(row)
    order = sorted(groups.values())
    random.Random(seed).shuffle(order)
    order.sort(key=len, reverse=True)

    # The last column counts all classes together, which keeps the parts themselves in proportion.
    totals = np.bincount([classes[record.diagnosis] for record in records], minlength=len(classes) + 1).astype(float)
    totals[-1] = len(records)
    targets = np.outer(fractions, totals)
    filled = np.zeros_like(targets)
    parts = [0] * len(records)
    for rows in order:
        content = np.bincount([classes[records[row].diagnosis] for row in rows], minlength=len(totals))
        content[-1] = len(rows)
        need = ((filled + content / 2) / targets) @ (content / totals)
        # Rounded, so that the last bit of another processor's sums does not decide between equals.
        part = int(np.argmin(need.round(9)))
        filled[part] += content
        for row in rows:
            parts[row] = part
    return parts


def _cut(rows: Sequence[int], train: float, val: float) -> list[str]:
    """Parts of the rows in ascending order: the first share of `rows` is train, the next val, the rest test."""
    # The small constant keeps products such as 0.15 * 20 from being rounded down to 2 where 3 is meant.
    ends = math.floor(len(rows) * train + 1e-9), math.floor(len(rows) * val + 1e-9)
    place = {row: index for index, row in enumerate(rows)}
    return ["train" if place[row] < ends[0] else "val" if place[row] < sum(ends) else "test" for row in sorted(rows)]


def _split(records: Sequence[Record], parts: Sequence[str], method: str, seed: int) -> Split:
    counts: dict[str, dict[str, int]] = {}
    for part in sorted(set(parts), key=lambda part: _NAMES.index(part) if part in _NAMES else int(part)):
        classes = Counter(record.diagnosis for record, own in zip(records, parts, strict=True) if own == part)
        counts[part] = dict(sorted(classes.items()))
    return Split({record.image_id: part for record, part in zip(records, parts, strict=True)}, method, seed, counts)
