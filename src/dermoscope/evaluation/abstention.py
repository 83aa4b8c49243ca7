"""What it is worth to answer only where the model is sure: coverage against risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CoverageRisk:
    """Risk as more and more images are answered, the surest first.

    Attributes:
        coverage: `[M]` share of images answered, rising to 1; images of equal confidence come together.
        risk: `[M]` share of wrong answers among those answered.
        threshold: `[M]` the confidence at which that coverage is reached.
        area: Area under the curve (AURC), 0 to 1, lower is better.
        best_area: What a confidence that puts every wrong answer last would have.
        n: Images.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    threshold: NDArray[np.float64]
    area: float
    best_area: float
    n: int

    @property
    def excess_area(self) -> float:
        """Area above the best possible one (E-AURC): what the confidence itself costs, whatever the accuracy."""
        return self.area - self.best_area

    def risk_at(self, coverage: float) -> float:
        """Risk at the smallest coverage on the curve that is at least the wanted one.

        Args:
            coverage: Above 0, at most 1.
        """
        return float(self.risk[np.searchsorted(self.coverage, coverage - 1e-12)])

    def coverage_at(self, risk: float) -> float:
        """Largest coverage whose risk is at most the given one; 0 if there is none.

        Args:
            risk: 0 to 1.
        """
        allowed = np.flatnonzero(self.risk <= risk + 1e-12)
        return float(self.coverage[allowed[-1]]) if len(allowed) else 0.0


def coverage_risk(
    correct: NDArray[np.bool_], confidence: NDArray[np.floating], weights: NDArray[np.integer] | None = None
) -> CoverageRisk:
    """The curve that an abstention threshold moves along.

    The area is the mean risk over all numbers of answered images; images of equal confidence count as if answered in
    random order, so that it does not depend on how rows are sorted.

    Args:
        correct: `[N]` whether each answer is right.
        confidence: `[N]`, higher is surer.
        weights: `[N]` how often each row counts, as in a bootstrap resample.

    Raises:
        ValueError: If there are no rows.

    References:
        Geifman and El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017; the area and its excess:
        Geifman, Uziel and El-Yaniv, ICLR 2019.
    """
    counts = np.ones(len(correct), np.int64) if weights is None else np.asarray(weights, np.int64)
    kept = counts > 0
    if not kept.any():
        raise ValueError("no rows to answer")
    levels, which = np.unique(-np.asarray(confidence, np.float64)[kept], return_inverse=True)
    images = np.bincount(which, counts[kept]).astype(np.int64)
    wrong = np.bincount(which, counts[kept] * ~correct[kept])
    answered, errors = images.cumsum(), wrong.cumsum()
    total = int(answered[-1])
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total + 1))])
    # Within a tie that begins after N answers with E errors, the j-th answer has risk (E + j·e) / (N + j) on average,
    # e being the tie's share of errors; summed over j this is m·e + (E - N·e)(H(N + m) - H(N)).
    before, errors_before, rate = answered - images, errors - wrong, wrong / images
    sums = images * rate + (errors_before - before * rate) * (harmonic[answered] - harmonic[before])
    failures = int(errors[-1])
    right = total - failures
    best = failures - right * (harmonic[total] - harmonic[right])
    return CoverageRisk(
        coverage=answered / total,
        risk=errors / answered,
        threshold=-levels,
        area=float(sums.sum() / total),
        best_area=float(best / total),
        n=total,
    )
