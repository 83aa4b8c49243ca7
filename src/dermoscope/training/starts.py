"""The earlier run that a training goes on from: which it was, and what it has learnt from. Torch-free."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dermoscope.batch.files import replace_file
from dermoscope.data.manifest import Record
from dermoscope.training.leaks import SPLIT_NAME
from dermoscope.training.recipes import RECIPE_NAME

START_NAME = "start.sha256"
"""Sum of the model that a run was begun from; it has none if it was begun from none."""

LEARNT_NAME = "learnt-before.csv"
"""Images that the model which a run was begun from had learnt from, `image_id`; it has none likewise."""


class StartError(ValueError):
    """A run cannot be gone on from; the message says why and what to do."""


def check_same_start(folder: Path, sha256: str) -> None:
    """See that a run that is gone on with was begun from the same model.

    Args:
        folder: Its folder.
        sha256: Of the model now; empty if there is none.

    Raises:
        StartError: If it was begun from another.
    """
    kept = folder / START_NAME
    before = kept.read_text() if kept.exists() else ""
    if (folder / RECIPE_NAME).exists() and before != sha256:
        raise StartError(f"{folder} was begun from another model; give the same --start as then, or another --out")


def keep_start(folder: Path, sha256: str) -> None:
    """Write which model a run is begun from, if any."""
    if sha256:
        replace_file(folder / START_NAME, sha256.encode())


def learnt_by(start: Path) -> set[str]:
    """Ids of the images that the model of a run has learnt from, those of the runs before it included.

    Raises:
        StartError: If the run does not say.
    """
    try:
        learnt = {row["image_id"] for row in _rows(start / SPLIT_NAME) if row["split"] == "train"}
        if (start / LEARNT_NAME).exists():
            learnt |= {row["image_id"] for row in _rows(start / LEARNT_NAME)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        learnt = set()
    if not learnt:
        raise StartError(
            f"--start {start}: {SPLIT_NAME} does not say which images it has learnt from; name the folder of a run"
        )
    return learnt


def keep_learnt(folder: Path, start: Path) -> None:
    """Write what the model that a run is begun from had learnt from."""
    lines = ["image_id", *sorted(learnt_by(start))]
    replace_file(folder / LEARNT_NAME, "\n".join([*lines, ""]).encode())


def learnt_before(start: Path, records: Iterable[Record]) -> list[Record]:
    """Images that are held out now and that an earlier run has learnt from.

    By image id, whatever the source: one picture comes under several. Other pictures of the same lesions are not known,
    nor is it asked by which images the run chose its epoch.

    Args:
        start: Folder of the earlier run.
        records: The manifest of the new one.

    Raises:
        StartError: If the run does not say what it has learnt from.
    """
    learnt = learnt_by(start)
    return [record for record in records if record.split in ("val", "test") and record.image_id in learnt]


def images_learnt(train: Sequence[Record], before: Mapping[str, int]) -> dict[str, int]:
    """Images of each source that a model has seen: the more of this run and the one before, which may share some."""
    counts = Counter(record.source or "images" for record in train)
    return dict(sorted((counts | Counter(before)).items()))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
