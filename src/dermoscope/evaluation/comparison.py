"""Paired tests between two runs on the same images.

Both treat rows as independent. Where lesions have several images, `Bootstrap.paired` draws whole lesions instead.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Difference

_Z95 = NormalDist().inv_cdf(0.975)


def delong(positive: NDArray[np.bool_], score_a: NDArray[np.floating], score_b: NDArray[np.floating]) -> Difference:
    """Difference of two AUCs on the same rows, with DeLong's variance.

    Args:
        positive: Whether each row is a positive, `[N]`.
        score_a: Scores of run A, `[N]`.
        score_b: Scores of run B, `[N]`.

    Raises:
        ValueError: If the lengths differ, or there are not at least two positives and two negatives.

    References:
        DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; computed as in Sun and Xu, Fast implementation of
        DeLong's algorithm, IEEE Signal Processing Letters 21, 2014.
    """
    if not len(positive) == len(score_a) == len(score_b):
        raise ValueError(f"rows differ: positive {len(positive)}, score_a {len(score_a)}, score_b {len(score_b)}")
    n_positive = int(np.count_nonzero(positive))
    n_negative = len(positive) - n_positive
    if min(n_positive, n_negative) < 2:
        raise ValueError(f"DeLong's variance needs two positives and two negatives, not {n_positive} and {n_negative}")
    aucs, of_positives, of_negatives = zip(*(_components(positive, score) for score in (score_a, score_b)), strict=True)
    covariance = np.cov(of_positives) / n_positive + np.cov(of_negatives) / n_negative
    value = aucs[0] - aucs[1]
    error = math.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))
    distance = abs(value) / error if error else (math.inf if value else 0.0)
    p_value = math.erfc(distance / math.sqrt(2))
    return Difference(value, value - _Z95 * error, value + _Z95 * error, p_value, len(positive), len(positive))


def mcnemar(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_], *, mid_p: bool = True) -> Difference:
    """Difference of two accuracies on the same rows, tested on the rows where only one run is right.

    The interval is Bonett and Price's, which stays honest with few discordant rows.

    Args:
        correct_a: Where run A is right, `[N]`.
        correct_b: Where run B is right, `[N]`.
        mid_p: The mid-p test, which keeps its level and finds more than the exact one; else the exact binomial test.

    Raises:
        ValueError: If the lengths differ or there are no rows.

    References:
        McNemar, Psychometrika 12, 1947; mid-p: Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91,
        2013; interval: Bonett and Price, Journal of Educational and Behavioral Statistics 37, 2012.
    """
    from scipy.special import bdtr

    if len(correct_a) != len(correct_b):
        raise ValueError(f"rows differ: correct_a {len(correct_a)}, correct_b {len(correct_b)}")
    n = len(correct_a)
    if not n:
        raise ValueError("no rows to compare")
    only_a = int(np.count_nonzero(correct_a & ~correct_b))
    only_b = int(np.count_nonzero(correct_b & ~correct_a))
    fewer, discordant = min(only_a, only_b), only_a + only_b
    tail = float(bdtr(fewer, discordant, 0.5)) if discordant else 1.0
    below = float(bdtr(fewer - 1, discordant, 0.5)) if fewer else 0.0
    p_value = min(1.0, tail + below if mid_p else 2 * tail)
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = share_a - share_b
    half = _Z95 * math.sqrt((share_a + share_b - centre**2) / (n + 2))
    return Difference((only_a - only_b) / n, max(-1.0, centre - half), min(1.0, centre + half), p_value, n, n)


def _components(
    positive: NDArray[np.bool_], score: NDArray[np.floating]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """AUC, and what each positive and each negative adds to it (the structural components V10 and V01)."""
    n_positive, n_negative = np.count_nonzero(positive), np.count_nonzero(~positive)
    among_all = _midranks(score)
    of_positives = (among_all[positive] - _midranks(score[positive])) / n_negative
    of_negatives = 1 - (among_all[~positive] - _midranks(score[~positive])) / n_positive
    return float(of_positives.mean()), of_positives, of_negatives


def _midranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks from 1, rising; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return ranks[inverse]
