"""How good a chosen mask will be, from its selection score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-3
_FEWEST_FITTED = 2


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

    Where the scores say nothing that can be fitted, as those of a few masks may, every mask is promised the mean.

    Args:
        scores: Selection scores of masks.
        overlaps: Their true Dice overlaps, at least one.
    """
    from scipy.optimize import curve_fit

    if len(scores) > _FEWEST_FITTED:
        try:
            (slope, intercept), _ = curve_fit(
                lambda x, a, b: 1 / (1 + np.exp(-(a * x + b))), [_log_odds(s) for s in scores], overlaps, p0=(0.5, 1.0)
            )
            return float(slope), float(intercept)
        except RuntimeError:  # it does not converge
            pass
    return 0.0, _log_odds(float(np.mean(overlaps)))


def believed_overlap(logits: NDArray[np.float32]) -> float:
    """Intersection over union of a mask with its own probabilities, 0 to 1; 0 where it is empty.

    What a network without an estimate of its own believes: a mask of certain pixels on certain ground gives 1.

    Args:
        logits: `[h, w]`.
    """
    probability = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    inside = logits > 0
    both = float(probability[inside].sum())
    union = float(inside.sum() + probability.sum()) - both
    return both / union if both else 0.0


def _log_odds(score: float) -> float:
    clipped = min(max(score, _LEAST), 1 - _LEAST)
    return float(np.log(clipped / (1 - clipped)))
