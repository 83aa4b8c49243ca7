from __future__ import annotations

import numpy as np
import pytest

from dermoscope.images.symmetries import ORIGINAL, THESIS_VIEWS, VIEWS, apply

PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
CORNER = PICTURE[0, 0]


def test_the_views_of_the_thesis() -> None:
    assert THESIS_VIEWS == ("original", "hflip", "rot90", "rot180", "rot270")
    assert set(THESIS_VIEWS) < set(VIEWS)


@pytest.mark.parametrize(
    ("view", "shape", "place"),
    [
        ("original", (2, 3, 3), (0, 0)),
        ("hflip", (2, 3, 3), (0, 2)),
        ("vflip", (2, 3, 3), (1, 0)),
        ("rot90", (3, 2, 3), (2, 0)),
        ("rot180", (2, 3, 3), (1, 2)),
        ("rot270", (3, 2, 3), (0, 1)),
    ],
)
def test_where_the_top_left_corner_goes(view: str, shape: tuple[int, ...], place: tuple[int, int]) -> None:
    turned = apply(PICTURE, view)
    assert turned.shape == shape
    assert np.array_equal(turned[place], CORNER)
    assert turned.flags.c_contiguous


def test_views_belong_together() -> None:
    assert np.array_equal(apply(apply(PICTURE, "hflip"), "vflip"), apply(PICTURE, "rot180"))
    assert np.array_equal(apply(apply(PICTURE, "rot90"), "rot270"), apply(PICTURE, ORIGINAL))
    assert len({apply(PICTURE, view).tobytes() for view in VIEWS}) == len(VIEWS)


def test_an_unknown_view() -> None:
    with pytest.raises(ValueError, match="no view 'rot45'; views: original, hflip"):
        apply(PICTURE, "rot45")
