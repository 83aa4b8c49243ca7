"""Bundles that this account keeps under a name: fetched from the model hub, or brought in from a folder. Torch-free.

They lie in the cache folder: `bundles/owner--name@revision` if their name is that of a repository, else `bundles/name`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from dermoscope.bundle_parts import DESCRIPTION
from dermoscope.engine import cache_folder
from dermoscope.model_folder import SUMS, BundleError, fingerprint_of, read_sums, verified_sums

MODES = ("fast", "best")
"""Names that stand for a mode of the bundle inside the package, where a bundle is asked for."""
MAIN = "main"
"""The revision of a repository where none is named."""

_PART = r"[A-Za-z0-9](?:[.-]?\w)*"  # never two dashes, which stand for the slash in the name of a folder
_REPOSITORY = re.compile(f"{_PART}/{_PART}", re.ASCII)
_PLAIN = re.compile(_PART, re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_PARTIAL = ".partial"


def is_repository(name: str) -> bool:
    """Whether a name has the form of a repository, `owner/name`."""
    return _REPOSITORY.fullmatch(name) is not None


def place_of(name: str) -> Path | None:
    """Where a bundle of this name is kept, or would be; none if it is no name for one.

    Args:
        name: Such as `ours`, `owner/name` or `owner/name@revision`.
    """
    stem, at, revision = name.partition("@")
    if name.endswith(_PARTIAL) or name in MODES or (at and not _REVISION.fullmatch(revision)):
        return None
    if is_repository(stem):
        return _shelf() / f"{stem.replace('/', '--')}@{revision or MAIN}"
    return _shelf() / stem if _PLAIN.fullmatch(stem) and not at else None


def partial_of(place: Path) -> Path:
    """Where a bundle lies while it comes; not taken for one that is kept."""
    return place.with_name(f"{place.name}{_PARTIAL}")


def bundle_folder(name: Path) -> Path:
    """The folder of a bundle: the one of that path or, where there is none, the one that is kept under that name.

    Raises:
        BundleError: If there is neither.
    """
    if name.is_dir():
        return name
    if kept := kept_bundle(name.as_posix()):
        return kept
    kept_neither = f", and no bundle {name} is kept here; dermoscope models list tells which are"
    raise BundleError(f"{name} is not a bundle folder{kept_neither if place_of(name.as_posix()) else ''}")


def kept_bundle(name: str) -> Path | None:
    """The folder of the bundle that is kept under a name, if there is one; nothing is fetched."""
    place = place_of(name)
    return place if place and _is_whole(place) else None


def kept_bundles() -> dict[str, Path]:
    """Every bundle that is kept: its name, as one asks for it, and its folder."""
    shelf = _shelf()
    found = sorted(path for path in shelf.iterdir() if _is_whole(path)) if shelf.is_dir() else []
    return {_name_of(path): path for path in found}


def keep_bundle(folder: Path, name: str) -> Path:
    """Keep a copy of a bundle under a name, under which it is found wherever a bundle is asked for.

    Only what its `SHA256SUMS` lists is copied, and the copy is compared with it. One that is kept is never replaced.

    Args:
        folder: Of the bundle.
        name: Such as `ours`; or `owner/name`, under which the model hub would have it.

    Raises:
        BundleError: If the name is not fit for one or taken, or the folder is no bundle or damaged.
        OSError: If the copy cannot be written.
    """
    place = place_of(name)
    if place is None:
        raise BundleError(
            f"{name!r} cannot name a bundle: letters, digits, dots and single dashes, as in ours or owner/name, "
            f"and none of {', '.join(MODES)}"
        )
    sums = read_sums(folder)
    if place.exists():
        return _the_same(place, fingerprint_of(sums), name)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{place.name}-", suffix=_PARTIAL, dir=place.parent) as partial:
        copy = Path(partial) / "bundle"
        copy.mkdir()
        for file in (SUMS, *sums):
            if not (folder / file).is_file():
                raise BundleError(f"{folder / file} is missing from the bundle; copy the bundle again")
            shutil.copyfile(folder / file, copy / file)
        verified_sums(copy, DESCRIPTION)
        copy.rename(place)
    return place


def _the_same(place: Path, fingerprint: str, name: str) -> Path:
    kept = fingerprint_of(verified_sums(place, DESCRIPTION))
    if kept != fingerprint:
        raise BundleError(f"{name} is the name of another bundle already, {kept} in {place}; choose another name")
    return place


def _shelf() -> Path:
    return cache_folder() / "bundles"


def _is_whole(place: Path) -> bool:
    return not place.name.endswith(_PARTIAL) and (place / SUMS).is_file()


def _name_of(place: Path) -> str:
    stem, _, revision = place.name.partition("@")
    return stem.replace("--", "/", 1) + (f"@{revision}" if revision not in ("", MAIN) else "")
