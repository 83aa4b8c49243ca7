from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.data.healthy_skin import largest_lesion_free_square

Mask = NDArray[np.bool_]


def lesion(shape: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Mask:
    mask = np.zeros(shape, np.bool_)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


def slow_side(mask: Mask, margin: int) -> int:
    """The side of the largest square at least `margin` rows and columns away, by trying them all."""
    rows, columns = np.nonzero(mask)
    for side in range(min(mask.shape), 0, -1):
        for top in range(mask.shape[0] - side + 1):
            for left in range(mask.shape[1] - side + 1):
                near_rows = (rows >= top - margin) & (rows < top + side + margin)
                near_columns = (columns >= left - margin) & (columns < left + side + margin)
                if not (near_rows & near_columns).any():
                    return side
    return 0


@pytest.mark.parametrize(
    ("mask", "margin", "side"),
    [
        (lesion((60, 80)), 5, 60),
        (lesion((60, 80), (0, 0, 80, 60)), 0, 0),
        (lesion((60, 80), (0, 0, 30, 60)), 0, 50),
        (lesion((60, 80), (0, 0, 30, 60)), 4, 46),
        (lesion((60, 80), (30, 20, 50, 40)), 0, 30),
        (lesion((60, 80), (30, 20, 50, 40)), 30, 0),
    ],
)
def test_side(mask: Mask, margin: int, side: int) -> None:
    left, top, found = largest_lesion_free_square(mask, margin)
    assert found == side
    assert not mask[top : top + side, left : left + side].any()


def test_equals_trying_every_square() -> None:
    random = np.random.default_rng(0)
    for number in range(30):
        mask = random.random((12, 15)) < 0.03
        left, top, side = largest_lesion_free_square(mask, number % 3)
        assert side == slow_side(mask, number % 3)
        assert top + side <= 12
        assert left + side <= 15
        margin = number % 3
        around = mask[max(0, top - margin) : top + side + margin, max(0, left - margin) : left + side + margin]
        assert not side or not around.any()
