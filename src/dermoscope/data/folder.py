"""Folders of photographs: one folder a class, or no classes at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dermoscope.data.manifest import Record

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


def folder_records(root: Path, *, diagnosis: str, source: str) -> Iterator[Record]:
    """Every image below a folder, all with one diagnosis; the name of the folder it lies in becomes its `site`.

    Args:
        root: The folder.
        diagnosis: A code of the taxonomy, such as `NOT_SKIN`.
        source: Name of the collection.

    Raises:
        FileNotFoundError: If the folder is missing.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder")
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            yield Record(image_id=path.stem, path=path, diagnosis=diagnosis, source=source, site=path.parent.name)
