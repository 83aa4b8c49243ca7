"""Intervals of shares, such as sensitivity, that hold for few images and for shares near 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Bootstrap, Estimate

Z_95 = 1.959963984540054
"""The standard normal quantile of a two-sided 95 % interval."""

FEWEST_FOR_BOOTSTRAP = 5
"""Groups expected on the rarer side below which a share gets the Wilson interval."""


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


def estimate_shares(
    bootstrap: Bootstrap, parts: Sequence[NDArray[np.bool_]], wholes: Sequence[NDArray[np.bool_]]
) -> tuple[Estimate | None, ...]:
    """Shares of rows, with 95 % intervals that know which rows belong together.

    They are those of the bootstrap over groups. Where fewer than five groups would be expected on the rarer side, as in
    small subgroups or for a sensitivity of 100 %, resampling draws an interval that is too narrow or has no width at
    all; the interval is then Wilson's, with the number of groups as the number of trials.

    Args:
        bootstrap: What draws the N rows; all shares rest on the same resamples.
        parts: What each share counts, such as the flagged images, M of `[N]`.
        wholes: What it is a share of, such as the positive images of a subgroup, M of `[N]`.

    Returns:
        None for a share of no rows; else with the rows and groups of its whole.
    """
    found = bootstrap.shares(parts, wholes)
    return tuple(for_few(each) if each.n else None for each in found)


def for_few(share: Estimate) -> Estimate:
    """A share of at least one row, with Wilson's interval where resampling has too little to draw from.

    Args:
        share: With the rows and groups of the whole that it is a share of.
    """
    if round(min(share.value, 1 - share.value) * share.groups, 9) >= FEWEST_FOR_BOOTSTRAP:
        return share
    low, high = wilson_interval(share.value, share.groups)
    return replace(share, low=low, high=high)
