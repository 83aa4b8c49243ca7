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
    return RankedAnswers(correct, confidence).curve(weights)


class RankedAnswers:
    """Answers sorted by confidence once, for curves under many weightings.

    Args:
        correct: `[N]` whether each answer is right.
        confidence: `[N]`, higher is surer.
    """

    def __init__(self, correct: NDArray[np.bool_], confidence: NDArray[np.floating]) -> None:
        self._order = np.argsort(-np.asarray(confidence, np.float64), kind="stable")
        falling = np.asarray(confidence, np.float64)[self._order]
        wrong = ~np.asarray(correct, np.bool_)[self._order]
        self._wrong = self._order[wrong]
        self._ends = np.flatnonzero(np.diff(falling, append=-np.inf))
        self._thresholds = falling[self._ends]
        # How many rows, and how many wrong ones, there are down to the end of each tie.
        self._rows_until, self._wrong_until = self._ends + 1, np.cumsum(wrong)[self._ends]
        self._tie_of_row = np.repeat(np.arange(len(self._ends)), np.diff(self._rows_until, prepend=0))
        self._ties_with_wrong = np.flatnonzero(np.diff(self._wrong_until, prepend=0))
        self._harmonic = np.zeros(1)

    def curve(self, weights: NDArray[np.integer] | None = None) -> CoverageRisk:
        """The curve under a weighting, see `coverage_risk`.

        Args:
            weights: `[N]` how often each row counts, as in a bootstrap resample.

        Raises:
            ValueError: If no row counts.
        """
        answered, errors = self._cumulated(weights)
        area, best_area = self._areas(answered, errors)
        total, until, wrong_until = int(answered[-1]), answered[self._rows_until], errors[self._wrong_until]
        kept = np.diff(until, prepend=0) > 0
        return CoverageRisk(
            coverage=until[kept] / total,
            risk=wrong_until[kept] / until[kept],
            threshold=self._thresholds[kept],
            area=area,
            best_area=best_area,
            n=total,
        )

    def summary(
        self, coverages: NDArray[np.float64], weights: NDArray[np.integer] | None = None
    ) -> NDArray[np.float64]:
        """`area`, `excess_area` and `risk_at` some coverages of `curve(weights)`, several times as fast.

        Args:
            coverages: Each above 0, at most 1, `[C]`.
            weights: `[N]` how often each row counts.

        Returns:
            `[2 + C]`.

        Raises:
            ValueError: If no row counts.
        """
        answered, errors = self._cumulated(weights)
        area, best_area = self._areas(answered, errors)
        wanted = np.ceil((coverages - 1e-12) * answered[-1]).astype(answered.dtype)
        ties = self._tie_of_row[np.searchsorted(answered[1:], wanted)]
        risks = errors[self._wrong_until[ties]] / answered[self._rows_until[ties]]
        return np.concatenate([[area, area - best_area], risks])

    def _cumulated(self, weights: NDArray[np.integer] | None) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """What the first answers count, `[N + 1]`, and what the first wrong ones count, `[W + 1]`, from none to all."""
        counts = np.ones(len(self._order), np.int32) if weights is None else weights
        if not counts.any():
            raise ValueError("no rows to answer")
        answered, errors = (np.zeros(len(rows) + 1, counts.dtype) for rows in (self._order, self._wrong))
        np.cumsum(counts[self._order], out=answered[1:], dtype=counts.dtype)
        np.cumsum(counts[self._wrong], out=errors[1:], dtype=counts.dtype)
        return answered, errors

    def _areas(self, answered: NDArray[np.integer], errors: NDArray[np.integer]) -> tuple[float, float]:
        """The area under the curve and the best possible one."""
        total, failures = int(answered[-1]), int(errors[-1])
        harmonic = self._harmonic_numbers(total)
        # Within a tie of m answers that begins after N answers with E errors, the j-th answer has risk (E + j·e) / (N +
        # j) on average, e being the tie's share of errors; summed over j this is m·e + (E - N·e)(H(N + m) - H(N)). The
        # sum of E(H(N + m) - H(N)) over the ties is that over the errors of H(total) - H(N + m), so that only ties with
        # errors need to be looked at.
        ties = self._ties_with_wrong
        until, before = answered[self._rows_until[ties]], answered[self._rows_until[ties - 1] * (ties > 0)]
        wrong = np.diff(errors[self._wrong_until[ties]], prepend=0)
        rate = wrong / np.maximum(until - before, 1)
        rest = wrong * (harmonic[total] - harmonic[until]) - before * rate * (harmonic[until] - harmonic[before])
        right = total - failures
        best = failures - right * (harmonic[total] - harmonic[right])
        return float((failures + rest.sum()) / total), float(best / total)

    def _harmonic_numbers(self, most: int) -> NDArray[np.float64]:
        """The harmonic numbers up to at least one; kept, since resamples differ little in size."""
        if len(self._harmonic) <= most:
            self._harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, most + most // 8 + 1))])
        return self._harmonic
