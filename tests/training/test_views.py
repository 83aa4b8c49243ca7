from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.training import views
from dermoscope.training.views import CLOSE_UP, ORIGINAL, make_view

CHANGES = [
    views.turn_or_flip,
    views.crop,
    views.light_and_colour,
    views.blur,
    views.jpeg,
    views.dark_frame,
    views.hair,
    views.ruler_or_ink,
]


def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(60, 200, (48, 64, 3), dtype=np.uint8)


def test_the_original_is_left_alone() -> None:
    rgb = picture()
    assert make_view(rgb, "a", ORIGINAL) is rgb


def test_a_view_is_the_same_tomorrow_and_its_own_for_each_name_image_and_seed() -> None:
    first = make_view(picture(), "a", "view1")
    assert np.array_equal(first, make_view(picture(), "a", "view1"))
    for other in (
        make_view(picture(), "b", "view1"),
        make_view(picture(), "a", "view2"),
        make_view(picture(), "a", "view1", seed=1),
    ):
        assert not np.array_equal(first, other)


def test_a_close_up_shows_a_small_part() -> None:
    rgb = np.full((64, 64, 3), 120, np.uint8)
    areas = [make_view(rgb, str(number), f"{CLOSE_UP}-1")[..., 0].size / rgb[..., 0].size for number in range(40)]
    assert max(areas) <= 0.42
    assert min(areas) >= 0.02


def test_views_never_change_the_image_they_are_made_from() -> None:
    rgb = picture()
    for number in range(40):
        view = make_view(rgb, str(number), "view")
        assert view.dtype == np.uint8
        assert view.flags.c_contiguous
        assert view.shape[2] == 3
    assert np.array_equal(rgb, picture())


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_change_gives_an_image(change: Callable[..., NDArray[np.uint8]]) -> None:
    for seed in range(10):
        changed = change(picture(), np.random.default_rng(seed))
        assert changed.dtype == np.uint8
        assert changed.ndim == 3
        assert min(changed.shape[:2]) >= 30


def test_a_crop_keeps_more_than_half_and_is_cut_from_the_image() -> None:
    rgb = picture()
    for seed in range(30):
        cut = views.crop(rgb, np.random.default_rng(seed))
        assert cut.shape[0] * cut.shape[1] >= 0.45 * 48 * 64
        assert np.shares_memory(cut, rgb)


def test_turns_and_flips_reach_all_eight_symmetries() -> None:
    found = {views.turn_or_flip(picture(), np.random.default_rng(seed)).tobytes() for seed in range(80)}
    assert len(found) == 8
