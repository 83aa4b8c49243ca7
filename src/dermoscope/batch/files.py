"""Writing so that a file is either complete or absent, and a full disk is an error that names the folder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dermoscope.batch.errors import OutputError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn an operating-system error inside the block into an `OutputError` that names the folder.

    Raises:
        OutputError: If the block raises `OSError`.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        way_out = "free some space" if error.errno in _NO_SPACE else "make it writable"
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; {way_out} and run the same command again, "
            "or choose another folder"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose contents take the place of `path` when the block ends well, and vanish when it does not.

    Raises:
        OutputError: If the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    with writing_to(path.parent):
        try:
            with partial.open("wb") as stream:
                yield stream
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def replace_file(path: Path, data: bytes) -> None:
    """Write a whole file at once, atomically.

    Raises:
        OutputError: If the file cannot be written.
    """
    with replacing(path) as stream:
        stream.write(data)
