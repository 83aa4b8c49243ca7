from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dermoscope.camnet.second_look import LookRule, LookRules, second_look

VIEW = (100, 50, 500, 450)


def spot(row: int, column: int, size: int = 8, radius: float = 1.0) -> NDArray[np.float32]:
    """A map with one round hill."""
    rows, columns = np.mgrid[:size, :size]
    return np.asarray(np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * radius**2)), np.float32)


def centre(box: tuple[int, int, int, int]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


@pytest.mark.parametrize("rule", ["map", "peak"])
@pytest.mark.parametrize(("row", "column"), [(2, 2), (3, 5), (5, 3)])
def test_the_square_lies_on_the_hill(rule: LookRule, row: int, column: int) -> None:
    found = second_look(spot(row, column), VIEW, LookRules(rule=rule, window=0.3))
    assert found.reason == ""
    # 400 pixels over eight cells are 50 each.
    assert centre(found.box) == pytest.approx((100 + 50 * (column + 0.5), 50 + 50 * (row + 0.5)), abs=13)
    assert found.box[2] - found.box[0] == found.box[3] - found.box[1]


def test_a_higher_threshold_and_a_smaller_margin_cut_closer() -> None:
    sides = [
        (lambda box: box[2] - box[0])(second_look(spot(4, 4), VIEW, LookRules(threshold=threshold, margin=margin)).box)
        for threshold, margin in ((0.2, 0.2), (0.2, 0.0), (0.4, 0.0), (0.6, 0.0))
    ]
    assert sides == sorted(sides, reverse=True)
    assert len(set(sides)) == 4
    assert sides[0] == pytest.approx(1.4 * sides[1], abs=2)


def test_the_threshold_by_hand() -> None:
    cam = np.zeros((4, 4), np.float32)
    cam[1:3, 1:3] = 1.0
    # Bilinear from 1 at a cell's centre to 0 at the next one: 0.5 lies where the cells meet.
    found = second_look(cam, (0, 0, 400, 400), LookRules(threshold=0.5, margin=0.0))
    assert found.box == pytest.approx((100, 100, 300, 300), abs=3)


def test_the_largest_piece_counts_and_not_the_highest() -> None:
    cam = spot(2, 2, radius=1.2) + 2 * spot(6, 6, radius=0.35)
    box = second_look(cam, VIEW, LookRules(threshold=0.2)).box
    assert centre(box)[0] < 300
    peak = second_look(cam, VIEW, LookRules(rule="peak", window=0.2)).box
    assert centre(peak)[0] > 300


@pytest.mark.parametrize(
    ("cam", "reason"),
    [
        (np.zeros((5, 5)), "no evidence"),
        (np.full((5, 5), -2.0), "no evidence"),
        (np.full((5, 5), 3.0), "too large"),
        (np.full((1, 1), 3.0), "too large"),
        (spot(20, 20, size=40, radius=0.6), "too small"),
    ],
)
@pytest.mark.parametrize("rule", ["map", "random"])
def test_a_map_that_says_nothing_gives_the_whole_view(cam: NDArray[np.floating], reason: str, rule: LookRule) -> None:
    found = second_look(cam, VIEW, LookRules(rule=rule), random=np.random.default_rng(0))
    assert (found.box, found.reason) == (VIEW, reason)


def test_a_random_square_is_as_large_and_elsewhere() -> None:
    random = np.random.default_rng(0)
    by_map = second_look(spot(2, 2), VIEW, LookRules()).box
    places = {second_look(spot(2, 2), VIEW, LookRules(rule="random"), random=random).box for _ in range(30)}
    assert {box[2] - box[0] for box in places} == {by_map[2] - by_map[0]}
    assert len(places) > 20
    with pytest.raises(ValueError, match="needs a generator"):
        second_look(spot(2, 2), VIEW, LookRules(rule="random"))


def test_a_mask_may_decide() -> None:
    mask = np.zeros((40, 40), np.bool_)  # a cell is ten pixels of the view
    rules = LookRules(rule="mask", margin=0.0)
    assert second_look(spot(2, 2), VIEW, rules, mask=mask).reason == "no lesion"
    mask[10:16, 20:24] = True
    assert second_look(spot(2, 2), VIEW, rules, mask=mask).box == (290, 150, 350, 210)
    with pytest.raises(ValueError, match="needs a mask"):
        second_look(spot(2, 2), VIEW, rules)


def test_nothing_to_cut() -> None:
    assert second_look(spot(2, 2), VIEW, LookRules(rule="full")).box == VIEW


@given(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(-5, 5, width=32)),
    st.sampled_from(["map", "peak", "random"]),
    st.integers(1, 300),
    st.integers(1, 300),
    st.floats(0, 1),
)
def test_the_box_always_lies_in_the_view(
    cam: NDArray[np.float32], rule: LookRule, width: int, height: int, margin: float
) -> None:
    view = (7, 11, 7 + width, 11 + height)
    rules = LookRules(rule=rule, margin=margin)
    left, top, right, bottom = second_look(cam, view, rules, random=np.random.default_rng(0)).box
    assert 7 <= left < right <= 7 + width
    assert 11 <= top < bottom <= 11 + height


@pytest.mark.parametrize("cam", [np.full((3, 3), np.nan), np.ones(3), np.ones((0, 3))])
def test_what_is_no_map_is_refused(cam: NDArray[np.floating]) -> None:
    with pytest.raises(ValueError, match="must be"):
        second_look(cam, VIEW, LookRules())
