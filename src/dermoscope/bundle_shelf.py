"""Bundles that this account keeps under a name: fetched from the model hub, or brought in from a folder. Torch-free.

What the hub has can be fetched again and lies in the cache, which may be emptied at any time; what somebody brought in
lies among the data of the account, and goes before one of the same name from the hub. In both it is
`bundles/owner--name@revision` if its name is that of a repository, else `bundles/name`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from platformdirs import user_data_path

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


def imported_folder() -> Path:
    """Where the bundles lie that somebody brought in."""
    return user_data_path("dermoscope", appauthor=False) / "bundles"


def fetched_folder() -> Path:
    """Where the bundles lie that the model hub can give again."""
    return cache_folder() / "bundles"


def folder_name(name: str) -> str | None:
    """What the folder of a bundle of this name is called; none if it is no name for one.

    Args:
        name: Such as `ours`, `owner/name` or `owner/name@revision`.
    """
    stem, at, revision = name.partition("@")
    if name.endswith(_PARTIAL) or name in MODES or (at and not _REVISION.fullmatch(revision)):
        return None
    if is_repository(stem):
        return f"{stem.replace('/', '--')}@{revision or MAIN}"
    return stem if _PLAIN.fullmatch(stem) and not at else None


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
    raise BundleError(f"{name} is not a bundle folder{kept_neither if folder_name(name.as_posix()) else ''}")


def kept_bundle(name: str) -> Path | None:
    """The folder of the bundle that is kept under a name, if there is one; nothing is fetched."""
    return next((place for place in _places(name) if _is_whole(place)), None)


def kept_bundles() -> dict[str, Path]:
    """Every bundle that is kept: its name, as one asks for it, and its folder."""
    found = [path for shelf in (fetched_folder(), imported_folder()) if shelf.is_dir() for path in shelf.iterdir()]
    kept = {_name_of(path): path for path in found if _is_whole(path)}
    return dict(sorted(kept.items()))


def keep_bundle(folder: Path, name: str) -> Path:
    """Keep a copy of a bundle under a name, under which it is found wherever a bundle is asked for.

    Only what its `SHA256SUMS` lists is copied, and the copy is compared with it. One that is kept is never replaced;
    what the cache has from the hub is no reason not to copy the same.

    Args:
        folder: Of the bundle.
        name: Such as `ours`; or `owner/name`, under which the model hub would have it.

    Raises:
        BundleError: If the name is not fit for one or taken, or the folder is no bundle or damaged.
        OSError: If the copy cannot be written.
    """
    places = _places(name)
    if not places:
        raise BundleError(
            f"{name!r} cannot name a bundle: letters, digits, dots and single dashes, as in ours or owner/name, "
            f"and none of {', '.join(MODES)}; give it another with --name"
        )
    sums = read_sums(folder)
    for kept in filter(Path.exists, places):
        _check_same(kept, fingerprint_of(sums), name)
    place = places[0]
    if place.exists():
        return place
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


def remove_bundle(name: str) -> tuple[Path, ...]:
    """Remove what is kept under a name, whole or damaged, and nothing else.

    Args:
        name: As `kept_bundles` has it.

    Returns:
        The folders that are gone.

    Raises:
        BundleError: If nothing is kept under that name.
        OSError: If a folder cannot be removed.
    """
    kept = tuple(place for place in _places(name) if place.is_dir())
    if not kept:
        raise BundleError(f"no bundle {name} is kept here; dermoscope models list tells which are")
    for place in kept:
        # Moved away first, so that nobody finds half of it.
        with tempfile.TemporaryDirectory(prefix=f"{place.name}-", suffix=_PARTIAL, dir=place.parent) as gone:
            place.rename(Path(gone) / "bundle")
    return kept


def _places(name: str) -> tuple[Path, ...]:
    """Where a bundle of this name may lie, the one that goes before first; nowhere if it is no name for one."""
    folder = folder_name(name)
    return (imported_folder() / folder, fetched_folder() / folder) if folder else ()


def _check_same(place: Path, fingerprint: str, name: str) -> None:
    """Refuse what is kept if it is another bundle, or damaged, and say how to replace it."""
    another = f"choose another name, or first: dermoscope models remove {name}"
    try:
        kept = fingerprint_of(verified_sums(place, DESCRIPTION))
    except BundleError as error:
        raise BundleError(f"{name} is kept already, but damaged ({error}); {another}") from None
    if kept != fingerprint:
        raise BundleError(f"{name} is the name of another bundle already, {kept} in {place}; {another}")


def _is_whole(place: Path) -> bool:
    return not place.name.endswith(_PARTIAL) and (place / SUMS).is_file()


def _name_of(place: Path) -> str:
    stem, _, revision = place.name.partition("@")
    return stem.replace("--", "/", 1) + (f"@{revision}" if revision not in ("", MAIN) else "")
