from __future__ import annotations

import numpy as np
import pytest

from dermoscope.training.recipes.schema import BalancedPart, NaturalPart, WeightedPart
from dermoscope.training.sampling import Drawn, draw, draw_probability

LABELS = np.array([0] * 30 + [1] * 12 + [3] * 2)
FIVE = ("original", "hflip", "rot90", "rot180", "rot270")


def counts(drawn: Drawn) -> list[int]:
    return [int(count) for count in np.bincount(LABELS[drawn.images], minlength=4)]


def rows(drawn: Drawn) -> list[tuple[int, int]]:
    return list(zip(drawn.images.tolist(), drawn.views.tolist(), strict=True))


@pytest.mark.parametrize(
    ("per_class", "views", "expected"),
    [
        (20, FIVE, [20, 20, 0, 10]),
        (20, FIVE[:1], [20, 12, 0, 2]),
        (7, FIVE, [7, 7, 0, 7]),
        (999, FIVE, [150, 60, 0, 10]),
    ],
)
def test_balanced_caps_every_class(per_class: int, views: tuple[str, ...], expected: list[int]) -> None:
    drawn = draw(BalancedPart(kind="balanced", per_class=per_class, views=views), LABELS, seed=42)
    assert counts(drawn) == expected
    assert len(set(rows(drawn))) == len(rows(drawn)), "no copy twice"
    assert set(drawn.views.tolist()) <= set(range(len(views)))


def test_balanced_draws_among_images_and_views() -> None:
    drawn = draw(BalancedPart(kind="balanced", per_class=20, views=FIVE), LABELS, seed=42)
    assert len(set(drawn.views.tolist())) == 5
    assert len(set(drawn.images[LABELS[drawn.images] == 0].tolist())) > 10


def test_the_seed_decides() -> None:
    part = BalancedPart(kind="balanced", per_class=10, views=FIVE)
    assert rows(draw(part, LABELS, 1)) == rows(draw(part, LABELS, 1))
    assert rows(draw(part, LABELS, 1)) != rows(draw(part, LABELS, 2))


@pytest.mark.parametrize("part", [NaturalPart(kind="natural", views=FIVE), WeightedPart(kind="weighted", views=FIVE)])
def test_the_others_take_every_image_in_every_view(part: NaturalPart | WeightedPart) -> None:
    drawn = draw(part, LABELS, seed=0)
    assert len(set(rows(drawn))) == len(LABELS) * 5


def test_the_original_distribution() -> None:
    drawn = draw(NaturalPart(kind="natural"), LABELS, seed=0)
    assert counts(drawn) == [30, 12, 0, 2]
    assert drawn.views.tolist() == [0] * len(LABELS)


@pytest.mark.parametrize(
    ("balance", "shares"), [(0.0, [30 / 44, 12 / 44, 2 / 44]), (1.0, [1 / 3] * 3), (0.5, [0.5257, 0.3325, 0.1357])]
)
def test_balance_moves_the_draw_from_natural_to_equal(balance: float, shares: list[float]) -> None:
    probability = draw_probability(LABELS, balance)
    assert probability.sum() == pytest.approx(1)
    found = [probability[label == LABELS].sum() for label in (0, 1, 3)]
    assert found == pytest.approx(shares, abs=0.01)
