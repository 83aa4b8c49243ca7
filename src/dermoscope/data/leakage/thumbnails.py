"""Small grey pictures of all images, made once and kept: what the comparison of pictures works on."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.images import ImageError, decode, read_image_file

SIDE = 64
"""Width and height of a thumbnail in pixels. The frame is squashed to it, so that aspect ratios do not matter."""

_DECODED_SIDE = 4 * SIDE
_COMMIT_EVERY = 64
_VERSION = 1


@dataclass(frozen=True)
class Print:
    """What is kept of one image file.

    Attributes:
        sha256: Of the file's bytes.
        thumbnail: `[64, 64]`, grey, 0 to 255.
    """

    sha256: str
    thumbnail: NDArray[np.uint8]


def thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The whole frame in grey, squashed to 64 × 64 by averaging.

    Args:
        rgb: `[H, W, 3]`, 8-bit sRGB.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def print_of(path: Path) -> Print:
    """Read, hash and shrink one image file; its bytes are read once.

    Raises:
        ImageError: If it cannot be used; the message names it and says why.
    """
    content = read_image_file(path)
    decoded = decode(content, name=str(path), max_side=_DECODED_SIDE)
    return Print(hashlib.sha256(content).hexdigest(), thumbnail(decoded.rgb))


class PrintCache:
    """Prints of image files in a SQLite file, so that an interrupted or a later check need not decode again.

    A file counts as known while its size and time of change stay the same. Some 5 KB an image.

    Args:
        path: The SQLite file; made if it is missing. `None` keeps nothing beyond the life of this object.
    """

    def __init__(self, path: Path | None) -> None:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path or ":memory:")
        self._database.execute(
            f"CREATE TABLE IF NOT EXISTS prints_{_VERSION} "
            "(path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, sha256 TEXT, thumbnail BLOB)"
        )
        self._keeps = path is not None

    def __enter__(self) -> PrintCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what is there, also after an interruption."""
        with closing(self._database):
            self._database.commit()

    def prints(self, paths: Iterable[Path]) -> Iterator[Print | ImageError]:
        """A print for each file, in order, or the reason why there is none. Holds one image at a time."""
        for number, path in enumerate(paths, 1):
            try:
                yield self._print(path)
            except ImageError as error:
                yield error
            if number % _COMMIT_EVERY == 0:
                self._database.commit()

    def _print(self, path: Path) -> Print:
        try:
            status = path.stat()
        except (OSError, ValueError):
            return print_of(path)  # which says in words what is wrong
        stamp = (status.st_size, status.st_mtime_ns)
        key = os.fsencode(path.absolute())
        found = self._database.execute(
            f"SELECT sha256, thumbnail FROM prints_{_VERSION} WHERE path = ? AND size = ? AND changed = ?",
            (key, *stamp),
        ).fetchone()
        if found:
            return Print(found[0], np.frombuffer(found[1], np.uint8).reshape(SIDE, SIDE))
        made = print_of(path)
        if self._keeps:
            self._database.execute(
                f"INSERT OR REPLACE INTO prints_{_VERSION} VALUES (?, ?, ?, ?, ?)",
                (key, *stamp, made.sha256, made.thumbnail.tobytes()),
            )
        return made
