"""What is true of the predicted images, from the manifest, row by row beside the predictions."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.data.manifest import Record, manifest_problems, read_manifest
from dermoscope.data.problems import ManifestError
from dermoscope.evaluation.predictions import Predictions
from dermoscope.evaluation.problems import InputError, Problem, Problems
from dermoscope.files import sha256_of

LEFT_OUT = frozenset({"", taxonomy.UNKNOWN, taxonomy.NOT_SKIN})
"""Diagnoses that need no column of their own: such images are left out where a class is asked for."""


@dataclass(frozen=True)
class Truth:
    """The manifest's side of N images.

    Attributes:
        image_ids: As the manifest has them.
        diagnoses: Codes; empty where unknown.
        groups: What belongs together: the patient, else the lesion, else the image.
        sources: Data set of each image.
        ages: `[N]` in years, NaN where unknown.
        sexes: As in the manifest.
        sites: As in the manifest.
        skin_tones: As in the manifest.
        image_paths: Image files.
        mask_paths: True masks; none where there is no mask.
        rows: `[N]` row of the manifest.
    """

    image_ids: tuple[str, ...]
    diagnoses: tuple[str, ...]
    groups: tuple[str, ...]
    sources: tuple[str, ...]
    ages: NDArray[np.float64]
    sexes: tuple[str, ...]
    sites: tuple[str, ...]
    skin_tones: tuple[str, ...]
    image_paths: tuple[Path, ...]
    mask_paths: tuple[Path | None, ...]
    rows: NDArray[np.intp]


@dataclass(frozen=True)
class Matched:
    """Predictions and truth of the same images, in the manifest's order.

    Attributes:
        predictions: `[N]`.
        truth: `[N]`.
        manifest: The file the truth comes from.
        manifest_sha256: Of its bytes.
        split: The split that was scored; empty where the manifest names none.
        split_hash: SHA-256 over the image ids and the split, whatever the order of the rows; see `split_hash`.
        sources: The data sets that were asked for; empty for all.
        outside: Predictions for images of the manifest that are not in the split.
        unanswered: Images of the split that could not be analysed.
        left_out: Diagnosis to the number of images of the split that were left out, because they have no answer to the
            question of the run.
    """

    predictions: Predictions
    truth: Truth
    manifest: Path
    manifest_sha256: str
    split: str
    split_hash: str
    sources: tuple[str, ...]
    outside: int
    unanswered: int
    left_out: Mapping[str, int]


def split_hash(image_ids: Sequence[str], split: str) -> str:
    """SHA-256 over the sorted lines `<image id>,<split>`: equal for equal sets of images.

    Args:
        image_ids: In any order.
        split: Name of the split.
    """
    lines = "".join(sorted(f"{image_id},{split}\n" for image_id in image_ids))
    return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True)
class TruthTable:
    """A manifest, read once for all predictions that are matched with it.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        records: Its rows.
    """

    path: Path
    sha256: str
    records: tuple[Record, ...]


def read_truth(manifest: Path) -> TruthTable:
    """Read a manifest.

    Args:
        manifest: The file.

    Raises:
        InputError: If it cannot be read or has mistakes; all of them are listed.
    """
    try:
        return TruthTable(manifest, sha256_of(manifest), tuple(read_manifest(manifest)))
    except FileNotFoundError:
        raise InputError((Problem(manifest, "does not exist; give the manifest with --manifest"),), 1) from None
    except ManifestError:
        problems = Problems()
        header_is_wrong = False
        for problem in manifest_problems(manifest, files=False):  # all of them: reading stops at the first
            header_is_wrong |= problem.row == 1
            if header_is_wrong and problem.row != 1:
                break  # each row would only say again what its header lacks
            value = f"{problem.value!r} " if problem.value else ""
            problems.add(manifest, f"{value}{problem.reason}", problem.row, problem.column)
        problems.check()
        raise
    except (OSError, ModuleNotFoundError) as error:
        raise InputError((Problem(manifest, f"cannot be read: {error}"),), 1) from error


def match(
    predictions: Predictions,
    table: TruthTable,
    *,
    split: str = "test",
    sources: Sequence[str] = (),
    answered: frozenset[str] | None = None,
) -> Matched:
    """Find the truth of every prediction.

    Images are matched by path where the predictions have paths, else by id, with `_downsampled` taken off.

    Args:
        predictions: Checked predictions.
        table: The manifest, from `read_truth`.
        split: What to score; where the manifest names no split at all, everything is scored.
        sources: Data sets to score; all if empty.
        answered: Diagnoses with an answer to the question that the predictions are for; images of others are left out.
            By default all images are scored.

    Raises:
        InputError: If an id has no row in the manifest, an image of the split has no prediction, an id is ambiguous,
            or a diagnosis has no column; all such problems are listed.
    """
    manifest, records = table.path, table.records
    split = _known_split(manifest, records, split)
    asked = [
        row for row, record in enumerate(records) if record.split == split and (not sources or record.source in sources)
    ]
    chosen = [row for row in asked if answered is None or records[row].diagnosis in answered]
    left_out = Counter(records[row].diagnosis for row in asked)
    left_out.subtract(records[row].diagnosis for row in chosen)
    _check_sources(manifest, records, sources)
    problems = Problems()
    found, ambiguous, outside = _find(predictions, records, frozenset(chosen), manifest, problems)
    unanswered = 0
    kept = []
    for row in chosen:
        if row in found:
            kept.append(row)
        elif predictions.failed & {records[row].image_id, str(records[row].path)}:
            unanswered += 1
        elif row not in ambiguous:
            reason = f"no prediction for {records[row].image_id!r}, which is in row {row + 2} of {manifest}"
            problems.add(predictions.path, reason)
    if not asked:
        problems.add(manifest, f"no image is of split {split!r} and source {' or '.join(sources)}")
    elif not chosen:
        reason = f"no image of split {split!r} has an answer to what the run was trained on"
        problems.add(manifest, reason, None, "diagnosis")
    truth = _truth([(row, records[row]) for row in kept])
    _check_columns(predictions, truth, problems)
    problems.check()
    return Matched(
        predictions=predictions.take(np.array([found[row] for row in kept], np.intp)),
        truth=truth,
        manifest=manifest,
        manifest_sha256=table.sha256,
        split=split,
        split_hash=split_hash(truth.image_ids, split),
        sources=tuple(sources),
        outside=outside,
        unanswered=unanswered,
        left_out={code or "no diagnosis": count for code, count in sorted(left_out.items()) if count},
    )


def class_of(code: str, classes: Sequence[str]) -> int:
    """The class of a diagnosis, AK and SCC falling into AKIEC where the model has only that; -1 for none."""
    if code in classes:
        return classes.index(code)
    if code in ("AK", "SCC") and "AKIEC" in classes:
        return classes.index("AKIEC")
    return -1


def _known_split(manifest: Path, records: Sequence[Record], split: str) -> str:
    known = Counter(record.split for record in records)
    if set(known) <= {""}:
        return ""
    if split not in known:
        names = ", ".join(f"{name or 'none'} ({count:,} images)" for name, count in sorted(known.items()))
        raise InputError((Problem(manifest, f"has no split {split!r}; it has {names}", None, "split"),), 1)
    return split


def _check_sources(manifest: Path, records: Sequence[Record], sources: Sequence[str]) -> None:
    known = sorted({record.source for record in records})
    unknown = [source for source in sources if source not in known]
    if unknown:
        reason = f"has no source {unknown[0]!r}; it has {', '.join(known) or 'none'}"
        raise InputError((Problem(manifest, reason, None, "source"),), 1)


def _find(
    predictions: Predictions, records: Sequence[Record], chosen: frozenset[int], manifest: Path, problems: Problems
) -> tuple[dict[int, int], set[int], int]:
    """Row of the manifest to row of the predictions, rows whose id is not theirs alone, and predictions elsewhere."""
    by_path: dict[str, int] = {}
    if any(predictions.image_paths):
        by_path = {os.path.abspath(record.path): row for row, record in enumerate(records)}  # noqa: PTH100 - many and fast
    by_id: dict[str, int] = {}
    twice: dict[str, list[int]] = {}
    elsewhere: set[str] = set()
    for place, record in enumerate(records):
        image_id = taxonomy.base_image_id(record.image_id)
        if place in chosen:
            first = by_id.setdefault(image_id, place)
            if first != place:
                twice.setdefault(image_id, [first]).append(place)
        else:
            elsewhere.add(image_id)
    found: dict[int, int] = {}
    ambiguous: set[int] = set()
    outside = 0
    column = "image_id"
    for number, (image_id, path) in enumerate(zip(predictions.image_ids, predictions.image_paths, strict=True)):
        line = int(predictions.rows[number])
        row: int | None = by_path.get(os.path.abspath(path)) if path else None  # noqa: PTH100
        if row is None:
            base = taxonomy.base_image_id(image_id)
            row = by_id.get(base)
            if row is None and base in elsewhere:
                outside += 1
                continue
            if base in twice:
                ambiguous.update(twice[base])
                rows = " and ".join(str(place + 2) for place in twice[base])
                reason = f"{image_id!r} is in rows {rows} of {manifest}: give each image an id of its own, or add the "
                problems.add(predictions.path, f"{reason}column path to tell them apart", line, column)
                continue
        elif row not in chosen:
            outside += 1
            continue
        if row is None:
            problems.add(predictions.path, f"{image_id!r} is not in {manifest}: it has no truth", line, column)
        elif row in found:
            earlier = int(predictions.rows[found[row]])
            problems.add(predictions.path, f"{image_id!r} is the same image as in row {earlier}", line, column)
        else:
            found[row] = number
    return found, ambiguous, outside


def _truth(rows: Sequence[tuple[int, Record]]) -> Truth:
    records = [record for _, record in rows]
    return Truth(
        image_ids=tuple(record.image_id for record in records),
        diagnoses=tuple(record.diagnosis for record in records),
        groups=tuple(record.group_id for record in records),
        sources=tuple(record.source for record in records),
        ages=np.array([math.nan if record.age is None else record.age for record in records], np.float64),
        sexes=tuple(record.sex for record in records),
        sites=tuple(record.site for record in records),
        skin_tones=tuple(record.skin_tone for record in records),
        image_paths=tuple(record.path for record in records),
        mask_paths=tuple(record.mask_path for record in records),
        rows=np.array([row + 2 for row, _ in rows], np.intp),
    )


def _check_columns(predictions: Predictions, truth: Truth, problems: Problems) -> None:
    """A class that occurs must have a column, or its images could not be scored and would silently vanish."""
    if not predictions.classes:
        return
    for code, count in sorted(Counter(truth.diagnoses).items()):
        if code not in LEFT_OUT | {"AKIEC"} and class_of(code, predictions.classes) < 0:
            reason = f"the column is missing; {count:,} images of the split are {code} ({taxonomy.CODE_NAMES[code]})"
            problems.add(predictions.path, reason, 1, code)
