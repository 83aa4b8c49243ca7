"""Bootstrap intervals and paired differences that know which images belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.025, 0.975)
"""The ends of every interval: 95 %, equal tails."""

Weights = NDArray[np.int32]
"""How often each row was drawn, `[N]`."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: On all images.
        low: 2.5 % quantile of the resamples.
        high: 97.5 % quantile.
        n: Images.
        groups: Independent groups, such as lesions.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int

    def __str__(self) -> str:
        """The number with its interval, as tables print it."""
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class Difference:
    """A number of run A minus the same number of run B, on the same images.

    Attributes:
        value: A minus B on all images.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p_value: Two-sided, of no difference.
        n: Images.
        groups: Independent groups, such as lesions.
    """

    value: float
    low: float
    high: float
    p_value: float
    n: int
    groups: int

    def __str__(self) -> str:
        """The difference with its interval and p-value, as tables print it."""
        p_value = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f}), {p_value}"


class Bootstrap:
    """Draws whole groups with replacement; statistics see integer weights instead of copied rows.

    Every walk over the draws starts from the seed again, so that all numbers of a report, and both sides of a
    comparison, rest on the same resamples. Memory stays at a few arrays of `N` however many resamples there are.

    Args:
        groups: The group of each row, such as its lesion, `[N]`.
        strata: Class of each row, `[N]`. Groups are then drawn class by class, so that every resample has as many
            groups of a class as the data. A group of several classes counts for the rarest of them, so that no
            resample loses a rare class.
        resamples: Number of resamples.
        seed: Of the draws.

    Raises:
        ValueError: If there are no rows or no resamples, or `strata` has another length.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; groups as in Field and Welsh, 2007.
    """

    def __init__(
        self,
        groups: Sequence[str],
        strata: Sequence[str] | NDArray[np.generic] | None = None,
        *,
        resamples: int = 1000,
        seed: int = 0,
    ) -> None:
        if not len(groups):
            raise ValueError("no rows to score")
        if resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {resamples}")
        if strata is not None and len(strata) != len(groups):
            raise ValueError(f"strata has {len(strata)} rows, groups has {len(groups)}")
        names, group_of = np.unique(np.asarray(groups), return_inverse=True)
        stratum_of = np.zeros(len(names), np.intp) if strata is None else _rarest(group_of, len(names), strata)
        order = np.argsort(stratum_of, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        self._row_place = place[group_of]
        self._sizes = [int(size) for size in np.bincount(stratum_of) if size]
        self._seed = seed
        self.resamples = resamples
        self.n = len(groups)
        self.groups = len(names)

    def weights(self) -> Iterator[Weights]:
        """How often each row was drawn, `[N]`, resample by resample; the same sequence on every call."""
        for counts in self._counts():
            yield counts.astype(np.int32)[self._row_place]

    def estimate(self, statistic: Callable[[Weights], float]) -> Estimate:
        """One number with its percentile interval.

        Args:
            statistic: From integer row weights to a number; a resample it cannot score may give NaN and is left out.
        """
        return self.estimates(lambda weights: np.array([statistic(weights)]))[0]

    def estimates(self, statistics: Callable[[Weights], NDArray[np.float64]]) -> tuple[Estimate, ...]:
        """Several numbers with their intervals from one walk over the resamples.

        Args:
            statistics: From integer row weights to `[M]` numbers; NaN where a resample cannot be scored.
        """
        return self._estimates(statistics(self._once()), [statistics(weights) for weights in self.weights()])

    def estimates_of_sums(
        self,
        columns: Sequence[NDArray[np.bool_] | NDArray[np.number]],
        statistics: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> tuple[Estimate, ...]:
        """Several numbers that follow from sums over the rows, over the same resamples as `estimates`.

        The columns are added up by group once, and a resample weighs these totals. That costs a resample no more than
        its draw where the columns are mostly zero, as those of a table of counts are.

        Args:
            columns: What is summed, M of `[N]`.
            statistics: From the sums `[M]` to numbers; NaN where a resample cannot be scored.
        """
        from scipy.sparse import csr_array

        by_group = [np.bincount(self._row_place, column, minlength=self.groups) for column in columns]
        kept = [np.flatnonzero(totals) for totals in by_group]
        values = np.concatenate([totals[places] for totals, places in zip(by_group, kept, strict=True)])
        starts = np.cumsum([0, *map(len, kept)])
        totals = csr_array((values, np.concatenate(kept), starts), shape=(len(columns), self.groups))
        draws = [statistics(totals @ counts.astype(np.float64)) for counts in self._counts()]
        return self._estimates(statistics(totals @ np.ones(self.groups)), draws)

    def shares(self, parts: Sequence[NDArray[np.bool_]], wholes: Sequence[NDArray[np.bool_]]) -> tuple[Estimate, ...]:
        """Shares of rows, such as the sensitivities of several operating points, over the same resamples.

        Args:
            parts: What each share counts, M of `[N]`.
            wholes: What it is a share of, M of `[N]`; a resample without any is left out.

        Returns:
            With `n` and `groups` of the whole that each is a share of.
        """
        columns = [part & whole for part, whole in zip(parts, wholes, strict=True)]
        found = self.estimates_of_sums([*columns, *wholes], lambda sums: _ratios(*np.split(sums, 2)))
        return tuple(
            replace(each, n=int(whole.sum()), groups=self.groups_among(whole))
            for each, whole in zip(found, wholes, strict=True)
        )

    def groups_among(self, rows: NDArray[np.bool_]) -> int:
        """How many groups some of the rows, `[N]`, come from."""
        return int(np.count_nonzero(np.bincount(self._row_place[rows], minlength=self.groups)))

    def paired(self, statistic_a: Callable[[Weights], float], statistic_b: Callable[[Weights], float]) -> Difference:
        """The difference of two numbers over the same resamples.

        The p-value is the smallest level at which the percentile interval leaves out zero: twice the smaller share
        of resamples on either side of it, each with one added, so that it is never zero (Davison and Hinkley,
        Bootstrap Methods and their Application, 1997, section 4.2.3).

        Args:
            statistic_a: From integer row weights to the number of run A.
            statistic_b: The same for run B.
        """
        value = float(statistic_a(self._once())) - float(statistic_b(self._once()))
        draws = np.array([statistic_a(weights) - statistic_b(weights) for weights in self.weights()], np.float64)
        low, high = _interval(draws)
        return Difference(value, low, high, _p_value(draws), self.n, self.groups)

    def _once(self) -> Weights:
        return np.ones(self.n, np.int32)

    def _counts(self) -> Iterator[NDArray[np.intp]]:
        """How often each group was drawn, `[groups]`, resample by resample."""
        random = np.random.default_rng(self._seed)
        ends = np.cumsum(self._sizes)
        for _ in range(self.resamples):
            drawn = [
                random.integers(size, size=size) + (end - size) for size, end in zip(self._sizes, ends, strict=True)
            ]
            yield np.bincount(np.concatenate(drawn), minlength=self.groups)

    def _estimates(self, values: NDArray[np.float64], draws: Sequence[NDArray[np.float64]]) -> tuple[Estimate, ...]:
        ends = [_interval(column) for column in np.array(draws, np.float64).T]
        return tuple(
            Estimate(float(value), low, high, self.n, self.groups)
            for value, (low, high) in zip(values, ends, strict=True)
        )


def grouped_bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Percentile bootstrap that draws whole groups, for statistics that take row numbers.

    Args:
        statistic: From row numbers, which may repeat, to a number; a resample it cannot score may give NaN.
        groups: The group of each row, such as its lesion.
        resamples: Number of resamples.
        seed: Of the draws.

    Raises:
        ValueError: If there are no rows.
    """
    rows = np.arange(len(groups))
    return Bootstrap(groups, resamples=resamples, seed=seed).estimate(
        lambda weights: statistic(np.repeat(rows, weights))
    )


def _ratios(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(parts, wholes, out=np.full_like(parts, np.nan), where=wholes > 0)


def _rarest(group_of: NDArray[np.intp], groups: int, strata: Sequence[str] | NDArray[np.generic]) -> NDArray[np.intp]:
    """The rarest class among the rows of each group, `[groups]`; classes are numbered from rare to common."""
    _, code, count = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
    rank = np.empty(len(count), np.intp)
    rank[np.argsort(count, kind="stable")] = np.arange(len(count))
    rarest = np.full(groups, len(count), np.intp)
    np.minimum.at(rarest, group_of, rank[code])
    return rarest


def _interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    scored = draws[~np.isnan(draws)]
    if not len(scored):
        return float("nan"), float("nan")
    low, high = np.quantile(scored, QUANTILES)
    return float(low), float(high)


def _p_value(draws: NDArray[np.float64]) -> float:
    scored = draws[~np.isnan(draws)]
    if not len(scored):
        return float("nan")
    side = min(np.count_nonzero(scored <= 0), np.count_nonzero(scored >= 0))
    return min(1.0, 2 * (side + 1) / (len(scored) + 1))
