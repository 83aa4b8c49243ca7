"""Cases as a data set: a manifest with images and masks beside it, in a folder or a zip archive."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dermoscope.data.manifest import Record, write_manifest
from dermoscope.features.errors import StoreError

_MANIFEST = "manifest.csv"
_SOURCE = "cases"
_WRITABLE = 0o600 << 16  # rights of an entry, where zip keeps them


@dataclass(frozen=True)
class ExportedCase:
    """What goes out of one case.

    Attributes:
        id: Of the case.
        image: PNG.
        mask: PNG, or none.
        label: Diagnosis code, or empty.
    """

    id: str
    image: bytes
    mask: bytes | None
    label: str


def export_cases(cases: Iterable[ExportedCase], out: Path | BinaryIO) -> int:
    """Write cases as they come; never more than one is in memory.

    Args:
        cases: The cases.
        out: A new or empty folder, a file that ends in `.zip`, or a stream for a zip archive.

    Returns:
        How many were written.

    Raises:
        StoreError: If it cannot be written there.
    """
    if not isinstance(out, Path):
        return _to_zip(cases, out)
    try:
        if out.suffix.lower() == ".zip":
            return _to_zip_file(cases, out)
        return _to_folder(cases, out)
    except OSError as error:
        raise StoreError(f"cannot export to {out}: {error.strerror or error}; choose another place") from error


def _to_folder(cases: Iterable[ExportedCase], folder: Path) -> int:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} exists and is not an empty folder; export to a new one")
    for name in ("images", "masks"):
        (folder / name).mkdir(mode=0o700, parents=True)

    def write(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)

    return write_manifest(_records(cases, folder, write), folder / _MANIFEST)


def _to_zip_file(cases: Iterable[ExportedCase], path: Path) -> int:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.touch(mode=0o600)
        with partial.open("wb") as stream:
            count = _to_zip(cases, stream)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return count


def _to_zip(cases: Iterable[ExportedCase], stream: BinaryIO) -> int:
    with tempfile.TemporaryDirectory() as place, zipfile.ZipFile(stream, "w") as archive:
        folder = Path(place)  # only the manifest is written there: it is known once all cases have come

        def write(name: str, data: bytes) -> None:
            entry = zipfile.ZipInfo(name)  # dated 1980: when a case was exported is nobody's business
            entry.external_attr = _WRITABLE
            archive.writestr(entry, data)  # PNG is compressed already

        count = write_manifest(_records(cases, folder, write), folder / _MANIFEST)
        write(_MANIFEST, (folder / _MANIFEST).read_bytes())
    return count


def _records(cases: Iterable[ExportedCase], folder: Path, write: Callable[[str, bytes], None]) -> Iterator[Record]:
    for case in cases:
        image, mask = f"images/{case.id}.png", f"masks/{case.id}.png"
        write(image, case.image)
        if case.mask is not None:
            write(mask, case.mask)
        yield Record(
            image_id=case.id,
            path=folder / image,
            mask_path=folder / mask if case.mask is not None else None,
            diagnosis=case.label,
            source=_SOURCE,
            lesion_id=case.id,
        )
