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
    """The areas that sum up a ranking, each 0 to 1.

    Attributes:
        auc: Area under the ROC curve, ties counting half; NaN without positives or negatives.
        auc_above_80_sensitivity: Area under the part of it at or above a sensitivity of 0.8, see
            `RankCurve.auc_above`.
        average_precision: Precision averaged over the steps of sensitivity, without interpolation; NaN without
            positives.
    """

    auc: float
    auc_above_80_sensitivity: float
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
        self._positive_ends = np.flatnonzero(np.diff(of_positives, append=-np.inf))
        distinct = of_positives[self._positive_ends]
        self._negatives_above = len(rising) - np.searchsorted(rising, distinct, side="right")
        self._negatives_from = len(rising) - np.searchsorted(rising, distinct, side="left")

    def curve(self, weights: AnyWeights | None = None) -> RankCurve:
        """The curve under a weighting.

        Args:
            weights: At least zero, `[N]`; every row counts once without them.
        """
        weight = _weight(weights, len(self._order))[self._order]
        found = np.cumsum(weight * self._is_positive, dtype=weight.dtype)[self._ends].astype(np.float64)
        whole = np.cumsum(weight, dtype=weight.dtype)[self._ends].astype(np.float64)
        return RankCurve(self._thresholds, found, whole - found)

    def areas(self, weights: AnyWeights | None = None) -> RankAreas:
        """The areas of `curve(weights)` without the curve, several times as fast where positives are few.

        Args:
            weights: At least zero, `[N]`; every row counts once without them.
        """
        weight = _weight(weights, len(self._order))
        negatives = np.zeros(len(self._negatives) + 1, weight.dtype)
        np.cumsum(weight[self._negatives], out=negatives[1:], dtype=weight.dtype)
        found = np.cumsum(weight[self._positives], dtype=weight.dtype)[self._positive_ends].astype(np.float64)
        n_positive, n_negative = (float(found[-1]) if len(found) else 0.0), float(negatives[-1])
        if not n_positive:
            return RankAreas(*[float("nan")] * 3)
        steps = np.diff(found, prepend=0.0)
        above = negatives[self._negatives_above].astype(np.float64)
        until = negatives[self._negatives_from].astype(np.float64)
        called = found + until
        precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
        average_precision = _dot(steps, precision) / n_positive
        if not n_negative:
            return RankAreas(float("nan"), float("nan"), average_precision)
        reached, left, right = found / n_positive, above / n_negative, until / n_negative
        return RankAreas(
            # Within a tie the ROC curve is straight, so that its negatives count half.
            auc=1 - _dot(steps, (left + right) / 2) / n_positive,
            auc_above_80_sensitivity=_area_above(0.8, reached, steps / n_positive, left, right),
            average_precision=average_precision,
        )


def _area_above(
    sensitivity: float,
    reached: NDArray[np.float64],
    steps: NDArray[np.float64],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
) -> float:
    """`RankCurve.auc_above` by summing over sensitivities: the area to the right of where the curve reaches one.

    Args:
        sensitivity: Above 0, at most 1.
        reached: Sensitivity at the end of each tie that holds positives, rising to 1, `[T]`.
        steps: What the tie adds to it, `[T]`.
        left: False positive rate where the tie begins, `[T]`.
        right: And where it ends, `[T]`.
    """
    first = int(np.searchsorted(reached, sensitivity, side="left"))
    part = (sensitivity - (reached[first] - steps[first])) / steps[first]
    start = left[first] + part * (right[first] - left[first])
    # Of the area above the curve, what lies right of the start and above the sensitivity is cut off; below it all is.
    beyond = (1 - part) * steps[first] * ((start + right[first]) / 2 - start)
    beyond += _dot(steps[first + 1 :], (left[first + 1 :] + right[first + 1 :]) / 2 - start)
    return float(1 - start - beyond)


def _share(cumulated: NDArray[np.float64]) -> NDArray[np.float64]:
    total = cumulated[-1]
    return np.r_[0.0, cumulated / total] if total > 0 else np.full(len(cumulated) + 1, np.nan)


def _weight(weights: AnyWeights | None, rows: int) -> AnyWeights:
    """Integers stay integers of at least 32 bits: sums of them are exact, and several times as fast as of floats."""
    if weights is None:
        return np.ones(rows, np.int32)
    return weights.astype(np.result_type(weights.dtype, np.int32), copy=False)


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Without BLAS: its threads cost more than they save on vectors, and far more where the cores are busy."""
    return float((a * b).sum())
