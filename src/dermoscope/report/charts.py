"""The geometry of the report's histogram; the template draws it."""

from __future__ import annotations

from dataclasses import dataclass

from dermoscope.report.overview import BINS, Overview

WIDTH, HEIGHT = 520, 150
"""Size of the plot in its own units."""

_GAP = 2.0


@dataclass(frozen=True)
class Bar:
    """One bar, in the plot's units, `y` downwards."""

    x: float
    y: float
    width: float
    height: float
    label: str
    flagged: bool


@dataclass(frozen=True)
class RiskChart:
    """The histogram of malignancy risk.

    Attributes:
        threshold: Where the operating point is on the x axis; none where the results name none.
        tallest: Images in the tallest bar.
    """

    bars: tuple[Bar, ...]
    threshold: float | None
    tallest: int
    width: int = WIDTH
    height: int = HEIGHT


def risk_chart(overview: Overview) -> RiskChart:
    """Lay the histogram out."""
    tallest = max(overview.risk_bins)
    step = WIDTH / BINS
    threshold = overview.malignancy.threshold if overview.malignancy else None
    bars = []
    for number, count in enumerate(overview.risk_bins):
        # A bar of one image among thousands is still to be seen.
        height = max(2.0, HEIGHT * count / tallest) if count else 0.0
        low, high = 100 * number // BINS, 100 * (number + 1) // BINS
        bars.append(
            Bar(
                x=round(number * step + _GAP / 2, 1),
                y=round(HEIGHT - height, 1),
                width=round(step - _GAP, 1),
                height=round(height, 1),
                label=f"{low} to {high}\u00a0%: {count:,} {'image' if count == 1 else 'images'}",
                flagged=threshold is not None and number / BINS >= threshold,
            )
        )
    return RiskChart(tuple(bars), round(WIDTH * threshold, 1) if threshold is not None else None, tallest)
