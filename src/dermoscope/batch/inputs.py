"""Finding the images behind any mix of files, folders and patterns.

The order is the order of the arguments; within a folder, files by name and then subfolders by name. Nothing is held in
memory but the names of one folder at a time (and the matches of one pattern), and each file is looked at once.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dermoscope.batch.errors import BatchUsageError
from dermoscope.files import FORMULA_STARTS
from dermoscope.images.reading import read_head
from dermoscope.images.sniffing import readable_format

IMAGE_EXTENSIONS = frozenset(
    {".bmp", ".dcm", ".dib", ".dicom", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
"""What counts as an image inside a folder; a file that is named explicitly is always tried.

Hospitals export DICOM files under names without an extension, or under UIDs, whose last number looks like one. Inside a
folder, files with such names are images if their content says DICOM.
"""

RESULTS_NAME = "results.jsonl"
SEGMENTS_NAME = "segments.jsonl"
LINES_NAMES = (RESULTS_NAME, SEGMENTS_NAME)
"""One of these, and `RUN_NAME`, lie in every results folder."""
RUN_NAME = "run.json"
PICTURE_FOLDERS = ("masks", "pictures", "dicom")
"""Folders of a results folder; a walk does not go into them, so a run never analyses its own output or another's."""

_DICOM_HEAD = 132
_DICOM_INDEX = "DICOMDIR"


@dataclass(frozen=True, slots=True)
class BatchInput:
    """One input, before anybody opened it.

    Attributes:
        path: Where it is, as the operating system knows it.
        size: Bytes; none where the file system does not say.
        modified_ns: Time of the last change, in nanoseconds since the epoch; none likewise.
        problem: Why there is nothing to open; empty for anything that can be tried.
    """

    path: str
    size: int | None = None
    modified_ns: int | None = None
    problem: str = ""

    @property
    def location(self) -> bytes:
        """The absolute path: two spellings of one path are one input. Links are not resolved."""
        return os.fsencode(os.path.abspath(self.path))  # noqa: PTH100  (Path.absolute keeps `..`)

    @property
    def name(self) -> str:
        """The path as it appears in results: the user's spelling, printable, and never a spreadsheet formula."""
        text = os.fsencode(self.path).decode("utf-8", "backslashreplace")
        return f"./{text}" if text.startswith(FORMULA_STARTS) else text


def check_paths(paths: Sequence[str | Path]) -> None:
    """Refuse arguments that cannot mean anything, before any work is done.

    A path that does not exist is not among them: it gets a row of its own in the results.

    Raises:
        BatchUsageError: If there is no path, or a pattern matches nothing.
    """
    if not paths:
        raise BatchUsageError("no inputs: name at least one file, folder or pattern")
    for path in _texts(paths):
        if _is_pattern(path) and next(_matches(path), None) is None:
            raise BatchUsageError(f"the pattern {path!r} matches nothing")


def find_inputs(paths: Sequence[str | Path]) -> Iterator[BatchInput]:
    """Yield every input; one that is reached twice is yielded twice.

    Folders are searched to any depth for files with one of `IMAGE_EXTENSIONS`, and for DICOM files without an
    extension; hidden files and folders, links to folders, the index DICOMDIR, and the masks, pictures and DICOM objects
    of a results folder are left out. A folder without an image comes as an input with that `problem`.
    """
    for path, problem in _walk_all(paths):
        yield BatchInput(path, problem=problem) if problem else _examine(path)


def count_inputs(paths: Sequence[str | Path]) -> int:
    """How many inputs `find_inputs` yields, without looking at the date and size of each."""
    return sum(1 for _ in _walk_all(paths))


def _texts(paths: Sequence[str | Path]) -> Iterator[str]:
    return (os.fspath(path) for path in paths)


def _is_pattern(path: str) -> bool:
    return glob.has_magic(path) and not os.path.lexists(path)


def _matches(pattern: str) -> Iterator[str]:
    return glob.iglob(pattern, recursive=True)  # noqa: PTH207  (Path.glob takes no absolute pattern)


def _walk_all(paths: Sequence[str | Path]) -> Iterator[tuple[str, str]]:
    for path in _texts(paths):
        named = sorted(_matches(path)) if _is_pattern(path) else [path]
        for one in named:
            if _is_folder(one):
                yield from _walk(one)
            else:
                yield one, ""


def _walk(root: str) -> Iterator[tuple[str, str]]:
    waiting = [root]
    found_any = False
    while waiting:
        folder = waiting.pop()
        try:
            files, folders = _list(folder)
        except OSError as error:
            found_any = True
            yield folder, f"is a folder that cannot be listed: {error.strerror}"
            continue
        for name in files:
            found_any = True
            yield os.path.join(folder, name), ""  # noqa: PTH118  (Path would drop a leading `./`)
        if not files and not folders and folder != root and _has_image_extension(folder):
            found_any = True
            yield folder, "is a folder, not a file"
        waiting += [os.path.join(folder, name) for name in reversed(folders)]  # noqa: PTH118
    if not found_any:
        yield root, "is a folder without image files"


def _list(folder: str) -> tuple[list[str], list[str]]:
    """Names of the images in a folder and of the folders to go on with, both sorted."""
    files, folders, marks = [], [], set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.name in (*LINES_NAMES, RUN_NAME):
                marks.add(entry.name)
            elif entry.is_symlink() and _is_folder(entry.path):
                continue
            elif _has_image_extension(entry.name) or _is_nameless_dicom(entry):
                files.append(entry.name)
    if RUN_NAME in marks and len(marks) > 1:
        folders = [name for name in folders if name not in PICTURE_FOLDERS]
    return sorted(files), sorted(folders)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  (Path.is_dir raises where a name is too long or a folder is closed)


def _has_image_extension(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS  # noqa: PTH122  (a million names: no Path each)


def _is_nameless_dicom(entry: os.DirEntry[str]) -> bool:
    extension = os.path.splitext(entry.name)[1][1:]  # noqa: PTH122
    if (extension and not extension.isdecimal()) or entry.name.upper() == _DICOM_INDEX:
        return False
    return readable_format(read_head(entry.path, _DICOM_HEAD)) == "DICOM"


def _examine(path: str) -> BatchInput:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return BatchInput(path)  # whoever opens it learns why
    return BatchInput(path, found.st_size, found.st_mtime_ns)
