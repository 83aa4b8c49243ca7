from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.data.leakage.rows import RowFile

OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture
def numbers() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((100, 3, 5)).astype(np.float32)


@pytest.fixture
def stored(numbers: NDArray[np.float32]) -> Iterator[RowFile[np.float32]]:
    with RowFile((3, 5), np.float32) as rows:
        for start in range(0, 100, 33):
            rows.append(numbers[start : start + 33])
        yield rows


@pytest.mark.parametrize(
    "rows",
    [slice(0, 100), slice(7, 8), slice(30, 70), slice(96, 120), slice(200, 300), slice(5, 5), slice(None)],
    ids=str,
)
def test_a_slice_is_that_of_the_array(rows: slice, stored: RowFile[np.float32], numbers: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(stored[rows], numbers[rows])


def test_a_number_is_one_row(stored: RowFile[np.float32], numbers: NDArray[np.float32]) -> None:
    assert len(stored) == 100
    np.testing.assert_array_equal(stored[42], numbers[42])


def test_what_is_appended_after_reading_goes_to_the_end(
    stored: RowFile[np.float32], numbers: NDArray[np.float32]
) -> None:
    assert stored[3].shape == (3, 5)
    stored.append(numbers[::-1][:2])
    np.testing.assert_array_equal(stored[98:], np.concatenate([numbers[98:], numbers[::-1][:2]]))


def test_threads_do_not_disturb_each_other(stored: RowFile[np.float32], numbers: NDArray[np.float32]) -> None:
    with ThreadPoolExecutor(4) as pool:
        for number, row in zip(range(100), pool.map(stored.__getitem__, range(100)), strict=True):
            np.testing.assert_array_equal(row, numbers[number])


def test_a_file_cut_short_is_an_error(stored: RowFile[np.float32]) -> None:
    stored._file.truncate(50 * 15 * 4)
    with pytest.raises(EOFError, match="shorter"):
        stored[40:60]


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="needs a list of open files")
def test_nothing_stays_open(numbers: NDArray[np.float32]) -> None:
    before = len(list(OPEN_FILES.iterdir()))
    with RowFile((3, 5), np.float32) as rows:
        rows.append(numbers)
    assert len(list(OPEN_FILES.iterdir())) == before
