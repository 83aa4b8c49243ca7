"""Manifests of planted pictures, with one leak of a chosen kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from dermoscope.data.leakage import Kind
from dermoscope.data.manifest import Record, write_manifest
from tests.data.leakage.planted import lesion_picture, save_jpeg

SPLITS = ("train", "train", "train", "val", "test")


def clean_records(folder: Path) -> list[Record]:
    """One lesion a picture, `lesion_0` to `lesion_4`."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        Record(
            image_id=f"lesion_{seed}",
            path=save_jpeg(lesion_picture(seed), folder / f"lesion_{seed}.jpg", 90),
            source="A",
            lesion_id=f"A{seed}",
            split=split,
        )
        for seed, split in enumerate(SPLITS)
    ]


def same_id(first: Record, folder: Path) -> Record:
    path = save_jpeg(lesion_picture(90), folder / "other.jpg")
    return Record(image_id=f"{first.image_id}_downsampled", path=path, source="B", split="test")


def copied_file(first: Record, folder: Path) -> Record:
    return Record(image_id="copy", path=shutil.copyfile(first.path, folder / "copy.jpg"), source="B", split="test")


def flipped_copy(first: Record, folder: Path) -> Record:
    path = save_jpeg(lesion_picture(int(first.image_id[-1]))[:, ::-1], folder / "flipped.jpg")
    return Record(image_id="flipped", path=path, source="B", split="test")


def same_lesion(first: Record, folder: Path) -> Record:
    path = save_jpeg(lesion_picture(91), folder / "again.jpg")
    return Record(image_id="again", path=path, source="A", lesion_id=first.lesion_id, split="test")


LEAKS: Mapping[Kind, Callable[[Record, Path], Record]] = MappingProxyType(
    {
        Kind.SAME_ID: same_id,
        Kind.SAME_FILE: copied_file,
        Kind.NEAR_DUPLICATE: flipped_copy,
        Kind.SAME_GROUP: same_lesion,
    }
)
"""Kind to a function that makes a record of `test` which leaks from a record of `train` in that way alone."""


def manifest_of(records: Sequence[Record], folder: Path) -> Path:
    write_manifest(records, folder / "manifest.csv")
    return folder / "manifest.csv"
