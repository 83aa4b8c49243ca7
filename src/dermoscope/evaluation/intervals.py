"""Bootstrap intervals that know which images belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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


def grouped_bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Percentile bootstrap that draws whole groups.

    Args:
        statistic: From row numbers, which may repeat, to a number; a resample it cannot score may give NaN.
        groups: The group of each row, such as its lesion.
        resamples: Number of resamples.
        seed: Of the draws.

    Raises:
        ValueError: If there are no rows.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; groups as in Field and Welsh, 2007.
    """
    if not len(groups):
        raise ValueError("no rows to score")
    _, inverse = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    random = np.random.default_rng(seed)
    draws = [
        statistic(np.concatenate([members[g] for g in random.integers(len(members), size=len(members))]))
        for _ in range(resamples)
    ]
    low, high = np.nanquantile(draws, [0.025, 0.975])
    rows = np.arange(len(groups))
    return Estimate(float(statistic(rows)), float(low), float(high), len(groups), len(members))
