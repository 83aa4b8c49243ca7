"""Receiver operating characteristic and precision-recall from one sort, however often the rows are weighted anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AnyWeights = NDArray[np.integer] | NDArray[np.floating]
"""Weights of rows, `[N]`: the multiplicities of a resample, or a scorer's own weights."""


@dataclass(frozen=True)
class RankCurve:
    """What lies at or above each threshold, from the strictest to the laxest.

    Attributes:
        thresholds: Distinct scores, falling, `[T]`.
        true_positives: Weight of the positives at or above each threshold, `[T]`.
        false_positives: Weight of the negatives at or above it, `[T]`.
    """

    thresholds: NDArray[np.float64]
    true_positives: NDArray[np.float64]
    false_positives: NDArray[np.float64]

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """Share of the positives found, `[T + 1]` from 0 to 1; NaN without positives."""
        return _share(self.true_positives)

    @property
    def false_positive_rate(self) -> NDArray[np.float64]:
        """Share of the negatives called positive, `[T + 1]` from 0 to 1; NaN without negatives."""
        return _share(self.false_positives)

    @property
    def auc(self) -> float:
        """Area under the ROC curve, ties counting half; NaN without positives or negatives."""
        return float(np.trapezoid(self.sensitivity, self.false_positive_rate))

    def auc_above(self, sensitivity: float) -> float:
        """Area under the part of the ROC curve at or above a sensitivity, down to the axis.

        This is the raw partial area of the ISIC scorers, without McClish's correction: a perfect score gives 1, a
        curve that reaches the sensitivity late gives little.

        Args:
            sensitivity: Above 0, at most 1.

        Raises:
            ValueError: If `sensitivity` is not in that range.

        References:
            isic-challenge-scoring 5.6, `auc_above_sensitivity`.
        """
        if not 0 < sensitivity <= 1:
            raise ValueError(f"sensitivity must be above 0 and at most 1, not {sensitivity}")
        up, right = self.sensitivity, self.false_positive_rate
        if np.isnan(up[-1]):
            return float("nan")
        first = int(np.searchsorted(up, sensitivity, side="left"))
        start = np.interp(sensitivity, up[first - 1 : first + 1], right[first - 1 : first + 1])
        return float(np.trapezoid(np.r_[sensitivity, up[first:]], np.r_[start, right[first:]]))

    @property
    def average_precision(self) -> float:
        """Precision averaged over the steps of sensitivity, without interpolation; NaN without positives.

        References:
            scikit-learn, `average_precision_score`: the sum over thresholds of (R_t - R_{t-1}) P_t.
        """
        found = np.diff(self.true_positives, prepend=0.0)
        steps = found > 0
        if not steps.any():
            return float("nan")
        hits = self.true_positives[steps]
        return _dot(found[steps], hits / (hits + self.false_positives[steps])) / float(self.true_positives[-1])


@dataclass(frozen=True)
class RankAreas:
    """The two areas that sum up a ranking, each 0 to 1.

    Attributes:
        auc: Area under the ROC curve, ties counting half; NaN without positives or negatives.
        average_precision: Precision averaged over the steps of sensitivity, without interpolation; NaN without
            positives.
    """

    auc: float
    average_precision: float


class RankedScores:
    """Scores sorted once, for statistics under many weightings.

    Args:
        positive: Whether each row is a positive, `[N]`.
        score: Higher means more likely positive, `[N]`.

    Raises:
        ValueError: If the lengths differ, there are no rows, or a score is NaN.

    Example:
        >>> ranked = RankedScores(np.array([True, False]), np.array([0.9, 0.2]))
        >>> ranked.areas().auc
        1.0
    """

    def __init__(self, positive: NDArray[np.bool_], score: NDArray[np.floating]) -> None:
        if len(positive) != len(score):
            raise ValueError(f"positive has {len(positive)} rows, score has {len(score)}")
        if not len(score):
            raise ValueError("no rows to score")
        if np.isnan(score).any():
            raise ValueError(f"score is NaN in row {int(np.flatnonzero(np.isnan(score))[0])}")
        self._order = np.argsort(score, kind="stable")[::-1]
        falling = np.asarray(score, np.float64)[self._order]
        self._is_positive = np.asarray(positive, np.bool_)[self._order]
        self._ends = np.r_[np.flatnonzero(np.diff(falling)), len(falling) - 1]
        self._thresholds = falling[self._ends]
        self._positives, self._negatives = self._order[self._is_positive], self._order[~self._is_positive]
        of_positives, rising = falling[self._is_positive], falling[~self._is_positive][::-1]
        self._negatives_above = len(rising) - np.searchsorted(rising, of_positives, side="right")
        self._negatives_from = len(rising) - np.searchsorted(rising, of_positives, side="left")
        self._positive_ends = np.flatnonzero(np.diff(of_positives, append=-np.inf))

    def curve(self, weights: AnyWeights | None = None) -> RankCurve:
        """The curve under a weighting.

        Args:
            weights: At least zero, `[N]`; every row counts once without them.
        """
        weight = np.ones(len(self._order)) if weights is None else weights[self._order].astype(np.float64)
        found = np.cumsum(weight * self._is_positive)[self._ends]
        return RankCurve(self._thresholds, found, np.cumsum(weight)[self._ends] - found)

    def areas(self, weights: AnyWeights | None = None) -> RankAreas:
        """The two areas of `curve(weights)` without the curve, several times as fast where positives are few.

        Args:
            weights: At least zero, `[N]`; every row counts once without them.
        """
        weight = np.ones(len(self._order), np.int32) if weights is None else weights
        of_positives = weight[self._positives].astype(np.float64)
        negatives = np.zeros(len(self._negatives) + 1)
        np.cumsum(weight[self._negatives], out=negatives[1:])
        found = np.cumsum(of_positives)[self._positive_ends]
        n_positive, n_negative = (float(found[-1]) if len(found) else 0.0), float(negatives[-1])
        if not n_positive:
            return RankAreas(float("nan"), float("nan"))
        mistaken = negatives[self._negatives_from]
        out_of_order = _dot(of_positives, negatives[self._negatives_above] + mistaken) / 2
        steps = np.diff(found, prepend=0.0)
        called = found + mistaken[self._positive_ends]
        precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
        return RankAreas(
            auc=1 - out_of_order / (n_positive * n_negative) if n_negative else float("nan"),
            average_precision=_dot(steps, precision) / n_positive,
        )


def _share(cumulated: NDArray[np.float64]) -> NDArray[np.float64]:
    total = cumulated[-1]
    return np.r_[0.0, cumulated / total] if total > 0 else np.full(len(cumulated) + 1, np.nan)


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Without BLAS: its threads cost more than they save on vectors, and far more where the cores are busy."""
    return float((a * b).sum())
