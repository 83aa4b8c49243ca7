"""Arrays on disk whose entries are computed once; a build that was interrupted goes on where it stopped. Torch-free.

What is finished stands in `done.u8` beside them, and what they are arrays of in `cache.json`.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dermoscope.batch.files import replace_file, writing_to
from dermoscope.data.transfer import size_text

DESCRIPTION = "cache.json"
_DONE = "done.u8"
_BLOCK = 64
_SPARE = 1.05  # what is written beside them takes a little room too

Entry = tuple[int, ...]
"""Where an entry stands: one number for each of the leading axes."""

Compute = Callable[[Entry], Sequence[NDArray[Any]]]
"""From the place of an entry to its part of every array, in their order."""

OnProgress = Callable[[int, int], None]
"""Called with the number of finished entries and of all."""


class CacheError(ValueError):
    """A cache cannot be used; the message names the folder and the way out."""


class KeptArrays:
    """Arrays that share their leading axes and are mapped into memory.

    Args:
        folder: Where they lie, or are to lie.
        description: What they are arrays of, as JSON can hold it; a folder with another one is refused.
        axes: Lengths of the leading axes; their product is the number of entries.
        arrays: File name to type and trailing shape.

    Raises:
        CacheError: If the folder holds something else, or the disk is too small.
        OutputError: If it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        description: Mapping[str, Any],
        axes: tuple[int, ...],
        arrays: Mapping[str, tuple[DTypeLike, tuple[int, ...]]],
    ) -> None:
        self.folder, self._axes = folder, axes
        shapes = {name: (np.dtype(kind), (*axes, *shape)) for name, (kind, shape) in arrays.items()}
        shapes[_DONE] = (np.dtype(np.uint8), axes)
        self.bytes = sum(kind.itemsize * int(np.prod(shape)) for kind, shape in shapes.values())
        text = json.dumps(description, indent=1)
        path = folder / DESCRIPTION
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise CacheError(f"{folder} was made of other images or settings; remove it or name another")
        new = not path.exists()
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if new and free < _SPARE * self.bytes:
                raise CacheError(
                    f"{folder}: {size_text(_SPARE * self.bytes)} are needed, but only {size_text(free)} are free; "
                    "free some space, or name another --cache"
                )
            mode: Literal["w+", "r+"] = "w+" if new else "r+"
            mapped = [np.memmap(folder / name, kind, mode, shape=shape) for name, (kind, shape) in shapes.items()]
        *self._arrays, self._done = mapped
        if new:
            replace_file(path, text.encode())

    @property
    def missing(self) -> int:
        """Entries that are still to be computed."""
        return len(self.todo())

    def todo(self, wanted: NDArray[np.intp] | None = None) -> list[Entry]:
        """Places that are still to be computed, in order.

        Args:
            wanted: Places along the last of the leading axes; all of them if left out.
        """
        missing = self._done == 0
        if wanted is not None:
            chosen = np.zeros(missing.shape[-1], np.bool_)
            chosen[wanted] = True
            missing = missing & chosen
        return [tuple(place) for place in np.argwhere(missing).tolist()]

    def fill(
        self,
        compute: Compute,
        *,
        wanted: NDArray[np.intp] | None = None,
        threads: int = 2,
        on_progress: OnProgress = lambda _done, _all: None,
    ) -> None:
        """Compute what is missing.

        Args:
            compute: Gives the entry at a place.
            wanted: Places along the last of the leading axes; all of them if left out.
            threads: Entries at once.
            on_progress: Called now and then.

        Raises:
            OutputError: If there is no room.
        """
        todo = self.todo(wanted)
        total = self._done.size if wanted is None else self._done.size // self._done.shape[-1] * len(np.unique(wanted))

        def one(place: Entry) -> None:
            for array, value in zip(self._arrays, compute(place), strict=True):
                array[place] = value

        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(todo), _BLOCK):
                block = todo[start : start + _BLOCK]
                list(pool.map(one, block))
                with writing_to(self.folder):
                    for array in self._arrays:
                        array.flush()
                    for place in block:
                        self._done[place] = 1
                    self._done.flush()
                on_progress(total - len(todo) + start + len(block), total)

    def rows(self, indices: NDArray[np.intp], leading: Entry = ()) -> tuple[NDArray[Any], ...]:
        """Entries along the last of the leading axes, in the order asked for.

        Args:
            indices: Which of them.
            leading: Places along the axes before that one.
        """
        order = np.sort(indices)  # a disk is read forwards
        back = np.argsort(np.argsort(indices, kind="stable"), kind="stable")
        return tuple(array[leading][order][back] for array in self._arrays)


def seconds_an_entry(compute: Compute, entries: Sequence[Entry], threads: int) -> float:
    """Seconds that an entry takes where several are computed at once; nothing is kept.

    Args:
        compute: As `KeptArrays.fill` takes it.
        entries: Which to try; the first one is computed once before, to warm up.
        threads: Entries at once.
    """
    compute(entries[0])
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(compute, entries))
    return (time.perf_counter() - start) / len(entries)
