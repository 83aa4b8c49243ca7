from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Bootstrap, Difference, Estimate, Weights, grouped_bootstrap

Rows = NDArray[np.intp]


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = grouped_bootstrap(lambda rows: float(values[rows].mean()), [str(i) for i in range(400)], resamples=2000)
    assert found.value == pytest.approx(values.mean())
    error = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - error, abs=0.02)
    assert found.high == pytest.approx(values.mean() + error, abs=0.02)
    assert (found.n, found.groups) == (400, 400)


def test_copies_of_an_image_do_not_make_the_interval_narrower() -> None:
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 50), 9)
    lesions = [f"lesion {number // 9}" for number in range(450)]
    grouped = grouped_bootstrap(lambda rows: float(values[rows].mean()), lesions)
    naive = grouped_bootstrap(lambda rows: float(values[rows].mean()), [str(i) for i in range(450)])
    assert grouped.high - grouped.low > 2 * (naive.high - naive.low)
    assert (grouped.n, grouped.groups) == (450, 50)


def test_groups_stay_whole_wherever_their_rows_lie() -> None:
    groups = ["b", "a", "b", "c", "a", "b"]
    size = {name: groups.count(name) for name in groups}

    def whole(rows: Rows) -> float:
        drawn = [groups[row] for row in rows]
        for name, rows_each in size.items():
            assert drawn.count(name) % rows_each == 0
        members = {name: sorted(int(row) for row in set(rows.tolist()) if groups[row] == name) for name in set(drawn)}
        assert all(len(found) == size[name] for name, found in members.items())
        return float(len(rows))

    grouped_bootstrap(whole, groups, resamples=50)


