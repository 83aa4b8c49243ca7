"""Reading image files that come from strangers: regular files only, of a bounded size, and never a hang."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_FILE_BYTES = 512 * 2**20
"""Default limit on a file's size: an uncompressed 16-bit RGB TIFF of 64 Mpx (384 MB) still fits."""

_REASONS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist: a part of its path is not a folder",
    errno.EACCES: "cannot be read: permission denied",
    errno.EPERM: "cannot be read: permission denied",
    errno.ELOOP: "is a link that leads back to itself",
    errno.ENAMETOOLONG: "has a name too long for this file system",
}
_KINDS = {
    stat.S_IFDIR: "is a folder, not a file",
    stat.S_IFIFO: "is a named pipe, not a regular file",
    stat.S_IFSOCK: "is a socket, not a regular file",
    stat.S_IFCHR: "is a device, not a regular file",
    stat.S_IFBLK: "is a device, not a regular file",
}
# Opening a pipe without a writer, or a terminal, blocks or takes it over; these flags exist where that can happen.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
)
_SMALLEST_PIECE = 2**16


class ImageError(ValueError):
    """An image cannot be used; the message names it and says why in one sentence.

    Attributes:
        name: The file as messages show it, see `printable`.
        reason: Why, without the name and without a full stop, such as `is cut short`.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        """Survive the way back from a worker process: the default would call `ImageError(message)`."""
        return type(self), (self.name, self.reason)


def printable(name: str | Path) -> str:
    r"""A file name on one line that any terminal and any UTF-8 file can take.

    Control characters, line breaks, invisible and direction-changing characters, and bytes that are no text come out as
    escapes such as `\n`; names in every script stay as they are.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in str(name)
    )


def read_image_file(path: str | Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """The content of a regular file.

    Pipes, devices, sockets and folders are refused without being opened; a file swapped for one of them between the
    check and the opening is refused too.

    Args:
        path: A file; links are followed.
        max_bytes: A larger file is refused before it is read.

    Raises:
        ImageError: If it is missing, unreadable, empty, too large, or no regular file.
    """
    name = printable(path)
    try:
        _check(os.stat(path), name, max_bytes)  # noqa: PTH116 - Path.stat would refuse nothing more
        descriptor = os.open(path, _FLAGS)
        try:
            _check(os.fstat(descriptor), name, max_bytes)
            return _read(descriptor, name, max_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ImageError(name, _reason(error, path)) from error
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(name, "has a name that no file can have") from error


def read_head(path: str | Path, count: int) -> bytes:
    """The first bytes of a regular file, at most `count`; none where there is no such file or it cannot be read."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(descriptor, count) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _check(status: os.stat_result, name: str, max_bytes: int) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ImageError(name, _KINDS.get(kind, "is not a regular file"))
    if status.st_size > max_bytes:
        raise ImageError(name, f"is {_megabytes(status.st_size)}; the limit is {_megabytes(max_bytes)}")


def _read(descriptor: int, name: str, max_bytes: int) -> bytes:
    # A file may grow while it is read, and files such as those in /proc report no size at all: only what has arrived
    # counts against the limit. An ordinary file comes in one piece, which join then hands on without a copy.
    piece = max(os.fstat(descriptor).st_size + 1, _SMALLEST_PIECE)
    pieces = []
    total = 0
    while content := os.read(descriptor, piece):
        pieces.append(content)
        total += len(content)
        if total > max_bytes:
            raise ImageError(name, f"is more than {_megabytes(max_bytes)}, the limit")
    if not total:
        raise ImageError(name, "is empty")
    return b"".join(pieces)


def _reason(error: OSError, path: str | Path) -> str:
    if error.errno == errno.ENOENT and os.path.islink(path):  # noqa: PTH114
        return "is a link to a file that does not exist"
    return _REASONS.get(error.errno or 0, f"cannot be read: {(error.strerror or str(error)).lower()}")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count:,} bytes"
