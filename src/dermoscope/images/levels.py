"""Percentiles of 8-bit images from their histogram: the same numbers as sorting gives, many times sooner."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Levels:
    """How often each grey level occurs.

    Attributes:
        counts: `[256]`, pixels of each level.
    """

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, grey: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None) -> Levels:
        """Count the levels of a grey image of shape (height, width), inside a mask that is not 0 where it counts."""
        return cls(cv2.calcHist([grey], [0], mask, [256], [0, 256]).ravel().astype(np.int64))

    def percentile(self, percent: float) -> float:
        """As `numpy.percentile`, interpolated linearly between neighbours; there must be at least one pixel."""
        upto = np.cumsum(self.counts)
        position = (int(upto[-1]) - 1) * percent / 100
        below = int(position)
        lower, upper = (
            int(np.searchsorted(upto, rank, side="right")) for rank in (below, min(below + 1, upto[-1] - 1))
        )
        return lower + (upper - lower) * (position - below)

    def share_from(self, level: int) -> float:
        """Share of the pixels that have at least this level, 0 to 1."""
        return float(self.counts[level:].sum() / self.counts.sum())