def test_one_seed_gives_one_interval() -> None:
    values = np.arange(20.0)
    groups = [str(i) for i in range(20)]
    first, again, other = (
        grouped_bootstrap(lambda rows: float(values[rows].mean()), groups, resamples=50, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_resamples_that_cannot_be_scored_are_left_out() -> None:
    values = np.array([1.0, 2.0, 3.0])
    found = grouped_bootstrap(
        lambda rows: float(values[rows].mean()) if len(set(rows.tolist())) > 1 else float("nan"), ["a", "b", "c"]
    )
    assert np.isfinite([found.low, found.high]).all()


def test_no_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rows to score"):
        grouped_bootstrap(lambda rows: float(len(rows)), [])


def test_text() -> None:
    assert str(Estimate(0.98765, 0.9, 1.0, 10, 5)) == "0.9877 (0.9000 to 1.0000)"
    assert str(Difference(-0.0123, -0.02, 0.001, 0.0714, 10, 5)) == "-0.0123 (-0.0200 to +0.0010), p = 0.071"
    assert str(Difference(0.5, 0.4, 0.6, 0.0004, 10, 5)) == "+0.5000 (+0.4000 to +0.6000), p < 0.001"


GROUPS = ["b", "a", "b", "c", "a", "b", "d"]


def mean_of(values: NDArray[np.float64]) -> Callable[[Weights], float]:
    return lambda weights: float(values @ weights / weights.sum())


def test_weights_are_whole_groups_drawn_with_replacement() -> None:
    rows = np.array(GROUPS)
    drawn = list(Bootstrap(GROUPS, resamples=200).weights())
    assert len(drawn) == 200
    for weights in drawn:
        assert weights.dtype == np.int32
        assert sum(weights[rows == name][0] for name in "abcd") == 4
        assert all(len(set(weights[rows == name].tolist())) == 1 for name in "abcd")
    mean = np.mean(drawn, axis=0)
    assert mean == pytest.approx(np.ones(7), abs=0.2)
    assert max(weights.max() for weights in drawn) > 2


def test_every_walk_over_the_weights_is_the_same() -> None:
    bootstrap = Bootstrap(GROUPS, resamples=5)
    first, again = np.array(list(bootstrap.weights())), np.array(list(bootstrap.weights()))
    assert (first == again).all()
    assert (first != np.array(list(Bootstrap(GROUPS, resamples=5, seed=1).weights()))).any()


def test_strata_keep_their_number_of_groups() -> None:
    strata = np.array(["x", "y", "x", "y", "y", "x", "y"])
    names = np.array(GROUPS)
    for weights in Bootstrap(GROUPS, strata, resamples=100).weights():
        assert weights[names == "b"][0] == 1, "the only group of its class is drawn every time"
        assert sum(weights[names == name][0] for name in "acd") == 3


def test_a_group_of_two_classes_counts_for_the_rarer() -> None:
    groups = ["a", "a", "b", "c", "d"]
    strata = ["common", "rare", "common", "common", "common"]
    for weights in Bootstrap(groups, strata, resamples=50).weights():
        assert weights[0] == weights[1] == 1
        assert weights[2:].sum() == 3


def test_strata_take_the_share_of_classes_out_of_the_interval() -> None:
    positive = np.arange(200) < 60
    groups = [str(i) for i in range(200)]
    stratified = Bootstrap(groups, positive, resamples=200).estimate(mean_of(positive.astype(float)))
    assert (stratified.low, stratified.high) == (0.3, 0.3)
    plain = Bootstrap(groups, resamples=200).estimate(mean_of(positive.astype(float)))
    assert plain.high - plain.low > 0.1


def test_weights_and_row_numbers_give_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=40)
    groups = [str(i // 3) for i in range(40)]
    by_rows = grouped_bootstrap(lambda rows: float(values[rows].mean()), groups, resamples=60, seed=3)
    by_weights = Bootstrap(groups, resamples=60, seed=3).estimate(mean_of(values))
    assert astuple(by_rows) == pytest.approx(astuple(by_weights))


def test_the_draws_are_those_of_row_numbers_group_by_group() -> None:
    """Results printed before weights came keep their last digit."""
    random = np.random.default_rng(7)
    members = [np.array([1, 4]), np.array([0, 2, 5]), np.array([3]), np.array([6])]
    for weights in Bootstrap(GROUPS, resamples=20, seed=7).weights():
        rows = np.concatenate([members[group] for group in random.integers(4, size=4)])
        assert weights.tolist() == np.bincount(rows, minlength=7).tolist()


def test_several_numbers_from_one_walk() -> None:
    values = np.random.default_rng(0).normal(size=(7, 3))
    bootstrap = Bootstrap(GROUPS, resamples=50)
    together = bootstrap.estimates(lambda weights: weights @ values / weights.sum())
    apart = tuple(bootstrap.estimate(mean_of(column)) for column in values.T)
    for one, other in zip(together, apart, strict=True):
        assert astuple(one) == pytest.approx(astuple(other))


def test_sums_by_group_are_sums_by_row() -> None:
    random = np.random.default_rng(0)
    groups = [str(i // 3) for i in range(60)]
    values, asked = random.normal(size=60), random.random(60) < 0.5
    bootstrap = Bootstrap(groups, asked, resamples=40)
    by_rows = bootstrap.estimates(lambda weights: np.array([weights @ values, (weights * asked) @ values]))
    by_groups = bootstrap.estimates_of_sums([values, values * asked], lambda sums: sums)
    for one, other in zip(by_rows, by_groups, strict=True):
        assert astuple(one) == pytest.approx(astuple(other))


def test_shares_count_their_own_rows() -> None:
    hit, asked = np.array([1, 0, 1, 1, 0, 0, 1], np.bool_), np.array([1, 1, 1, 0, 0, 0, 0], np.bool_)
    bootstrap = Bootstrap(GROUPS, resamples=60)
    found, nothing = bootstrap.shares([hit, hit], [asked, np.zeros(7, np.bool_)])
    assert found.value == pytest.approx(2 / 3)
    assert (found.n, found.groups) == (3, 2)
    both = (hit & asked).astype(float)

    def share(weights: Weights) -> float:
        return float(both @ weights / (asked @ weights)) if asked @ weights else float("nan")

    by_rows = bootstrap.estimate(share)
    assert (found.low, found.high) == pytest.approx((by_rows.low, by_rows.high))
    assert nothing.n == nothing.groups == 0
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_the_difference_of_a_run_and_itself() -> None:
    values = np.random.default_rng(0).normal(size=7)
    found = Bootstrap(GROUPS, resamples=50).paired(mean_of(values), mean_of(values))
    assert astuple(found) == (0, 0, 0, 1, 7, 4)


def test_the_difference_by_hand() -> None:
    """Two groups: the resamples are 2 × a, one of each, and 2 × b, in a ratio of 1 : 2 : 1."""
    a, b = np.array([1.0, 0.0]), np.array([0.0, 0.2])
    bootstrap = Bootstrap(["a", "b"], resamples=2000)
    found = bootstrap.paired(mean_of(a), mean_of(b))
    drawn = [int(weights[0]) for weights in bootstrap.weights()]
    assert found.value == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx((-0.2, 1.0))
    assert found.p_value == pytest.approx(2 * (drawn.count(0) + 1) / 2001)
    assert found.p_value == pytest.approx(0.5, abs=0.05)


def test_the_difference_of_normal_values_is_the_paired_test() -> None:
    random = np.random.default_rng(2)
    a = random.normal(size=500)
    b = a + random.normal(-0.1, 0.9, 500)
    found = Bootstrap([str(i) for i in range(500)], resamples=4000).paired(mean_of(a), mean_of(b))
    error = (a - b).std(ddof=1) / np.sqrt(500)
    assert found.value == pytest.approx((a - b).mean())
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.006)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.006)
    assert found.p_value == pytest.approx(math.erfc(found.value / error / math.sqrt(2)), abs=0.01)


def test_a_p_value_is_never_zero() -> None:
    groups = [str(i) for i in range(30)]
    found = Bootstrap(groups, resamples=99).paired(mean_of(np.ones(30)), mean_of(np.zeros(30)))
    assert found.p_value == pytest.approx(2 / 100)


def test_what_no_resample_can_score_is_nan() -> None:
    bootstrap = Bootstrap(GROUPS, resamples=10)
    found = bootstrap.estimate(lambda _: float("nan"))
    assert np.isnan([found.value, found.low, found.high]).all()
    difference = bootstrap.paired(lambda _: float("nan"), lambda _: 1.0)
    assert np.isnan([difference.value, difference.low, difference.high, difference.p_value]).all()


@pytest.mark.parametrize(
    ("groups", "strata", "resamples", "message"),
    [
        ([], None, 10, "no rows to score"),
        (["a"], None, 0, "resamples must be at least 1, not 0"),
        (["a", "b"], ["x"], 10, "strata has 1 rows, groups has 2"),
    ],
)
def test_what_cannot_be_drawn(groups: list[str], strata: list[str] | None, resamples: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bootstrap(groups, strata, resamples=resamples)
