from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.classification import roc_auc
from dermoscope.evaluation.comparison import delong, mcnemar
from dermoscope.evaluation.intervals import Bootstrap
from dermoscope.evaluation.ranking import RankedScores


def two_runs(seed: int, rows: int, noise: float) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    positive = random.random(rows) < 0.4
    shared = random.normal(size=rows) + 1.2 * positive
    return positive, shared + random.normal(0, 0.3, rows), shared + random.normal(0, noise, rows)


def by_definition(positive: NDArray[np.bool_], *scores: NDArray[np.float64]) -> tuple[float, float]:
    """Difference and standard error straight from DeLong's definition, all pairs written out."""
    kernels = []
    for score in scores:
        above = np.subtract.outer(score[positive], score[~positive])
        kernels.append(np.where(above > 0, 1.0, np.where(above == 0, 0.5, 0.0)))
    m, n = kernels[0].shape
    s10 = np.cov([kernel.mean(axis=1) for kernel in kernels])
    s01 = np.cov([kernel.mean(axis=0) for kernel in kernels])
    covariance = s10 / m + s01 / n
    contrast = np.array([1, -1])
    return float(kernels[0].mean() - kernels[1].mean()), math.sqrt(contrast @ covariance @ contrast)


def test_delong_by_hand() -> None:
    positive = np.array([True, True, False, False])
    a, b = np.array([4.0, 2.0, 3.0, 1.0]), np.array([3.0, 4.0, 2.0, 1.0])
    # A orders 3 of 4 pairs: V10 = 1, 1/2 and V01 = 1/2, 1, each of variance 1/8; B orders all, without variance.
    error = math.sqrt((1 / 8) / 2 + (1 / 8) / 2)
    found = delong(positive, a, b)
    assert found.value == pytest.approx(-1 / 4, abs=1e-9)
    assert found.low == pytest.approx(-1 / 4 - 1.959963984540054 * error, abs=1e-9)
    assert found.high == pytest.approx(-1 / 4 + 1.959963984540054 * error, abs=1e-9)
    assert found.p_value == pytest.approx(math.erfc((1 / 4) / error / math.sqrt(2)), abs=1e-9)
    assert (found.n, found.groups) == (4, 4)


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_delong_is_its_definition_with_and_without_ties(digits: int) -> None:
    positive, a, b = two_runs(0, 120, 0.9)
    a, b = a.round(digits), b.round(digits)
    value, error = by_definition(positive, a, b)
    found = delong(positive, a, b)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.value == pytest.approx(roc_auc(positive, a) - roc_auc(positive, b), abs=1e-12)
    assert (found.high - found.low) / 2 == pytest.approx(1.959963984540054 * error, abs=1e-12)


def test_delong_and_the_bootstrap_agree_where_rows_are_independent() -> None:
    positive, score_a, score_b = two_runs(1, 600, 0.9)
    a, b = RankedScores(positive, score_a), RankedScores(positive, score_b)
    drawn = Bootstrap([str(i) for i in range(600)], positive).paired(lambda w: a.curve(w).auc, lambda w: b.curve(w).auc)
    found = delong(positive, score_a, score_b)
    assert found.value == pytest.approx(drawn.value, abs=1e-12)
    assert found.low == pytest.approx(drawn.low, abs=0.006)
    assert found.high == pytest.approx(drawn.high, abs=0.006)


def test_delong_keeps_its_level() -> None:
    """Of runs that are equally good, about one in twenty is called different."""
    p_values = [delong(*two_runs(seed, 150, 0.3)).p_value for seed in range(400)]
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def test_delong_of_a_run_with_itself() -> None:
    positive, a, _ = two_runs(0, 50, 0.9)
    found = delong(positive, a, a)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_delong_of_perfect_and_perfectly_wrong() -> None:
    positive = np.array([True, True, False, False])
    found = delong(positive, positive.astype(float), -positive.astype(float))
    assert (found.value, found.p_value) == (1, 0)


def test_delong_takes_a_sign_from_its_order() -> None:
    positive, a, b = two_runs(0, 200, 2.0)
    there, back = delong(positive, a, b), delong(positive, b, a)
    assert there.value == -back.value > 0
    assert there.low == pytest.approx(-back.high)
    assert there.p_value == back.p_value


@pytest.mark.parametrize(
    ("positive", "rows", "message"),
    [
        ([True, False], 2, "needs two positives and two negatives, not 1 and 1"),
        ([True, True, True], 3, "not 3 and 0"),
        ([True, True, False, False], 3, "rows differ: positive 4, score_a 3, score_b 3"),
    ],
)
def test_delong_needs_enough(positive: list[bool], rows: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        delong(np.array(positive), np.arange(rows, dtype=float), np.arange(rows, dtype=float))


def pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    counts = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_mcnemar_of_the_published_example() -> None:
    """Airway hyper-responsiveness before and after transplantation, Fagerland et al. 2013: 0.070 and 0.039."""
    a, b = pairs(1, 1, 7, 12)
    exact, mid = mcnemar(a, b, mid_p=False), mcnemar(a, b)
    assert exact.p_value == pytest.approx(2 * 9 / 256, abs=1e-9)
    assert mid.p_value == pytest.approx((9 + 1) / 256, abs=1e-9)
    assert exact.value == mid.value == pytest.approx(-6 / 21, abs=1e-9)
    assert (exact.n, exact.groups) == (21, 21)


def test_the_interval_of_mcnemar_by_hand() -> None:
    found = mcnemar(*pairs(1, 1, 7, 12))
    half = 1.959963984540054 * math.sqrt((10 / 23 - (6 / 23) ** 2) / 23)
    assert (found.low, found.high) == pytest.approx((-6 / 23 - half, -6 / 23 + half), abs=1e-9)


@pytest.mark.parametrize("mid_p", [True, False])
def test_mcnemar_without_a_difference(mid_p: bool) -> None:
    for counts in ((5, 0, 0, 5), (5, 3, 3, 5)):
        found = mcnemar(*pairs(*counts), mid_p=mid_p)
        assert (found.value, found.p_value) == (0, 1)
        assert found.low == -found.high < 0


def test_mcnemar_stays_in_range() -> None:
    found = mcnemar(*pairs(0, 30, 0, 0))
    assert found.value == found.high == 1
    assert found.p_value == pytest.approx(0.5**30, rel=1e-9)
    assert mcnemar(*pairs(0, 30, 0, 0), mid_p=False).p_value == pytest.approx(2 * 0.5**30, rel=1e-9)


def test_mcnemar_of_many_rows() -> None:
    found = mcnemar(*pairs(80_000, 5_200, 4_800, 10_000), mid_p=False)
    # Normal approximation with continuity correction.
    assert found.p_value == pytest.approx(math.erfc(399 / math.sqrt(10_000) / math.sqrt(2)), rel=0.01)


def test_mcnemar_needs_pairs() -> None:
    with pytest.raises(ValueError, match="rows differ: correct_a 2, correct_b 1"):
        mcnemar(np.ones(2, np.bool_), np.ones(1, np.bool_))
    with pytest.raises(ValueError, match="no rows to compare"):
        mcnemar(np.ones(0, np.bool_), np.ones(0, np.bool_))
