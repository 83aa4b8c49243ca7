from __future__ import annotations

import numpy as np
import pytest

from dermoscope.features.strip import picture_strip


def plain(colour: int, height: int = 30, width: int = 60) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize(("count", "rows", "columns"), [(0, 1, 1), (2, 1, 3), (4, 1, 5), (5, 2, 5), (9, 2, 5)])
def test_rows_and_columns(count: int, rows: int, columns: int) -> None:
    strip = picture_strip(plain(0), [(plain(50), "NV", "id")] * count)
    assert strip.shape == (rows * (224 + 40 + 12) + 12 + 20, columns * 236 + 12, 3)


def test_pictures_stand_in_order_whole_and_in_the_middle() -> None:
    strip = picture_strip(plain(10), [(plain(100, 60, 30), "NV", ""), (None, "MEL", "")])
    middle = 12 + 112
    assert (strip[middle, [12 + 112, 248 + 112]] == [[10], [100]]).all()
    assert (strip[middle, 484 + 112] == 236).all(), "a missing picture is a grey square"
    assert (strip[middle, 248 + 20] == 236).all(), "a tall picture leaves room at its sides"
    assert (strip[14 + 12, 12 + 112] == 236).all(), "a wide one above and below"


def test_long_words_are_cut() -> None:
    one = picture_strip(plain(0), [(plain(0), "x" * 30, "")])
    other = picture_strip(plain(0), [(plain(0), "x" * 3000, "")])
    assert other.shape == one.shape
    assert (other[:, -11:] == 255).all(), "nothing runs over the edge"
