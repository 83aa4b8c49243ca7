"""Intervals of shares, such as sensitivity, that hold for few images and for shares near 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Bootstrap, Estimate

Z_95 = 1.959963984540054
"""The standard normal quantile of a two-sided 95 % interval."""

FEWEST_FOR_BOOTSTRAP = 5
"""Groups expected on the rarer side below which `estimate_share` takes the Wilson interval."""


def wilson_interval(share: float, n: float, *, z: float = Z_95) -> tuple[float, float]:
    """Interval of a share that stays inside 0 to 1 and has a width at 0 and 1 too.

    Args:
        share: 0 to 1.
        n: Independent trials.
        z: Normal quantile.

    Raises:
        ValueError: If there are no trials.

    References:
        Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    if n <= 0:
        raise ValueError("a share of nothing has no interval: n must be positive")
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Rounding must not push the end of an interval past the share it belongs to.
    return min(share, max(0.0, float(centre - reach))), max(share, min(1.0, float(centre + reach)))


def estimate_share(
    happened: NDArray[np.bool_], groups: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> Estimate | None:
    """The share of rows where something happened, with a 95 % interval that knows which rows belong together.

    It is the bootstrap over groups. Where fewer than five groups would be expected on the rarer side, as in small
    subgroups or for a sensitivity of 100 %, resampling draws an interval that is too narrow or has no width at all; the
    interval is then Wilson's, with the number of groups as the number of trials.

    Args:
        happened: `[N]`.
        groups: `[N]`, the group of each row, such as its lesion.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        None if there are no rows.
    """
    if not len(happened):
        return None
    share, independent = float(happened.mean()), len(set(groups))
    if round(min(share, 1 - share) * independent, 9) < FEWEST_FOR_BOOTSTRAP:
        return Estimate(share, *wilson_interval(share, independent), len(happened), independent)
    outcome = happened.astype(np.float64)
    bootstrap = Bootstrap(groups, resamples=resamples, seed=seed)
    return bootstrap.estimate(lambda weights: float(outcome @ weights / weights.sum()))
