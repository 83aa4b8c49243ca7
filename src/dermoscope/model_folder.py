"""A folder with graphs, one JSON file that describes them, and the sums of both: what every exported model is kept in.

Loading verifies every sum. Nothing in such a folder is executed, and no path in it leads outside.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from dermoscope.files import sha256_of

SUMS = "SHA256SUMS"
_LARGEST_DESCRIPTION = 4 * 2**20

Description = TypeVar("Description", bound=BaseModel)


class BundleError(ValueError):
    """A bundle is missing, damaged, or of an unknown kind; the message names the file."""


def _plain_file_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(f"{name!r} is not a plain file name")
    return name


FileName = Annotated[str, AfterValidator(_plain_file_name)]
"""A name without folders, of letters, digits, dots, dashes and underscores."""


def verified_sums(folder: Path, description: str) -> dict[str, str]:
    """SHA-256 of every file that `SHA256SUMS` lists, by name, after each of them was compared with its own.

    Args:
        folder: Of a bundle, or of another model that is kept like one.
        description: Name of the file that says what it is; it must be listed.

    Raises:
        BundleError: If the folder, a file or a sum is missing or wrong.
    """
    sums = read_sums(folder)
    for name, expected in sums.items():
        if sha256_of(_existing(folder / name)) != expected:
            raise BundleError(f"{folder / name} does not match its sum in {SUMS}; copy the bundle again")
    if description not in sums:
        raise BundleError(f"{folder / SUMS} does not list {description}")
    return sums


def fingerprint_of(sums: dict[str, str]) -> str:
    """Sixteen hexadecimal digits that change whenever any file of the bundle does."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` for every other file in the folder."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    (folder / SUMS).write_text("".join(f"{sha256_of(folder / name)}  {name}\n" for name in names))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BundleError(f"{path} is missing from the bundle; copy the bundle again")
    return path


def read_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that `SHA256SUMS` lists, by name; the files themselves are not looked at.

    Args:
        folder: Of a bundle, or of another model that is kept like one.

    Raises:
        BundleError: If there is no such folder or list, or a line of it is no sum and plain file name.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a bundle folder")
    try:
        lines = _existing(folder / SUMS).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise BundleError(f"{folder / SUMS} is no text; copy the bundle again") from None
    sums = {}
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](\S+)", line)
        try:
            if match is None:
                raise ValueError("expected a SHA-256 sum and a file name")
            sums[_plain_file_name(match[2])] = match[1]
        except ValueError as error:
            raise BundleError(f"{folder / SUMS}, line {number}: {error}") from None
    return sums


def read_description(path: Path, kind: type[Description]) -> Description:
    """The description of a model.

    Args:
        path: The JSON file.
        kind: What it is to hold.

    Raises:
        BundleError: If it is too large, or of another schema.
    """
    if path.stat().st_size > _LARGEST_DESCRIPTION:
        raise BundleError(f"{path} is larger than {_LARGEST_DESCRIPTION} bytes")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']} ({error.error_count()} problems in all)") from None
