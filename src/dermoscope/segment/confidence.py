"""How good a chosen mask will be, from its selection score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LEAST = 1e-3


def expected_overlap(score: float, slope: float, intercept: float) -> float:
    """Expected Dice overlap with the true mask, 0 to 1: a logistic function of the score's log-odds.

    Args:
        score: Selection score, 0 to 1; 0 where no mask of the decoder survived.
        slope: Of the fit.
        intercept: Of the fit.
    """
    return float(1 / (1 + np.exp(-(slope * _log_odds(score) + intercept))))


def fit_expected_overlap(scores: Sequence[float], overlaps: Sequence[float]) -> tuple[float, float]:
    """Slope and intercept of `expected_overlap` with the least squared error.

    Args:
        scores: Selection scores of masks.
        overlaps: Their true Dice overlaps.
    """
    from scipy.optimize import curve_fit

    (slope, intercept), _ = curve_fit(
        lambda x, a, b: 1 / (1 + np.exp(-(a * x + b))), [_log_odds(s) for s in scores], overlaps, p0=(0.5, 1.0)
    )
    return float(slope), float(intercept)


def _log_odds(score: float) -> float:
    clipped = min(max(score, _LEAST), 1 - _LEAST)
    return float(np.log(clipped / (1 - clipped)))
