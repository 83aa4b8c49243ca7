from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Bootstrap, Estimate
from dermoscope.evaluation.proportions import FEWEST_FOR_BOOTSTRAP, estimate_shares, wilson_interval


def share_of_all(happened: NDArray[np.bool_], groups: Sequence[str], resamples: int = 1000) -> Estimate:
    (found,) = estimate_shares(Bootstrap(groups, resamples=resamples), [happened], [np.ones_like(happened)])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_newcombe(successes: int, n: int, low: float, high: float) -> None:
    found = wilson_interval(successes / n, n)
    assert found == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("share", [0.0, 1.0, 0.5, 1 / 3])
@pytest.mark.parametrize("n", [1, 3, 7, 1000])
def test_wilson_holds_its_share_and_stays_in_range(share: float, n: int) -> None:
    low, high = wilson_interval(share, n)
    assert 0 <= low <= share <= high <= 1
    assert low < high


def test_nothing_has_no_interval() -> None:
    with pytest.raises(ValueError, match="n must be positive"):
        wilson_interval(0.5, 0)
    none, some = np.zeros(3, np.bool_), np.ones(3, np.bool_)
    assert estimate_shares(Bootstrap(["a", "b", "c"], resamples=2), [some], [none]) == (None,)


def test_many_images_get_the_bootstrap() -> None:
    happened = np.random.default_rng(0).random(400) < 0.7
    found = share_of_all(happened, [str(row) for row in range(400)], resamples=2000)
    error = 1.96 * np.sqrt(0.7 * 0.3 / 400)
    assert found.value == happened.mean()
    assert (found.low, found.high) == pytest.approx((found.value - error, found.value + error), abs=0.012)


def test_a_perfect_score_still_has_a_width() -> None:
    found = share_of_all(np.ones(50, np.bool_), [str(row) for row in range(50)])
    assert (found.low, found.high) == wilson_interval(1.0, 50)
    assert found.low < 0.95


def test_small_groups_count_lesions_and_not_images() -> None:
    happened = np.array([True, True, True, False] * 3)
    groups = ["a", "b", "c", "d"] * 3
    found = share_of_all(happened, groups)
    assert (found.n, found.groups) == (12, 4)
    assert (found.low, found.high) == wilson_interval(0.75, 4)


@pytest.mark.parametrize(("misses", "wilson"), [(FEWEST_FOR_BOOTSTRAP - 1, True), (FEWEST_FOR_BOOTSTRAP, False)])
def test_where_the_bootstrap_begins(misses: int, wilson: bool) -> None:
    for happened in (np.arange(100) >= misses, np.arange(100) < misses):
        found = share_of_all(happened, [str(row) for row in range(100)])
        assert ((found.low, found.high) == wilson_interval(float(happened.mean()), 100)) == wilson


def test_a_share_of_some_rows_is_that_of_those_rows_alone() -> None:
    random = np.random.default_rng(1)
    happened, inside = random.random(900) < 0.6, np.arange(900) % 3 == 0
    names = [str(row // 2) for row in range(900)]
    (found,) = estimate_shares(Bootstrap(names, inside, resamples=2000), [happened], [inside])
    alone = share_of_all(happened[inside], [name for name, is_in in zip(names, inside, strict=True) if is_in], 2000)
    assert found is not None
    assert (found.value, found.n, found.groups) == (alone.value, alone.n, alone.groups)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.01)
