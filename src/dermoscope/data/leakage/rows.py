"""Rows of numbers in a temporary file, of which only the blocks in use are in memory."""

from __future__ import annotations

import math
import tempfile
import threading
from types import TracebackType
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


class RowFile(Generic[Number]):
    """Rows of one shape, appended and read back by block like an array; gone when the context ends.

    Read, not mapped: pages of a mapped file count as memory of the process until something else needs them. Threads
    may share it.

    Args:
        shape: Of one row.
        dtype: Of its numbers.
    """

    def __init__(self, shape: tuple[int, ...], dtype: type[Number]) -> None:
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._row_bytes = math.prod(shape) * self._dtype.itemsize
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by __exit__
        self._lock = threading.Lock()
        self._length = 0

    def __enter__(self) -> RowFile[Number]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, which removes it."""
        self._file.close()

    def __len__(self) -> int:
        return self._length

    def append(self, rows: NDArray[Number]) -> None:
        """Add rows, `[N, *shape]`, at the end.

        Raises:
            OSError: If the folder for temporary files is full.
        """
        left = np.ascontiguousarray(rows, dtype=self._dtype).reshape(-1).view(np.uint8).data
        with self._lock:
            self._file.seek(self._length * self._row_bytes)
            while left:
                left = left[self._file.write(left) :]
            self._length += len(rows)

    def __getitem__(self, rows: int | slice) -> NDArray[Number]:
        """One row, `[*shape]`, or those of a slice without a step, `[N, *shape]`; a copy.

        Raises:
            EOFError: If something cut the file short.
        """
        if not isinstance(rows, slice):
            return np.asarray(self[rows : rows + 1][0])
        start, stop, _ = rows.indices(self._length)
        out: NDArray[Any] = np.empty((max(0, stop - start), *self._shape), self._dtype)
        left = out.reshape(-1).view(np.uint8).data
        with self._lock:
            self._file.seek(start * self._row_bytes)
            while left:
                read = self._file.readinto(left)
                if not read:
                    raise EOFError("the temporary file of this run is shorter than what was written to it")
                left = left[read:]
        return out
